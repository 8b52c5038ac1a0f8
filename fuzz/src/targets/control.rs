//! Bodies of the control API, and the words in them: what is read is written and read again as the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use control::{
    AuditMark, AuditPage, AuditQuery, AuditVerified, BadSetting, ByteSize, CancelOutcome,
    CancelRequest, ClientChange, ClientCreation, ClientDetail, ClientsPage, Count, CountOrNone,
    Drain, ErrorBody, LIVE_SETTINGS, Live, LogLevel, NewZone, News, OnRefused, OwnerKey,
    OwnersQuery, Period, SessionsView, SettingsChange, SettingsView, Standing, Status, UserName,
    Why, WhyAnswer, ZoneChange, ZoneCreation, ZoneDetail, ZoneMode, ZoneRequest, ZonesPage,
    check_settings,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte says what the others are.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    if let Some(body) = BODIES.get(usize::from(*kind)) {
        return body(rest);
    }
    let Ok(text) = str::from_utf8(rest) else {
        return;
    };
    match kind {
        b'z' => word::<ZoneMode>(text),
        b'r' => word::<OnRefused>(text),
        b'l' => word::<LogLevel>(text),
        b'p' => word::<Period>(text),
        b's' => word::<ByteSize>(text),
        b'u' => user(text),
        _ => settings(text),
    }
}

/// By the first byte of an input: a new one goes to the end, or the corpus means something else.
const BODIES: &[fn(&[u8])] = &[
    body::<ZoneRequest>,
    body::<NewZone>,
    body::<OwnerKey>,
    body::<Status>,
    body::<ErrorBody>,
    body::<SettingsChange>,
    body::<SettingsView>,
    body::<Standing>,
    body::<Drain>,
    cancel,
    body::<CancelOutcome>,
    body::<SessionsView>,
    body::<News>,
    body::<Why>,
    body::<WhyAnswer>,
    body::<OwnersQuery>,
    body::<ClientsPage>,
    body::<ZonesPage>,
    body::<ClientDetail>,
    body::<ZoneDetail>,
    body::<ClientCreation>,
    body::<ClientChange>,
    body::<ZoneCreation>,
    body::<ZoneChange>,
    body::<AuditQuery>,
    body::<AuditPage>,
    body::<AuditMark>,
    body::<AuditVerified>,
    body::<Count>,
    body::<CountOrNone>,
    body::<ByteSize>,
    body::<Period>,
];

fn body<T: DeserializeOwned + Serialize + PartialEq + Debug>(json: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(json) else {
        return;
    };
    let again = serde_json::to_vec(&value).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<T>(&again).ok(), Some(value));
}

/// A secret, which cannot be compared: by what is written.
fn cancel(json: &[u8]) {
    let Ok(request) = serde_json::from_slice::<CancelRequest>(json) else {
        return;
    };
    let written = serde_json::to_value(&request).expect("what was read can be written");
    let read: CancelRequest = serde_json::from_value(written.clone()).expect("it was written");
    assert_eq!(serde_json::to_value(&read).ok(), Some(written));
}

fn word<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().ok(), Some(value));
    }
}

fn user(text: &str) {
    word::<UserName>(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    let is_name = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    match text.parse::<UserName>() {
        Ok(name) => assert!(is_name && name.as_str() == text),
        Err(_) => assert!(!is_name),
    }
}

/// Lines of `name = value`.
fn settings(text: &str) {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let pairs: Vec<_> = lines
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let checked = check_settings(pairs.iter().copied());
    let mut live = Live::default();
    for (name, value) in &pairs {
        let Some(setting) = LIVE_SETTINGS.iter().find(|it| it.name == *name) else {
            let unknown = Err(BadSetting::Unknown((*name).to_owned()));
            return assert_eq!(checked, unknown);
        };
        if let Err(error) = setting.set(&mut live, value) {
            assert_eq!(checked, Err(error));
            return;
        }
        let canonical = setting.canonical(value).expect("it was set");
        assert_eq!(canonical, setting.read(&live));
        assert_eq!(setting.canonical(&canonical).ok(), Some(canonical));
    }
    for setting in LIVE_SETTINGS {
        if !pairs.iter().any(|(name, _)| *name == setting.name) {
            assert_eq!(setting.read(&live), setting.default());
        }
    }
    // Of the two that bound each other one alone is not held to the other's default.
    let both = ["max_open_row", "open_memory"].map(|name| pairs.iter().any(|(it, _)| *it == name));
    if both == [true; 2] || both == [false; 2] {
        assert_eq!(checked, live.check());
    }
}
