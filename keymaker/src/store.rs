//! `store copy`, `store backup` and `store restore`.

use std::time::{Duration, Instant};

use keystore::{Place, Purpose, Store};
use serde::Serialize;

use crate::Error;
use crate::cli::store as cli;
use crate::output::{Output, Text};
use crate::source::{master_key, open_store, operator};

/// How often it is told how far it has come.
const PROGRESS: Duration = Duration::from_secs(2);

pub fn run(command: cli::Store, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Store::Copy(args) => copy(args, output),
        cli::Store::Backup(args) => backup(args, output),
        cli::Store::Restore(args) => restore(args, output),
    }
}

fn copy(args: cli::StoreCopy, output: &mut Output<'_>) -> Result<(), Error> {
    let etcd = args.etcd.settings();
    let place = |address| Place {
        address,
        etcd: etcd.clone(),
    };
    let (from, to) = (place(args.from), place(args.to));
    let store = Store::open(from.clone(), master_key(args.master_key)?)?;
    let purpose = match args.freeze {
        true => Purpose::Move,
        false => Purpose::Fork,
    };
    let copied = store.copy(&to, purpose, &operator(), told(output, "compared"))?;
    let answer = CopyAnswer {
        from: from.address.to_string(),
        to: to.address.to_string(),
        records: copied.records,
        frozen: args.freeze,
    };
    let text = Text::default()
        .fields(&[
            ("from", answer.from.clone()),
            ("to", answer.to.clone()),
            ("records", answer.records.to_string()),
        ])
        .line("");
    let text = match args.freeze {
        true => text
            .line("The old place takes no more changes. Next, for each server: put")
            .line(&format!("  store = \"{}\"", answer.to))
            .line("into its configuration, and let it read that (SIGHUP)."),
        false => {
            text.line("The copy is a second store: changes to the one do not reach the other.")
        }
    };
    output.answer(&answer, &text)
}

fn backup(args: cli::StoreBackup, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let made = store.back_up(&args.file, told(output, "written"))?;
    let answer = BackupAnswer {
        file: args.file.display().to_string(),
        store: store.path().display().to_string(),
        master_key_id: store.master_key_id().to_string(),
        records: made.records,
    };
    let text = Text::default().fields(&answer.fields()).line("").line(
        "It opens with this master key alone, also after another has replaced it in the store.",
    );
    output.answer(&answer, &text)
}

fn restore(args: cli::StoreRestore, output: &mut Output<'_>) -> Result<(), Error> {
    let place = args.store.place();
    let master = master_key(args.store.master_key)?;
    let id = master.id();
    let progress = told(output, "checked");
    let made = Store::restore(&args.file, &place, master, &operator(), progress)?;
    let answer = BackupAnswer {
        file: args.file.display().to_string(),
        store: place.address.to_string(),
        master_key_id: id.to_string(),
        records: made.records,
    };
    let text = Text::default()
        .fields(&answer.fields())
        .line("")
        .line(
            "It is the store of the time of the backup: revocations, grants and destroyed keys of",
        )
        .line("later are not in it. See `pgseal-keymaker audit export`.");
    output.answer(&answer, &text)
}

/// Tells every two seconds how many records were done.
fn told(output: &mut Output<'_>, done: &str) -> impl FnMut(u64) {
    let (started, mut last) = (Instant::now(), Duration::ZERO);
    move |records| {
        let elapsed = started.elapsed();
        if elapsed - last >= PROGRESS {
            last = elapsed;
            output.note(&format!("{records} records {done}, going on"));
        }
    }
}

#[derive(Serialize)]
struct CopyAnswer {
    from: String,
    to: String,
    records: u64,
    /// The store has moved: `from` takes no more changes.
    frozen: bool,
}

#[derive(Serialize)]
struct BackupAnswer {
    file: String,
    store: String,
    master_key_id: String,
    records: u64,
}

impl BackupAnswer {
    fn fields(&self) -> [(&'static str, String); 4] {
        [
            ("backup", self.file.clone()),
            ("store", self.store.clone()),
            ("master key id", self.master_key_id.clone()),
            ("records", self.records.to_string()),
        ]
    }
}
