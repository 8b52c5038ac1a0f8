//! Activity: entries of the audit log, and how far it was verified. Their words are in `activity/told`.

mod told;

use std::time::{Duration, UNIX_EPOCH};

use askama::Template;
use control::{AuditEntry, AuditPage};
use tunnel::rfc3339;

use super::Frame;
use super::words::{count, number};
use crate::audit::Verified;
use told::{EVENTS, told};

/// The page.
#[derive(Template)]
#[template(path = "activity.html")]
pub struct ActivityPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What changes by itself.
    pub part: VerifiedPart,
    /// What was asked for.
    pub asked: Asked,
    /// The names of all that can have happened.
    pub events: Vec<Choice>,
    /// What was found, the newest first.
    pub entries: Vec<Row>,
    /// The next page is before this number.
    pub older: Option<u64>,
    /// What is wrong with the part that was looked through.
    pub faults: Vec<String>,
    /// Why nothing is shown.
    pub problem: Option<String>,
}

/// What the filters begin with.
#[derive(Default)]
pub struct Asked {
    pub by: String,
    pub event: String,
    pub about: String,
    pub from: String,
    pub to: String,
    /// Only entries before this number.
    pub before: Option<u64>,
}

/// Something that can have happened.
pub struct Choice {
    pub name: &'static str,
    pub words: String,
    pub is_asked: bool,
}

/// An entry.
pub struct Row {
    pub number: String,
    pub at: String,
    pub by: String,
    pub what: String,
}

/// How far the log was verified; it changes by itself.
#[derive(Template)]
#[template(path = "activity-part.html")]
pub struct VerifiedPart {
    /// As the name of a colour,
    pub kind: &'static str,
    /// in a word,
    pub word: String,
    /// and in a line.
    pub says: String,
    /// When.
    pub at: Option<String>,
    pub faults: Vec<String>,
}

impl Asked {
    /// Whether anything but all is asked for.
    pub fn is_some(&self) -> bool {
        let texts = [&self.by, &self.event, &self.about, &self.from, &self.to];
        self.before.is_some() || texts.iter().any(|text| !text.is_empty())
    }
}

impl<'a> ActivityPage<'a> {
    /// With what a server answered, or why none did.
    pub fn new(
        frame: Frame<'a>,
        verified: &Verified,
        asked: Asked,
        found: Result<AuditPage, String>,
    ) -> Self {
        let (page, problem) = match found {
            Ok(page) => (Some(page), None),
            Err(problem) => (None, Some(problem)),
        };
        let choice = |name: &'static str| Choice {
            name,
            words: name.replace('-', " "),
            is_asked: asked.event == name,
        };
        Self {
            frame,
            part: VerifiedPart::new(verified),
            events: EVENTS.map(choice).into(),
            older: page.as_ref().and_then(|page| page.next),
            faults: page
                .as_ref()
                .map(|page| page.faults.clone())
                .unwrap_or_default(),
            entries: page
                .iter()
                .flat_map(|page| &page.entries)
                .map(row)
                .collect(),
            asked,
            problem,
        }
    }
}

impl VerifiedPart {
    /// As it is now.
    pub fn new(verified: &Verified) -> Self {
        let (to, end) = (verified.to.number, verified.end.max(verified.to.number));
        let faults = verified.faults.clone();
        let (kind, word) = match (faults.len(), &verified.problem, verified.running) {
            (1.., _, _) => ("bad", count(faults.len(), "fault", "faults")),
            (0, Some(_), false) => ("bad", "not verified".to_owned()),
            (0, _, true) => ("warn", "verifying".to_owned()),
            (0, None, false) => ("good", "verified".to_owned()),
        };
        let says = match (&verified.problem, verified.running, &verified.by) {
            (Some(why), false, _) => format!("Entry {} was reached: {why}", number(to)),
            (_, false, Some((server, _))) => {
                format!(
                    "The chain of entries 1 to {}, by server {server}.",
                    number(to)
                )
            }
            _ => format!("{} of {} entries so far.", number(to), number(end)),
        };
        let at = verified.by.as_ref().filter(|_| !verified.running);
        Self {
            kind,
            word,
            says,
            at: at.map(|(_, at)| rfc3339(*at)),
            faults,
        }
    }
}

fn row(entry: &AuditEntry) -> Row {
    let said = entry.read();
    let at = said.as_ref().and_then(|it| moment(it.at));
    Row {
        number: number(entry.number),
        at: at.unwrap_or_else(|| "not known".into()),
        by: said
            .as_ref()
            .map_or_else(|| "not known".into(), |it| it.by.clone()),
        what: said.map_or_else(|| "What a newer version wrote.".into(), |it| told(&it.what)),
    }
}

/// A moment of an entry, after RFC 3339.
pub fn moment(seconds: u64) -> Option<String> {
    Some(rfc3339(
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?,
    ))
}
