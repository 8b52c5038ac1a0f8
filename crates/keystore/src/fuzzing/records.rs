//! What holds for the bodies of records, whatever bytes they are.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use envelope::{ClientId, Owner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::name::RecordName;
use crate::record::{
    AuditBody, CertificateBody, ClientBody, ClockBody, Entry, Fate, HeadBody, HeaderBody, KeyBody,
    KeyIdBody, Permitted, Receipt, ReceiptBody, Revocations, RevocationsBody, Revoked, Serial,
    SettingName, SettingValue, Settings, SigningKey, Timestamp, UsageBody, UsedBody, ZoneBody,
};

/// A record's name, a NUL, and its body. What is read is written and read again as the same, and what
/// the record is made into says what its JSON does, read as any other.
pub fn record(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == 0) else {
        return;
    };
    let (name, body) = (&bytes[..end], &bytes[end + 1..]);
    let name = str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    match name {
        Some(RecordName::Header) => {
            body_of::<HeaderBody>(body);
        }
        Some(RecordName::Owner(Owner::Client(id))) => {
            if let Some((read, json)) = body_of::<ClientBody>(body) {
                let client = read.client(id.clone());
                assert_eq!(client.id, id);
                moment(client.created, &json["created"]);
                same(&client.create_zones, &json["create_zones"]);
                same(&client.zones_per_day, &json["zones_per_day"]);
                same(&client.active, &json["active"]);
            }
        }
        Some(RecordName::Owner(Owner::Zone(id))) => {
            if let Some((read, json)) = body_of::<ZoneBody>(body) {
                let zone = read.zone(id.clone());
                assert_eq!(zone.id, id);
                moment(zone.created, &json["created"]);
                same(&zone.active, &json["active"]);
                same(
                    &zone.creator.as_ref().map(ClientId::as_str),
                    &json["creator"],
                );
                permitted(&zone.clients, &json["clients"]);
                match zone.fate {
                    Fate::Kept => assert_eq!(json["fate"], "kept"),
                    Fate::Destroying { ordered, due } => {
                        moment(ordered, &json["fate"]["destroying"]["ordered"]);
                        same(&due, &json["fate"]["destroying"]["due"]);
                    }
                    Fate::Destroyed { at } => moment(at, &json["fate"]["destroyed"]["at"]),
                }
            }
        }
        Some(RecordName::Key(owner, version)) => {
            if let Some((read, json)) = body_of::<KeyBody>(body)
                && let Ok(key) = read.key(owner, version)
            {
                assert_eq!(json["state"], key.state.to_string());
                let again = KeyBody::from(&key).key(key.owner.clone(), version);
                assert_eq!(again.as_ref(), Ok(&key));
            }
        }
        Some(RecordName::KeyId(_)) => {
            body_of::<KeyIdBody>(body);
        }
        Some(RecordName::Used(..)) => {
            body_of::<UsedBody>(body);
        }
        Some(RecordName::Usage(_)) => {
            body_of::<UsageBody>(body);
        }
        Some(RecordName::Clock) => {
            if let Some((read, json)) = body_of::<ClockBody>(body) {
                moment(read.system, &json["system"]);
                times(read.system, read.seconds);
            }
        }
        Some(RecordName::Receipt(..)) => {
            if let Some((read, _)) = body_of::<ReceiptBody>(body) {
                receipt(&read);
            }
        }
        Some(RecordName::Certificate(serial)) => {
            if let Some((read, json)) = body_of::<CertificateBody>(body) {
                let certificate = read.certificate(serial.clone());
                assert_eq!(certificate.serial, serial);
                same(&certificate.identity, &json["identity"]);
                moment(certificate.recorded, &json["recorded"]);
                moment(certificate.expires, &json["expires"]);
            }
        }
        Some(RecordName::Revocations) => {
            if let Some((read, json)) = body_of::<RevocationsBody>(body) {
                let Revocations {
                    number,
                    certificates,
                } = read.into();
                same(&number, &json["number"]);
                for (serial, Revoked { at, .. }) in certificates {
                    spelled(serial.as_str());
                    moment(at, &json["revoked"][serial.as_str()]["at"]);
                }
            }
        }
        Some(RecordName::Settings) => {
            if let Some((read, _)) = body_of::<Settings>(body) {
                settings(read);
            }
        }
        Some(RecordName::AuditHead) => {
            body_of::<HeadBody>(body);
            let first = serde_json::to_vec(&HeadBody::default()).expect("a head can be written");
            let (first, _) = body_of::<HeadBody>(&first).expect("what was written can be read");
            assert_eq!((first.count, first.hash.len()), (0, 64));
        }
        Some(RecordName::Audit(_)) => {
            let read = body_of::<AuditBody>(body);
            let entry = Entry::from_body(body);
            assert_eq!(read.is_some(), entry.is_ok());
            if let (Some((read, json)), Ok(entry)) = (read, entry) {
                assert_eq!(entry.body.as_bytes(), body);
                assert_eq!(entry.hash, Entry::hash_of(body));
                same(&entry.number, &json["number"]);
                moment(entry.at, &json["at"]);
                assert_eq!((entry.by, entry.previous), (read.by, read.previous));
                assert_eq!(entry.event, read.event);
            }
        }
        Some(_) => {}
        None => {
            if let Ok(text) = str::from_utf8(body) {
                spelled(text);
                named(text);
            }
        }
    }
}

