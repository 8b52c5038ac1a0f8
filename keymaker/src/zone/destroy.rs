//! `zone destroy`, `zone keep` and `zone receipt`.

use std::io::Write;
use std::time::Duration;

use envelope::{Owner, ZoneId};
use keystore::{Fate, KeyState, Store, Timestamp, Zone};
use serde::Serialize;

use super::{FatedZone, ZoneLine};
use crate::cli::zone as cli;
use crate::key::DestroyedAnswer;
use crate::output::{Output, Text};
use crate::source::{open_store, operator};
use crate::times::roughly;
use crate::{Error, confirm};

pub fn destroy(args: cli::ZoneDestroy, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let zone = require(&store, &args.id)?;
    if matches!(zone.fate, Fate::Destroyed { .. }) {
        return Err(keystore::Error::ZoneGone(args.id).into());
    }
    if !args.now {
        return order(&store, &args.id, args.grace.0, output);
    }
    match &args.confirm {
        Some(typed) => confirm::must_be(typed, args.id.as_str())?,
        None => confirm::typed(
            output,
            &format!(
                "Every value of zone {} is lost for good. Type its id to go on:",
                args.id
            ),
            args.id.as_str(),
            &format!("give --confirm {}", args.id),
        )?,
    }
    destroy_now(&store, &zone, output)
}

fn order(
    store: &Store,
    id: &ZoneId,
    grace: Duration,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let zone = store.by(operator()).order_destruction(id, grace)?;
    let answer = ZoneLine::from(&FatedZone::of(store, zone)?);
    let text = Text::default()
        .fields(&[("zone", id.to_string()), ("fate", answer.fate.told())])
        .line("")
        .line("Its values are refused from now on, with the reason `destroying`. A server removes its")
        .line(&format!(
            "keys once servers have run for another {}. Until then this takes it back:",
            roughly(grace)
        ))
        .line(&format!("  pgseal-keymaker zone keep {id}"))
        .line("")
        .line(&still_held(&answer.created, "its end"));
    output.answer(&answer, &text)
}

fn destroy_now(store: &Store, zone: &Zone, output: &mut Output<'_>) -> Result<(), Error> {
    let author = store.by(operator());
    if zone.fate == Fate::Kept {
        author.order_destruction(&zone.id, Duration::ZERO)?;
    }
    author.destroy_zone(&zone.id)?;
    let zone = require(store, &zone.id)?;
    let answer = DestroyedZone {
        keys: answers(store, &zone.id)?,
        line: ZoneLine::from(&FatedZone::of(store, zone)?),
    };
    let id = &answer.line.id;
    let text = Text::default()
        .fields(&[
            ("zone", id.clone()),
            ("fate", answer.line.fate.told()),
            ("receipts", answer.keys.len().to_string()),
        ])
        .line("")
        .line(&format!(
            "Its receipts: pgseal-keymaker zone receipt {id} --out {id}.receipt"
        ))
        .line(&still_held(
            &answer.line.created,
            &Timestamp::now().to_string(),
        ));
    output.answer(&answer, &text)
}

/// What copies from before still have, in one line.
fn still_held(created: &str, end: &str) -> String {
    format!(
        "Copies of the store made between {created} and {end} still hold its keys: destroy them too."
    )
}

pub fn keep(args: cli::ZoneKeep, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let zone = store.by(operator()).cancel_destruction(&args.id)?;
    let answer = ZoneLine::from(&FatedZone::of(&store, zone)?);
    let text = Text::default()
        .fields(&[("zone", args.id.to_string()), ("fate", answer.fate.told())])
        .line("")
        .line("Its values open again.");
    output.answer(&answer, &text)
}

pub fn receipt(args: cli::ZoneReceipt, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    require(&store, &args.id)?;
    let mut receipts = String::new();
    for version in destroyed(&store, &args.id)? {
        let text = store.receipt_text(&Owner::Zone(args.id.clone()), version)?;
        receipts.extend(text.into_iter().flat_map(|text| [text, "\n".into()]));
    }
    if receipts.is_empty() {
        return Err(Error::NoReceipt(args.id));
    }
    let Some(path) = args.out else {
        return output.line(receipts.trim_end());
    };
    let mut file = keystore::NewFile::begin(&path, 0o644)?;
    let written = file.write_all(receipts.as_bytes());
    written.map_err(|source| Error::File {
        action: "write",
        path: path.clone(),
        source,
    })?;
    file.keep()?;
    let answer = ReceiptFile {
        file: path.display().to_string(),
        receipts: receipts.lines().count(),
    };
    let text = Text::default().fields(&[
        ("file", answer.file.clone()),
        ("receipts", answer.receipts.to_string()),
    ]);
    output.answer(&answer, &text)
}

fn require(store: &Store, id: &ZoneId) -> Result<Zone, Error> {
    let zone = store.zone(id)?;
    zone.ok_or_else(|| keystore::Error::UnknownZone(id.clone()).into())
}

/// The versions of a zone's key that are destroyed.
fn destroyed(store: &Store, id: &ZoneId) -> Result<Vec<u32>, Error> {
    let owner = Owner::Zone(id.clone());
    let (mut versions, mut after) = (Vec::new(), None);
    loop {
        let page = store.keys(Some(&owner), after.as_ref(), keystore::MAX_PAGE)?;
        let Some(last) = page.last() else {
            return Ok(versions);
        };
        after = Some(last.clone());
        let gone = page
            .iter()
            .filter(|key| key.state == KeyState::Destroyed)
            .map(|key| key.version);
        versions.extend(gone);
    }
}

fn answers(store: &Store, id: &ZoneId) -> Result<Vec<DestroyedAnswer>, Error> {
    let owner = Owner::Zone(id.clone());
    let mut answers = Vec::new();
    for version in destroyed(store, id)? {
        let (receipt, signed) = (
            store.receipt(&owner, version)?,
            store.receipt_text(&owner, version)?,
        );
        if let (Some(receipt), Some(signed)) = (receipt, signed) {
            answers.push(DestroyedAnswer::of(&receipt, &signed));
        }
    }
    Ok(answers)
}

#[derive(Serialize)]
struct DestroyedZone {
    #[serde(flatten)]
    line: ZoneLine,
    keys: Vec<DestroyedAnswer>,
}

#[derive(Serialize)]
struct ReceiptFile {
    file: String,
    receipts: usize,
}
