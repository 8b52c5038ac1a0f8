//! `audit verify`, `audit list` and `audit export`.

mod export;

use std::time::{Duration, Instant};

use keystore::{Entry, Store, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::cli::audit as cli;
use crate::output::{Line, Output, Text};
use crate::source::open_store;

/// How often it is told how far the checking has come.
const PROGRESS: Duration = Duration::from_secs(2);

pub fn run(command: cli::Audit, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Audit::Verify(args) => verify(args, output),
        cli::Audit::List(args) => {
            let store = open_store(args.store)?;
            let since = args.since.map(|since| since.0);
            output.list::<EntryLine, _>(|last: Option<&Entry>| page(&store, last, since))
        }
        cli::Audit::Export(args) => export::export(args, output),
    }
}

/// A page of entries that were written since then.
fn page(
    store: &Store,
    last: Option<&Entry>,
    since: Option<Timestamp>,
) -> Result<Vec<Entry>, keystore::Error> {
    let mut after = last.map_or(0, |entry| entry.number);
    loop {
        let mut page = store.audit(after, keystore::MAX_PAGE)?;
        let end = page.last().map(|entry| entry.number);
        // Clocks of several writers are not in step, so all entries are looked at.
        page.retain(|entry| since.is_none_or(|since| entry.at >= since));
        match end {
            Some(end) if page.is_empty() => after = end,
            _ => return Ok(page),
        }
    }
}

fn verify(args: cli::AuditVerify, output: &mut Output<'_>) -> Result<(), Error> {
    let anchor = args.anchor.map(|anchor| anchor.0);
    let verified = match (args.file, args.store.0) {
        (Some(path), _) => export::verify(&path, anchor.as_ref())?,
        (None, Some(store)) => {
            let store = open_store(store)?;
            let (started, mut told) = (Instant::now(), Duration::ZERO);
            let audited = store.verify_audit(anchor.as_ref(), |records| {
                let elapsed = started.elapsed();
                if elapsed - told >= PROGRESS {
                    told = elapsed;
                    output.note(&format!("{records} records checked, going on"));
                }
            })?;
            VerifiedAnswer {
                entries: audited.entries,
                receipts: Some(audited.receipts),
                head: format!("{}:{}", audited.head.number, audited.head.hash),
                faults: audited.faults,
            }
        }
        (None, None) => {
            return Err(Error::Usage(
                "give --store with its master key, or --file with an export".into(),
            ));
        }
    };
    let mut fields = vec![("entries", verified.entries.to_string())];
    fields.extend(
        verified
            .receipts
            .map(|count| ("receipts", count.to_string())),
    );
    fields.push(("head", verified.head.clone()));
    let mut text = Text::default();
    for fault in &verified.faults {
        text = text.line(fault);
    }
    if verified.faults.is_empty() {
        text = text
            .fields(&fields)
            .line("")
            .line("No fault was found. Keep the head apart from the store; the next time:")
            .line(&format!(
                "  pgseal-keymaker audit verify --anchor {}",
                verified.head
            ));
    }
    output.answer(&verified, &text)?;
    match verified.faults.len() {
        0 => Ok(()),
        1 => Err(Error::Faults("1 fault was".into())),
        count => Err(Error::Faults(format!("{count} faults were"))),
    }
}

#[derive(Serialize)]
struct VerifiedAnswer {
    entries: u64,
    /// `null` for an export, which holds none.
    receipts: Option<u64>,
    /// The last entry, as `--anchor` takes it.
    head: String,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct EntryLine {
    number: u64,
    at: String,
    by: String,
    what: Value,
    hash: String,
}

impl From<&Entry> for EntryLine {
    fn from(entry: &Entry) -> Self {
        EntryLine {
            number: entry.number,
            at: entry.at.to_string(),
            by: entry.by.clone(),
            what: serde_json::to_value(&entry.event).expect("an event is text and numbers"),
            hash: entry.hash.clone(),
        }
    }
}

impl Line for EntryLine {
    const COLUMNS: &'static [&'static str] = &["NUMBER", "TIME", "WHO", "WHAT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            self.at.clone(),
            self.by.clone(),
            told(&self.what),
        ]
    }
}

/// An event in one line: its name, then its fields.
fn told(event: &Value) -> String {
    let mut line = String::new();
    let fields = event.as_object().into_iter().flatten();
    for (name, value) in fields {
        let text = match (name.as_str(), value) {
            ("event", Value::String(name)) => {
                line.insert_str(0, name);
                continue;
            }
            ("expires", Value::Number(seconds)) => {
                let time = seconds.as_u64().and_then(Timestamp::from_seconds);
                time.map_or_else(|| seconds.to_string(), |time| time.to_string())
            }
            (_, Value::Null) => continue,
            (_, Value::String(text)) => text.clone(),
            (_, Value::Array(ids)) => {
                let ids: Vec<_> = ids.iter().filter_map(Value::as_str).collect();
                ids.join(",")
            }
            (_, other) => other.to_string(),
        };
        line += &format!(" {name}={text}");
    }
    line
}
