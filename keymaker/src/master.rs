//! `master show`, `master rotate` and `master forget`.

use std::time::{Duration, Instant};

use keystore::{MasterKey, MasterState, Store};
use serde::Serialize;

use crate::Error;
use crate::cli::master as cli;
use crate::files::{NewFiles, is_taken, must_be_ours};
use crate::output::{Output, Text};
use crate::source::{open_store, operator};

/// How often it is told how far a change has come.
const PROGRESS: Duration = Duration::from_secs(2);

pub fn run(command: cli::Master, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Master::Show(args) => show(args, output),
        cli::Master::Rotate(args) => rotate(args, output),
        cli::Master::Forget(args) => forget(args, output),
    }
}

fn show(args: cli::MasterShow, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let state = store.master_state()?;
    let change = match (state.replacing, state.replaced) {
        (Some(id), _) => format!(
            "unfinished, {id} is being replaced; go on with the same `master rotate` as before"
        ),
        (None, Some(id)) => format!("{id} was replaced, and opens the store until `master forget`"),
        (None, None) => "none".into(),
    };
    let text = Text::default().fields(&[
        ("in use", state.in_use.to_string()),
        ("given", state.given.to_string()),
        ("change", change),
    ]);
    output.answer(&StateAnswer::of(&state), &text)
}

fn rotate(args: cli::MasterRotate, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let before = store.master_state()?;
    // Dropped last, and kept as soon as the store may be under the new key.
    let mut files = NewFiles::default();
    let (new, made) = new_key(&store, &before, args.new, &mut files)?;
    let id = new.id();
    let (started, mut told) = (Instant::now(), Duration::ZERO);
    let rotated = store.by(operator()).rotate_master(&new, |records| {
        let elapsed = started.elapsed();
        if elapsed - told >= PROGRESS {
            told = elapsed;
            output.note(&format!("{records} records looked at, going on"));
        }
    });
    match (&rotated, store.master_state()) {
        // Nothing has begun: the key seals nothing.
        (Err(_), Ok(state)) if state.in_use != id => {}
        _ => files.keep(),
    }
    rotated?;

    let state = store.master_state()?;
    let answer = RotatedAnswer {
        resumed: before.replacing.is_some(),
        new_master_key_file: made.clone(),
        state: StateAnswer::of(&state),
    };
    let mut fields = vec![("in use", state.in_use.to_string())];
    fields.extend(state.replaced.map(|id| {
        (
            "replaced",
            format!("{id}, which opens the store too until `forget`"),
        )
    }));
    fields.extend(made.map(|path| ("new key", path)));
    let mut text = Text::default().fields(&fields).line("");
    if answer.resumed {
        text = text
            .line("A change that had been interrupted is finished.")
            .line("");
    } else if before.in_use == id {
        text = text.line("It was done already.").line("");
    }
    let text = text
        .line("Next, on each host with a server: put the new key where the server reads its master")
        .line("key at its next start; one that runs has it from the store by now. Keep a copy apart from")
        .line("the store. Then, with the new key:")
        .line("  pgseal-keymaker master forget")
        .line("Backups of the store from before need the old key: keep it as long as them.");
    output.answer(&answer, &text)
}

/// The new master key; a file that is not there is made, and its name answered.
fn new_key(
    store: &Store,
    state: &MasterState,
    args: cli::NewMasterKeyArgs,
    files: &mut NewFiles,
) -> Result<(MasterKey, Option<String>), Error> {
    let path = match (args.new_master_key_file, args.new_master_key_command) {
        (Some(path), _) => path,
        (None, command) => {
            let command = command.expect("the argument parser asks for one of the two");
            return Ok((MasterKey::from_command(&command)?, None));
        }
    };
    if is_taken(&path) {
        must_be_ours(&path)?;
        return Ok((MasterKey::from_file(&path)?, None));
    }
    // A change under way wants its own key, not another.
    if state.replacing.is_some() || state.replaced.is_some() {
        return Err(keystore::Error::MasterRotating {
            path: store.path().into(),
        }
        .into());
    }
    files.private_directory_of(&path)?;
    let key = MasterKey::generate()?;
    key.write_new(&path)?;
    files.made(&path);
    Ok((key, Some(path.display().to_string())))
}

fn forget(args: cli::MasterForget, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let state = store.master_state()?;
    if state.replaced == Some(state.given) {
        return Err(Error::OldMasterKey {
            needed: state.in_use,
        });
    }
    let forgotten = loop {
        match store.by(operator()).forget_master() {
            // A moment, in which programs that run take over the new key.
            Err(keystore::Error::HandingOver { wait }) => std::thread::sleep(wait),
            forgotten => break forgotten?,
        }
    };
    let answer = ForgottenAnswer {
        in_use: state.in_use.to_string(),
        forgotten: forgotten.map(|id| id.to_string()),
    };
    let text = match &answer.forgotten {
        Some(id) => Text::default()
            .fields(&[("in use", answer.in_use.clone()), ("forgotten", id.clone())])
            .line("")
            .line(
                "The old key does not open the store any more. Backups from before still need it.",
            ),
        None => Text::default()
            .fields(&[("in use", answer.in_use.clone())])
            .line("")
            .line("There is none to forget."),
    };
    output.answer(&answer, &text)
}

#[derive(Serialize)]
struct StateAnswer {
    in_use: String,
    given: String,
    /// `null` unless a change is unfinished.
    replacing: Option<String>,
    /// `null` if no other key opens the store.
    replaced: Option<String>,
}

impl StateAnswer {
    fn of(state: &MasterState) -> Self {
        StateAnswer {
            in_use: state.in_use.to_string(),
            given: state.given.to_string(),
            replacing: state.replacing.map(|id| id.to_string()),
            replaced: state.replaced.map(|id| id.to_string()),
        }
    }
}

#[derive(Serialize)]
struct RotatedAnswer {
    #[serde(flatten)]
    state: StateAnswer,
    /// The change had been interrupted, and was gone on with.
    resumed: bool,
    /// The file made; `null` for a key that was there.
    new_master_key_file: Option<String>,
}

#[derive(Serialize)]
struct ForgottenAnswer {
    in_use: String,
    /// `null` if there was none to forget.
    forgotten: Option<String>,
}
