//! `key rotate`, `key retire`, `key restore` and `key destroy`.

use envelope::Owner;
use keystore::{KeyRecord, Receipt};
use serde::Serialize;

use super::{KeyLine, PublicKeyAnswer, UsedKey};
use crate::cli::key as cli;
use crate::output::{Output, Text};
use crate::source::{open_store, operator};
use crate::{Error, confirm};

pub fn rotate(args: cli::KeyRotate, output: &mut Output<'_>) -> Result<(), Error> {
    let (owner, store) = (args.owner.owner(), open_store(args.store)?);
    let key = store.by(operator()).rotate_key(&owner)?;
    let answer = PublicKeyAnswer::from(&key);
    let before = key.version.saturating_sub(1);
    let text = Text::default()
        .fields(&[(kind(&owner), owner.id().into())])
        .line("")
        .fields(&answer.fields())
        .line("")
        .line(&format!(
            "Writers get this key from now on; what was sealed to version {before} still opens."
        ))
        .line("Files that `key export-public` has made for writers must be made anew.")
        .line("Once `key list` shows no late use of it:")
        .line(&format!(
            "  pgseal-keymaker key retire {} --version {before}",
            option(&owner)
        ));
    output.answer(&answer, &text)
}

pub fn retire(args: cli::KeyRetire, output: &mut Output<'_>) -> Result<(), Error> {
    let (owner, version) = (args.key.owner.owner(), args.key.version);
    let store = open_store(args.key.store)?;
    store.find_key(&owner, version)?;
    let key = store
        .by(operator())
        .retire_key(&owner, version, args.force)?;
    let text = state_of(&key)
        .line("")
        .line("Values sealed to it are refused from now on. To undo it, or to make it final:")
        .line(&command("restore", &owner, version))
        .line(&command("destroy", &owner, version));
    output.answer(&KeyLine::from(&UsedKey::of(&store, key)?), &text)
}

pub fn restore(args: cli::KeyRestore, output: &mut Output<'_>) -> Result<(), Error> {
    let (owner, version) = (args.key.owner.owner(), args.key.version);
    let store = open_store(args.key.store)?;
    store.find_key(&owner, version)?;
    let key = store.by(operator()).restore_key(&owner, version)?;
    let text = state_of(&key)
        .line("")
        .line("Values sealed to it open again.");
    output.answer(&KeyLine::from(&UsedKey::of(&store, key)?), &text)
}

pub fn destroy(args: cli::KeyDestroy, output: &mut Output<'_>) -> Result<(), Error> {
    let (owner, version) = (args.key.owner.owner(), args.key.version);
    let store = open_store(args.key.store)?;
    let key = store.find_key(&owner, version)?;
    let author = store.by(operator());
    author.may_destroy(&key, args.force)?;
    if !args.yes {
        let question = format!(
            "Every value sealed to version {version} of {owner} is lost for good. Type {} to go on:",
            owner.id()
        );
        confirm::typed(output, &question, owner.id(), "give --yes")?;
    }
    let receipt = author.destroy_key(&owner, version, args.force)?;
    let signed = store.receipt_text(&owner, version)?;
    let signed = signed.expect("a receipt was given just now");
    let text = state_of(&store.find_key(&owner, version)?)
        .line("")
        .line(&signed)
        .line("")
        .line(&still_held(&key));
    let answer = DestroyedAnswer::of(&receipt, &signed);
    output.answer(&answer, &text)
}

/// What copies from before still have, in one line.
pub fn still_held(key: &KeyRecord) -> String {
    format!(
        "Copies of the store made between {} and {} still hold the key: destroy them too.",
        key.created,
        keystore::Timestamp::now()
    )
}

/// A destroyed key, with its receipt.
#[derive(Serialize)]
pub struct DestroyedAnswer {
    owner: String,
    version: u32,
    key_id: String,
    destroyed: String,
    revision: u64,
    /// As it was signed.
    receipt: serde_json::Value,
}

impl DestroyedAnswer {
    pub fn of(receipt: &Receipt, signed: &str) -> Self {
        DestroyedAnswer {
            owner: receipt.owner.clone(),
            version: receipt.version,
            key_id: receipt.key_id.clone(),
            destroyed: receipt.destroyed.to_string(),
            revision: receipt.revision,
            receipt: serde_json::from_str(signed).expect("the keystore wrote it as JSON"),
        }
    }
}

fn state_of(key: &KeyRecord) -> Text {
    Text::default().fields(&[
        (kind(&key.owner), key.owner.id().into()),
        ("version", key.version.to_string()),
        ("state", key.state.to_string()),
    ])
}

fn kind(owner: &Owner) -> &'static str {
    match owner {
        Owner::Client(_) => "client",
        Owner::Zone(_) => "zone",
    }
}

/// The option that names an owner.
fn option(owner: &Owner) -> String {
    format!("--{} {}", kind(owner), owner.id())
}

fn command(verb: &str, owner: &Owner, version: u32) -> String {
    format!(
        "  pgseal-keymaker key {verb} {} --version {version}",
        option(owner)
    )
}
