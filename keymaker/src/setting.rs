//! `setting list`, `setting set` and `setting reset`.

use control::{LIVE_SETTINGS, LiveSetting, check_settings};
use keystore::{SettingName, SettingValue, Settings};
use serde::Serialize;

use crate::Error;
use crate::cli::setting as cli;
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};

pub fn run(command: cli::Setting, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Setting::List(args) => list(args, output),
        cli::Setting::Set(args) => set(args, output),
        cli::Setting::Reset(args) => reset(args, output),
    }
}

fn list(args: cli::SettingList, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let answer = SettingsAnswer::of(&store.settings()?);
    let text = Text::default()
        .table(&answer.settings)
        .line("")
        .fields(&answer.fields());
    output.answer(&answer, &text)
}

fn set(args: cli::SettingSet, output: &mut Output<'_>) -> Result<(), Error> {
    let wrong = |error: control::BadSetting| Error::Usage(format!("{error} (--help says more)"));
    let setting = LiveSetting::named(args.name.as_str()).map_err(|error| {
        let known: Vec<_> = LIVE_SETTINGS.iter().map(|setting| setting.name).collect();
        Error::Usage(format!("{error}; there are {}", known.join(", ")))
    })?;
    let value = setting.canonical(&args.value).map_err(wrong)?;
    let value: SettingValue = value.parse().expect("values of settings are short words");
    let store = open_store(args.store)?;
    let seen = store.settings()?;
    let others = seen.set.iter().filter(|(name, _)| **name != args.name);
    // What a newer program has set is not known to go with it, nor not to.
    let known = others.filter(|(name, _)| LiveSetting::named(name.as_str()).is_ok());
    let values = known.map(|(name, other)| (name.as_str(), other.value.as_str()));
    check_settings(values.chain([(setting.name, value.as_str())])).map_err(wrong)?;
    // What was checked is what is changed, if it goes with others.
    let expected = args.seen.number.unwrap_or(seen.number);
    let changes = [(args.name.clone(), Some(value))].into();
    let settings = store
        .by(operator())
        .change_settings(&changes, Some(expected))?;
    answer(&args.name, &settings, output)
}

fn reset(args: cli::SettingReset, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    if LiveSetting::named(args.name.as_str()).is_err()
        && !store.settings()?.set.contains_key(&args.name)
    {
        return Err(Error::UnknownSetting(args.name));
    }
    let changes = [(args.name.clone(), None)].into();
    let settings = store
        .by(operator())
        .change_settings(&changes, args.seen.number)?;
    answer(&args.name, &settings, output)
}

fn answer(name: &SettingName, settings: &Settings, output: &mut Output<'_>) -> Result<(), Error> {
    let answer = SettingsAnswer::of(settings);
    let value = match settings.set.get(name) {
        Some(setting) => setting.value.to_string(),
        None => "not set: as each server's configuration says".into(),
    };
    let mut fields = vec![("setting", name.to_string()), ("value", value)];
    fields.extend(answer.fields());
    let text = Text::default().fields(&fields).line("").line(
        "Servers take it over within a second; one that cannot says why in /health and its log.",
    );
    output.answer(&answer, &text)
}

#[derive(Serialize)]
struct SettingsAnswer {
    /// Counts the changes; `--number` takes it.
    number: u64,
    /// `null` before the first change.
    last: Option<LastAnswer>,
    settings: Vec<SettingLine>,
}

#[derive(Serialize)]
struct LastAnswer {
    by: String,
    at: String,
}

impl SettingsAnswer {
    fn of(settings: &Settings) -> Self {
        let line = |name: &str, known: Option<&LiveSetting>| {
            let set = settings.set.get(name);
            SettingLine {
                name: name.to_owned(),
                value: set.map(|set| set.value.to_string()),
                by: set.map(|set| set.by.clone()),
                at: set.map(|set| set.at.to_string()),
                default: known.map(LiveSetting::default),
                values: known.map(|known| known.values),
                help: known.map(|known| known.help),
            }
        };
        let known = LIVE_SETTINGS.iter().map(|it| line(it.name, Some(it)));
        let unknown = settings.set.keys().map(SettingName::as_str);
        let unknown = unknown.filter(|name| LiveSetting::named(name).is_err());
        let lines = known.chain(unknown.map(|name| line(name, None))).collect();
        SettingsAnswer {
            number: settings.number,
            last: settings.last.as_ref().map(|last| LastAnswer {
                by: last.by.clone(),
                at: last.at.to_string(),
            }),
            settings: lines,
        }
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("number", self.number.to_string())];
        fields.extend(self.last.as_ref().map(|last| {
            let by = format!("{}, {}", last.by, last.at);
            ("last changed", by)
        }));
        fields
    }
}

#[derive(Serialize)]
struct SettingLine {
    name: String,
    /// `null` where it is not set in the store.
    value: Option<String>,
    by: Option<String>,
    at: Option<String>,
    /// `null` for a setting that this program does not know, as the rest.
    default: Option<String>,
    values: Option<&'static str>,
    help: Option<&'static str>,
}

impl Line for SettingLine {
    const COLUMNS: &'static [&'static str] = &["SETTING", "VALUE", "DEFAULT", "SET BY", "SET AT"];

    fn cells(&self) -> Vec<String> {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let default = match &self.default {
            Some(default) => default.clone(),
            None => "unknown here".into(),
        };
        vec![
            self.name.clone(),
            or_none(&self.value),
            default,
            or_none(&self.by),
            or_none(&self.at),
        ]
    }
}
