//! Zone mode: what it is on each server, and the switch for all of them.

use askama::Template;
use control::{Origin, SettingView, SettingsView, ZoneMode};
use tunnel::rfc3339;

use super::Frame;
use super::spark::rate;
use crate::app::App;
use crate::fleet::{Flow, Seen};

/// The page.
#[derive(Template)]
#[template(path = "zone-mode.html")]
pub struct ModePage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What changes by itself.
    pub part: ModePart<'a>,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "zone-mode-part.html")]
pub struct ModePart<'a> {
    pub modes: Vec<Choice>,
    pub servers: Vec<Row>,
    /// What each mode would do: of the fleet, then of each server.
    pub forecasts: Vec<Forecast>,
    /// A server is not heard: what holds there is from before.
    pub is_one_away: bool,
    /// The number of the settings that are shown: a change is of these. None where no server tells.
    pub number: Option<u64>,
    /// Who changed settings last, and when.
    pub last: Option<(String, String)>,
    /// Whose change can be undone.
    pub undo: Option<String>,
    pub may_change: bool,
    pub token: &'a str,
}

/// A mode that can be chosen.
pub struct Choice {
    pub name: &'static str,
    pub help: &'static str,
    /// It holds on every server that is heard.
    pub holds: bool,
    /// It is what the store says.
    pub is_stored: bool,
    /// What it would have done with the last minute's values.
    pub prospect: Option<Rate>,
}

/// What each mode would have done with the values of the last minute.
pub struct Forecast {
    /// Which values: a server's, or those of all.
    pub of: String,
    /// Of each mode, in the order of the choices; none where it is not known.
    pub modes: Vec<(&'static str, Option<Rate>)>,
}

/// Values per second, as text.
pub struct Rate {
    pub opened: String,
    pub refused: String,
}

/// A server.
pub struct Row {
    pub address: String,
    pub mode: Option<String>,
    pub origin: String,
    pub number: String,
    pub took: Option<String>,
    /// Why it is not as the others.
    pub problem: Option<String>,
}

const MODES: [(ZoneMode, &str); 3] = [
    (ZoneMode::Off, "Values sealed to a client are opened."),
    (ZoneMode::On, "Values sealed to a zone are opened."),
    (ZoneMode::Mixed, "Both are opened."),
];

impl<'a> ModePart<'a> {
    /// As it is now.
    pub fn new(app: &App, seen: &[Seen], may_change: bool, token: &'a str) -> Self {
        let newest = newest(seen);
        let number = newest.and_then(|it| it.number);
        let stored = newest
            .and_then(setting)
            .and_then(|it| it.stored.as_ref())
            .map(|it| it.value.clone());
        let heard = seen.iter().filter(|it| it.known.silent.is_none());
        let values: Vec<_> = heard
            .filter_map(|it| Some(setting(it.known.settings.as_ref()?)?.value.as_str()))
            .collect();
        let choice = |(mode, help): (ZoneMode, &'static str)| Choice {
            name: mode.name(),
            help,
            holds: !values.is_empty() && values.iter().all(|it| *it == mode.name()),
            is_stored: stored.as_deref() == Some(mode.name()),
            prospect: of_fleet(seen, mode),
        };
        Self {
            modes: MODES.map(choice).into(),
            is_one_away: seen.iter().any(|it| it.known.silent.is_some()),
            servers: seen.iter().map(|it| row(it, number)).collect(),
            forecasts: forecasts(seen),
            number,
            last: newest.and_then(last),
            undo: number
                .and_then(|number| app.undo(number))
                .map(|it| it.by.to_string()),
            may_change,
            token,
        }
    }
}

/// The whole fleet first, where there is more than one server.
fn forecasts(seen: &[Seen]) -> Vec<Forecast> {
    let of = |of: &str, rate: &dyn Fn(ZoneMode) -> Option<Rate>| Forecast {
        of: of.to_owned(),
        modes: MODES.map(|(mode, _)| (mode.name(), rate(mode))).into(),
    };
    let fleet = (seen.len() > 1).then(|| of("All servers", &|mode| of_fleet(seen, mode)));
    let servers = seen
        .iter()
        .map(|it| of(&it.address, &|mode| prospect(it, mode).map(text)));
    fleet.into_iter().chain(servers).collect()
}

/// Of the servers that are heard.
fn of_fleet(seen: &[Seen], mode: ZoneMode) -> Option<Rate> {
    let mut known = seen.iter().filter_map(|it| prospect(it, mode)).peekable();
    known.peek()?;
    Some(text(known.sum()))
}

fn prospect(seen: &Seen, mode: ZoneMode) -> Option<Flow> {
    let is_heard = seen.known.silent.is_none();
    seen.known.prospects.of(mode).filter(|_| is_heard)
}

fn text(flow: Flow) -> Rate {
    Rate {
        opened: rate(flow.opened),
        refused: rate(flow.refused),
    }
}

/// What the server says that knows the latest settings.
pub fn newest(seen: &[Seen]) -> Option<&SettingsView> {
    let views = seen.iter().filter_map(|it| it.known.settings.as_ref());
    views.max_by_key(|it| it.number)
}

/// Who changed the settings last, and when, as the audit log says it.
pub fn last(view: &SettingsView) -> Option<(String, String)> {
    let last = view.last.as_ref()?;
    Some((last.by.clone(), last.at.clone()))
}

fn setting(view: &SettingsView) -> Option<&SettingView> {
    view.settings.iter().find(|it| it.name == "zone_mode")
}

fn row(seen: &Seen, number: Option<u64>) -> Row {
    let known = &seen.known;
    let view = known.settings.as_ref();
    let mode = view.and_then(setting);
    let taken = view.and_then(|it| it.taken);
    let problem = match (&known.silent, view.and_then(|it| it.problem.clone())) {
        (Some(why), _) => Some(format!("Not heard: {why}")),
        (None, Some(why)) => Some(why),
        (None, None) => match (taken, number) {
            (Some(taken), Some(number)) if taken < number => Some("Not yet taken over.".into()),
            _ => None,
        },
    };
    Row {
        address: seen.address.clone(),
        mode: mode.map(|it| it.value.clone()),
        origin: mode.map_or_else(|| "not known".into(), origin),
        number: taken.map_or_else(|| "none".into(), |taken| taken.to_string()),
        took: known.took.map(rfc3339),
        problem,
    }
}

/// Where a setting's value comes from, in words.
pub fn origin(setting: &SettingView) -> String {
    let place = setting.place.as_deref().unwrap_or_default();
    match setting.origin {
        Origin::Default => "by default".into(),
        Origin::File => format!("its file: {place}"),
        Origin::Store => "the store".into(),
        Origin::Fixed => format!("fixed by {place}"),
    }
}
