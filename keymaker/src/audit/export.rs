//! Exports of the audit log: writing one, and checking one without a store.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use keystore::{Anchor, Chain, Entry, NewFile, Store, Timestamp};
use serde::{Deserialize, Serialize};

use super::{VerifiedAnswer, page};
use crate::Error;
use crate::cli::audit as cli;
use crate::output::{Output, Text};
use crate::source::open_store;

/// The longest line of an export that is read, in bytes: a record takes up to a MiB, and becomes
/// longer as text in JSON.
const MAX_LINE: u64 = 8 << 20;

/// A line of an export.
#[derive(Serialize, Deserialize)]
struct ExportLine {
    number: u64,
    hash: String,
    /// The entry as it stands in the store.
    body: String,
}

pub fn export(args: cli::AuditExport, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let since = args.since.map(|since| since.0);
    let after = args.after.unwrap_or(0);
    let Some(path) = args.out else {
        return each(&store, after, since, |line| output.line(line)).map(drop);
    };
    let failed = |source| Error::File {
        action: "write",
        path: path.clone(),
        source,
    };
    let mut file = BufWriter::new(NewFile::begin(&path, 0o600)?);
    let last = each(&store, after, since, |line| {
        writeln!(file, "{line}").map_err(failed)
    })?;
    let file = file
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.keep()?;
    let answer = ExportAnswer {
        file: path.display().to_string(),
        last,
    };
    let text = Text::default().fields(&[("file", answer.file.clone())]);
    let text = match last {
        Some(last) => text
            .line("")
            .line(&format!("The next export goes on with --after {last}.")),
        None => text.line("").line("There were no such entries."),
    };
    output.answer(&answer, &text)
}

/// Hands out the lines of an export. Answers the number of the last.
fn each(
    store: &Store,
    after: u64,
    since: Option<Timestamp>,
    mut write: impl FnMut(&str) -> Result<(), Error>,
) -> Result<Option<u64>, Error> {
    let mut last = None;
    let mut entries = match after {
        0 => page(store, None, since)?,
        after => store.audit(after, keystore::MAX_PAGE)?,
    };
    while let Some(end) = entries.last().cloned() {
        for entry in entries {
            let line = ExportLine {
                number: entry.number,
                hash: entry.hash,
                body: entry.body,
            };
            write(&serde_json::to_string(&line).expect("text and numbers"))?;
        }
        last = Some(end.number);
        entries = page(store, Some(&end), since)?;
    }
    Ok(last)
}

/// Checks an export: that each entry is what its hash says, and follows the one before it.
pub fn verify(path: &Path, anchor: Option<&Anchor>) -> Result<VerifiedAnswer, Error> {
    let failed = |source| Error::File {
        action: "read",
        path: path.into(),
        source,
    };
    let unfit = |what| Error::Unfit {
        path: path.into(),
        what,
    };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let mut chain = Chain::part(anchor);
    let (mut entries, mut faults) = (0, Vec::new());
    while let Some(line) = line(&mut lines).map_err(failed)? {
        let not_an_export = || unfit("is not an export of `audit export`");
        let line: ExportLine = serde_json::from_slice(&line).map_err(|_| not_an_export())?;
        let entry = Entry::from_body(line.body.as_bytes()).map_err(|_| not_an_export())?;
        entries += 1;
        if (entry.number, &entry.hash) != (line.number, &line.hash) {
            faults.push(format!("audit entry {} was edited", line.number));
        }
        faults.extend(chain.take(&entry));
    }
    faults.extend(chain.end());
    let head = chain
        .last()
        .map(|last| format!("{}:{}", last.number, last.hash))
        .ok_or_else(|| unfit("holds no entries"))?;
    Ok(VerifiedAnswer {
        entries,
        receipts: None,
        head,
        faults,
    })
}

/// The next line, without its end; an error if it is too long.
fn line(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line is too long, or its end is missing",
        )),
    }
}

#[derive(Serialize)]
struct ExportAnswer {
    file: String,
    /// The number of the last entry; `null` if there was none.
    last: Option<u64>,
}
