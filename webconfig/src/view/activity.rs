//! Activity: entries of the audit log in words, and how far it was verified.

use std::time::{Duration, UNIX_EPOCH};

use askama::Template;
use control::{AuditEntry, AuditPage};
use serde_json::{Map, Value};
use tunnel::rfc3339;

use super::Frame;
use super::words::{count, number};
use crate::audit::Verified;

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

/// All that can have happened, as the log names it.
const EVENTS: [&str; 23] = [
    "store-created",
    "client-added",
    "client-changed",
    "zone-added",
    "grant-added",
    "grant-removed",
    "key-rotated",
    "key-retired",
    "key-restored",
    "key-destroyed",
    "destruction-ordered",
    "destruction-cancelled",
    "zone-destroyed",
    "certificate-recorded",
    "certificate-revoked",
    "setting-changed",
    "master-rotation-begun",
    "master-rotated",
    "master-forgotten",
    "store-copied",
    "store-moved",
    "store-move-failed",
    "store-restored",
];

/// What happened, in a sentence.
fn told(what: &Map<String, Value>) -> String {
    let text = |name: &str| match what.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let owner = |name: &str| owner(&text(name));
    let subject = |name: &str| capital(&owner(name));
    match text("event").as_str() {
        "store-created" => "The store was made.".into(),
        "client-added" => format!("{} was added; it {}.", subject("client"), may_create(what)),
        "client-changed" => format!("{} {} from now on.", subject("client"), may_create(what)),
        "zone-added" => format!("{} was added, for {}.", subject("zone"), clients(what)),
        "grant-added" => format!("{} may open for {}.", subject("client"), owner("zone")),
        "grant-removed" => format!(
            "{} may not open for {} any more.",
            subject("client"),
            owner("zone")
        ),
        "key-rotated" => format!(
            "{} has a new key, version {}.",
            subject("owner"),
            text("version")
        ),
        "key-retired" => format!(
            "Version {} of the key of {} was retired.",
            text("version"),
            owner("owner")
        ),
        "key-restored" => format!(
            "Version {} of the key of {} opens again.",
            text("version"),
            owner("owner")
        ),
        "key-destroyed" => format!(
            "Version {} of the key of {} was destroyed.",
            text("version"),
            owner("owner")
        ),
        "destruction-ordered" => format!(
            "{} is to be destroyed after {} s.",
            subject("zone"),
            text("grace_seconds")
        ),
        "destruction-cancelled" => format!("{} is kept after all.", subject("zone")),
        "zone-destroyed" => format!("{} was destroyed, with all its keys.", subject("zone")),
        "certificate-recorded" => format!(
            "Certificate {} of {} was recorded.",
            text("serial"),
            text("identity")
        ),
        "certificate-revoked" => {
            let whose = match text("identity") {
                none if none.is_empty() => String::new(),
                identity => format!(" of {identity}"),
            };
            let why = match text("reason") {
                none if none.is_empty() => String::new(),
                reason => format!(": {reason}"),
            };
            format!("Certificate {}{whose} was revoked{why}.", text("serial"))
        }
        "setting-changed" => match (text("from"), text("to")) {
            (from, to) if to.is_empty() => format!("{} was reset; it was {from}.", text("name")),
            (from, to) if from.is_empty() => format!("{} was set to {to}.", text("name")),
            (from, to) => format!("{} was changed from {from} to {to}.", text("name")),
        },
        "master-rotation-begun" => format!("The change to master key {} began.", text("to")),
        "master-rotated" => format!("The master key is {}.", text("to")),
        "master-forgotten" => format!("Master key {} was forgotten.", text("master_key")),
        "store-copied" => format!("The store was copied to {}.", text("to")),
        "store-moved" => format!("The store was moved to {}.", text("to")),
        "store-move-failed" => format!("A move of the store to {} failed.", text("to")),
        "store-restored" => format!("The store was restored from {}.", text("from")),
        // Of a newer version: as it stands there.
        event => {
            let fields = what.iter().filter(|(name, _)| *name != "event");
            let fields: Vec<_> = fields
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            format!("{}: {}", event.replace('-', " "), fields.join(", "))
        }
    }
}

/// `zone/tenant-1` as `zone tenant-1`, and `*` for every client.
fn owner(label: &str) -> String {
    match label {
        "*" => "every client".into(),
        label => match label.split_once('/') {
            Some((kind, id)) => format!("{kind} {id}"),
            None => label.to_owned(),
        },
    }
}

/// As a sentence begins.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn may_create(what: &Map<String, Value>) -> String {
    let may = what.get("create_zones").and_then(Value::as_bool);
    let most = what.get("zones_per_day").and_then(Value::as_u64);
    match (may, most) {
        (Some(true), None) => "may create zones".into(),
        (Some(true), Some(most)) => format!("may create {most} zones a day"),
        _ => "may not create zones".into(),
    }
}

/// Clients of a list that are named.
const MAX_NAMED: usize = 5;

fn clients(what: &Map<String, Value>) -> String {
    let Some(Value::Array(all)) = what.get("clients") else {
        return "every client".into();
    };
    let named: Vec<_> = all
        .iter()
        .filter_map(Value::as_str)
        .take(MAX_NAMED)
        .collect();
    match (named.as_slice(), all.len().saturating_sub(MAX_NAMED)) {
        ([], _) => "nobody".into(),
        (named, 0) => named.join(", "),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn in_words(what: Value) -> String {
        match what {
            Value::Object(fields) => told(&fields),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_happened_is_told_in_a_sentence() {
        for (what, says) in [
            (
                json!({"event": "zone-added", "zone": "zone/tenant-1", "key": "x", "clients": ["a", "b"]}),
                "Zone tenant-1 was added, for a, b.",
            ),
            (
                json!({"event": "zone-added", "zone": "zone/tenant-1", "key": "x", "clients": "*"}),
                "Zone tenant-1 was added, for every client.",
            ),
            (
                json!({"event": "setting-changed", "name": "zone_mode", "from": null, "to": "on"}),
                "zone_mode was set to on.",
            ),
            (
                json!({"event": "setting-changed", "name": "zone_mode", "from": "on", "to": null}),
                "zone_mode was reset; it was on.",
            ),
            (
                json!({"event": "client-added", "client": "client/app", "key": "x", "create_zones": true, "zones_per_day": 5}),
                "Client app was added; it may create 5 zones a day.",
            ),
            (
                json!({"event": "grant-removed", "zone": "zone/tenant-1", "client": "*"}),
                "Every client may not open for zone tenant-1 any more.",
            ),
            (
                json!({"event": "certificate-revoked", "serial": "0a", "identity": null, "expires": null, "reason": "lost"}),
                "Certificate 0a was revoked: lost.",
            ),
            (
                json!({"event": "of-the-future", "a": 1, "b": "x"}),
                "of the future: a 1, b \"x\"",
            ),
        ] {
            assert_eq!(in_words(what), says);
        }
    }

    #[test]
    fn every_event_of_the_list_has_a_sentence_of_its_own() {
        for event in EVENTS {
            let says = in_words(json!({ "event": event }));
            assert!(!says.contains(':') || event.contains("revoked"), "{says}");
        }
    }
}
