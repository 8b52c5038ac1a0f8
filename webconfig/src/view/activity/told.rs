//! What happened, in a sentence: an entry of the audit log in words.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::view::words::period;

/// All that can have happened, as the log names it.
pub const EVENTS: [&str; 23] = [
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
pub fn told(what: &Map<String, Value>) -> String {
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
        "grant-removed" => match text("client").as_str() {
            "*" => format!("Nobody may open for {} any more.", owner("zone")),
            _ => format!(
                "{} may not open for {} any more.",
                subject("client"),
                owner("zone")
            ),
        },
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
            "{} is to be destroyed when servers have run for {}.",
            subject("zone"),
            grace(what)
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

fn grace(what: &Map<String, Value>) -> String {
    let seconds = what.get("grace_seconds").and_then(Value::as_u64);
    seconds.map_or_else(
        || "its grace".into(),
        |seconds| period(Duration::from_secs(seconds)),
    )
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
                "Nobody may open for zone tenant-1 any more.",
            ),
            (
                json!({"event": "destruction-ordered", "zone": "zone/tenant-1", "grace_seconds": 604_800}),
                "Zone tenant-1 is to be destroyed when servers have run for 7 d 0 h.",
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