/// A body, and what any reader of JSON makes of what it is written as.
fn body_of<T: Serialize + DeserializeOwned>(body: &[u8]) -> Option<(T, Value)> {
    let read: T = serde_json::from_slice(body).ok()?;
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    let again = serde_json::to_vec(&again).expect("it can be written again");
    assert_eq!(again, written);
    let json = serde_json::from_slice(&written).expect("what was written is JSON");
    // Of what is said in the body itself nothing is lost, and nothing is added but what was left out.
    if let Ok(Value::Object(said)) = serde_json::from_slice(body) {
        let Value::Object(kept) = &json else {
            panic!("a body is an object");
        };
        assert!(said.keys().all(|key| kept.contains_key(key)));
    }
    Some((read, json))
}

fn same<T: Serialize>(read: &T, json: &Value) {
    let read = serde_json::to_value(read).expect("a field can be written");
    assert_eq!(read, *json);
}

/// RFC 3339 sorts as the time does.
fn moment(at: Timestamp, json: &Value) {
    assert_eq!(Some(at.seconds()), json.as_u64());
    let shown = at.to_string();
    assert_eq!(shown.len(), "9999-12-31T23:59:59Z".len(), "{shown}");
    let next = at.plus(Duration::from_secs(1));
    assert!(shown <= next.to_string());
}

/// What is counted from a time, by hand.
fn times(at: Timestamp, seconds: u64) {
    let last = Timestamp::from_seconds(253_402_300_799).expect("it is in the year 9999");
    let until = (last.seconds() - at.seconds()).min(seconds);
    let later = at.plus(Duration::from_secs(seconds));
    assert_eq!(later.since(at).as_secs(), until);
    assert_eq!(at.since(later), Duration::ZERO);
    assert_eq!(at.day(), at.seconds() / 86_400);
    let [.., high, low] = seconds.to_be_bytes();
    let days = u16::from_be_bytes([high, low]);
    let period = Duration::from_secs(u64::from(days) * 86_400);
    assert_eq!(at.plus_days(days), at.plus(period));
}

/// Whoever the list names is permitted, and nobody else.
fn permitted(clients: &Permitted, json: &Value) {
    let nobody: ClientId = "nobody".parse().expect("it can be an id");
    match json.as_array() {
        None => {
            assert_eq!(json, "*");
            assert!(clients.permits(&nobody));
        }
        Some(ids) => {
            let ids: Vec<ClientId> = ids
                .iter()
                .filter_map(|id| id.as_str()?.parse().ok())
                .collect();
            assert!(ids.iter().all(|id| clients.permits(id)));
            assert_eq!(clients.permits(&nobody), ids.contains(&nobody));
        }
    }
}

