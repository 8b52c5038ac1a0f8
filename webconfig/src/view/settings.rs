//! Settings: each with its value on every server, and what it can be changed to.

use askama::Template;
use control::{AuditEntry, LiveSetting, Origin, SettingView};

use super::Frame;
use super::activity::moment;
use super::mode::{last, newest, origin};
use super::words::count;
use crate::audit::History;
use crate::fleet::Seen;

/// The page. It does not change by itself: what is sent is about what was seen.
#[derive(Template)]
#[template(path = "settings.html")]
pub struct SettingsPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The number of the settings that are shown.
    pub number: Option<u64>,
    /// Who changed settings last, and when.
    pub last: Option<(String, String)>,
    pub settings: Vec<Row>,
    /// What was changed before is known.
    pub is_history_known: bool,
    /// There were changes before those that are shown.
    pub has_earlier: bool,
}

/// A setting.
pub struct Row {
    pub name: String,
    pub help: String,
    pub default: String,
    /// How values are written,
    pub values: String,
    /// or which there are.
    pub choices: Vec<String>,
    /// What holds, on which servers, and why.
    pub held: Vec<Held>,
    /// What the form begins with.
    pub value: String,
    /// Who set it in the store, and when.
    pub stored: Option<(String, String)>,
    /// Why it cannot be changed.
    pub fixed: Option<String>,
    /// How it was changed in the store, the newest first.
    pub history: Vec<Change>,
    /// How often, in words.
    pub times: String,
}

/// A change of a setting in the store.
#[derive(Clone)]
pub struct Change {
    pub from: Option<String>,
    pub to: Option<String>,
    pub by: String,
    pub at: String,
}

/// A value that holds.
pub struct Held {
    pub value: String,
    pub origin: String,
    /// The servers; empty where it is all of them.
    pub servers: String,
}

impl<'a> SettingsPage<'a> {
    /// As the servers said last.
    pub fn new(frame: Frame<'a>, seen: &[Seen], history: Option<&History>) -> Self {
        let newest = newest(seen);
        let changes = changes(history);
        let row = |setting: &SettingView| {
            let of_it = changes.iter().filter(|(name, _)| *name == setting.name);
            row(
                setting,
                seen,
                of_it.map(|(_, change)| change.clone()).collect(),
            )
        };
        let settings = newest.map(|it| it.settings.iter().map(row).collect());
        Self {
            number: newest.and_then(|it| it.number),
            last: newest.and_then(last),
            settings: settings.unwrap_or_default(),
            is_history_known: history.is_some(),
            has_earlier: history.is_some_and(|it| it.has_more),
            frame,
        }
    }
}

/// The changes that the log tells of, each with the setting's name.
fn changes(history: Option<&History>) -> Vec<(String, Change)> {
    let entries = history.iter().flat_map(|history| &history.entries);
    let change = |entry: &AuditEntry| {
        let said = entry.read()?;
        let text = |name: &str| said.what.get(name)?.as_str().map(str::to_owned);
        let change = Change {
            from: text("from"),
            to: text("to"),
            at: moment(said.at)?,
            by: said.by.clone(),
        };
        Some((text("name")?, change))
    };
    entries.filter_map(change).collect()
}

fn row(setting: &SettingView, seen: &[Seen], history: Vec<Change>) -> Row {
    let on = |it: &'_ Seen| -> Option<SettingView> {
        let all = &it.known.settings.as_ref()?.settings;
        all.iter().find(|it| it.name == setting.name).cloned()
    };
    let mut held: Vec<(String, String, Vec<&str>)> = Vec::new();
    let mut fixed = None;
    for it in seen {
        let Some(there) = on(it) else { continue };
        let origin = origin(&there);
        if there.origin == Origin::Fixed {
            fixed = Some(format!(
                "Fixed on {} by {}, which beats the store: take it away there and restart that \
                 server to change it here.",
                it.address,
                there.place.as_deref().unwrap_or("its command line")
            ));
        }
        match held
            .iter_mut()
            .find(|(value, from, _)| *value == there.value && *from == origin)
        {
            Some((_, _, servers)) => servers.push(&it.address),
            None => held.push((there.value, origin, vec![&it.address])),
        }
    }
    let is_one = held.len() == 1;
    let held = held.into_iter().map(|(value, origin, servers)| Held {
        value,
        origin,
        servers: match is_one {
            true => String::new(),
            false => servers.join(", "),
        },
    });
    let stored = setting.stored.as_ref();
    let is_known = LiveSetting::named(&setting.name).is_ok();
    let words = setting
        .values
        .contains('|')
        .then(|| setting.values.split('|'));
    Row {
        name: setting.name.clone(),
        help: setting.help.clone(),
        default: setting.default.clone(),
        values: match setting.values.as_str() {
            "SIZE" => "as 4096, 64KiB, 64MiB or 2GiB".into(),
            "PERIOD" => "as 500ms, 10s, 5m or 2h".into(),
            values => values.to_owned(),
        },
        choices: words
            .map(|it| it.map(str::to_owned).collect())
            .unwrap_or_default(),
        held: held.collect(),
        value: stored.map_or(&setting.value, |it| &it.value).clone(),
        stored: stored.map(|it| (it.by.clone(), it.at.clone())),
        times: count(history.len(), "change", "changes"),
        history,
        fixed: fixed.or_else(|| (!is_known).then(|| "This program does not know it.".into())),
    }
}