/// A receipt is good for its statement alone, and for whom it was signed by.
fn receipt(read: &ReceiptBody) {
    let key = SigningKey::from_seed(&[1; 32]).expect("a seed has 32 bytes");
    let other = SigningKey::generate().expect("there is randomness");
    let again = SigningKey::from_seed(&other.seed()).expect("it is a seed");
    assert_eq!(again.public(), other.public());
    if let Some(stated) = read.verify(&key.public()) {
        assert_eq!(serde_json::from_str(&read.statement).ok(), Some(stated));
        assert_eq!(read.verify(&other.public()), None);
    }
    // What is written where a key stands is no key, or none that has signed.
    assert_eq!(read.verify(&read.signature), None);
    let Ok(stated) = serde_json::from_str::<Receipt>(&read.statement) else {
        return;
    };
    let signed = key.sign(&stated);
    assert_eq!(signed.verify(&key.public()).as_ref(), Some(&stated));
    assert_eq!(signed.verify(&other.public()), None);
    let altered = ReceiptBody {
        statement: format!("{} ", signed.statement),
        ..signed
    };
    assert_eq!(altered.verify(&key.public()), None);
}

/// A serial number, however it is spelled.
fn spelled(text: &str) {
    let digits = text.replace(':', "");
    let number = digits.trim_start_matches('0').to_ascii_lowercase();
    let padded = format!("{}{number}", "0".repeat(number.len() % 2));
    let is_one = digits.bytes().all(|it| it.is_ascii_hexdigit())
        && digits.len() <= 42
        && (2..=40).contains(&padded.len());
    let serial = text.parse::<Serial>();
    assert_eq!(
        serial.as_ref().map(Serial::as_str).ok(),
        is_one.then_some(padded.as_str()),
        "{text}"
    );
    // In a record it has one spelling.
    let strict = Serial::try_from(text.to_owned()).map(String::from);
    assert_eq!(
        strict.ok(),
        serial.ok().map(|it| it.to_string()).filter(|it| it == text)
    );
}

/// What can be a setting's name or value.
fn named(text: &str) {
    let name = text.parse::<SettingName>();
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    let first = text.bytes().next();
    let is_name = first.is_some_and(|it| it.is_ascii_lowercase())
        && text.len() <= 64
        && text.bytes().all(known);
    written(name, is_name, text);
    let value = text.parse::<SettingValue>();
    let is_value = (1..=256).contains(&text.len()) && !text.contains(char::is_control);
    written(value, is_value, text);
}

fn written<T: ToString + Debug, E: Debug>(read: Result<T, E>, can_be: bool, text: &str) {
    assert_eq!(read.is_ok(), can_be, "{text}");
    if let Ok(read) = read {
        assert_eq!(read.to_string(), text);
    }
}

/// Of each two settings one is taken back, and the other becomes the name of the first; then one is
/// set that is there already, which changes nothing.
fn settings(before: Settings) {
    let names: Vec<SettingName> = before.set.keys().cloned().collect();
    let mut changes = BTreeMap::new();
    let mut expected: BTreeMap<&str, &str> = BTreeMap::new();
    let mut changed = 0;
    for pair in names.chunks(2) {
        let [gone, other @ ..] = pair else {
            continue;
        };
        changes.insert(gone.clone(), None);
        changed += 1;
        if let [other] = other {
            let value: SettingValue = gone.as_str().parse().expect("a name can be a value");
            changed += u64::from(before.set[other.as_str()].value != value);
            changes.insert(other.clone(), Some(value));
            expected.insert(other.as_str(), gone.as_str());
        }
    }
    let after = before.clone().with(&changes, "somebody");
    let set = after.set.iter();
    let set: BTreeMap<&str, &str> = set
        .map(|(name, it)| (name.as_str(), it.value.as_str()))
        .collect();
    assert_eq!(set, expected);
    assert_eq!(after.number, before.number.saturating_add(changed));
    let last = after.last.as_ref().map(|last| last.by.as_str());
    match changed {
        0 => assert_eq!(after, before),
        _ => assert_eq!(last, Some("somebody")),
    }
    let same = after.set.iter();
    let same = same.map(|(name, it)| (name.clone(), Some(it.value.clone())));
    assert_eq!(after.clone().with(&same.collect(), "somebody else"), after);
}
