//! Settings that a fleet shares.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use pgseal_keystore::{Error, Event, MAX_SETTINGS, SettingName, SettingValue, Settings};

use super::Place;

/// Changes: what is given nothing is taken back.
fn changes(of: &[(&str, &str)]) -> BTreeMap<SettingName, Option<SettingValue>> {
    let change = |(name, value): &(&str, &str)| {
        let value = (!value.is_empty()).then(|| value.parse().unwrap());
        (name.parse().unwrap(), value)
    };
    of.iter().map(change).collect()
}

fn change(place: &Place, by: &str, of: &[(&str, &str)]) -> Settings {
    let store = place.again();
    store.by(by).change_settings(&changes(of), None).unwrap()
}

#[test]
fn settings_are_set_and_taken_back_and_counted_and_the_log_says_from_what_to_what() {
    let place = Place::new();
    assert_eq!(place.store.settings().unwrap(), Settings::default());
    let since = place.store.revision().unwrap();
    change(&place, "one", &[("zone_mode", "on"), ("log.level", "warn")]);
    assert!(place.store.changes(since).unwrap().settings());
    change(&place, "other", &[("zone_mode", "mixed")]);
    let settings = change(&place, "third", &[("log.level", "")]);
    assert_eq!(settings, place.store.settings().unwrap());
    assert_eq!(settings.number, 4);
    assert_eq!(settings.last.unwrap().by, "third");
    let set: Vec<_> = settings
        .set
        .iter()
        .map(|(name, it)| (name.as_str(), it.value.as_str(), it.by.as_str()))
        .collect();
    assert_eq!(set, [("zone_mode", "mixed", "other")]);

    let entries = place.store.audit(4, 100).unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| match &entry.event {
            Event::SettingChanged { name, from, to } => {
                let [from, to] = [from, to].map(|value| value.as_ref().map(SettingValue::as_str));
                format!("{}: {name} {from:?} {to:?}", entry.by)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"one: log.level None Some("warn")"#,
            r#"one: zone_mode None Some("on")"#,
            r#"other: zone_mode Some("on") Some("mixed")"#,
            r#"third: log.level Some("warn") None"#,
        ]
    );
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn what_is_so_already_changes_nothing() {
    let place = Place::new();
    let set = change(&place, "one", &[("zone_mode", "on")]);
    let before = place.store.revision().unwrap();
    assert_eq!(
        change(&place, "other", &[("zone_mode", "on"), ("a", "")]),
        set
    );
    assert_eq!(place.store.revision().unwrap(), before);
}

#[test]
fn who_expects_another_number_hears_who_changed_it_and_changes_nothing() {
    let place = Place::new();
    let seen = place.store.settings().unwrap().number;
    change(&place, "operator alice@host", &[("zone_mode", "on")]);
    let before = place.store.revision().unwrap();
    let changes = changes(&[("zone_mode", "off"), ("log.level", "debug")]);
    let bob = place.store.by("operator bob@host");
    let error = bob.change_settings(&changes, Some(seen)).unwrap_err();
    assert!(matches!(
        &error,
        Error::SettingsChanged { expected: 0, found: 1, last: Some(last) }
            if last.by == "operator alice@host"
    ));
    let error = error.to_string();
    assert!(
        error.starts_with("the settings were changed meanwhile by operator alice@host ("),
        "{error}"
    );
    assert_eq!(place.store.revision().unwrap(), before);
    let settings = bob.change_settings(&changes, Some(1)).unwrap();
    assert_eq!(settings.number, 3);
}

#[test]
fn of_many_who_have_seen_the_same_number_one_changes_it() {
    let place = Place::new();
    let together = Barrier::new(4);
    let done: Vec<_> = thread::scope(|scope| {
        let one = |who: usize| {
            let (store, together) = (place.again(), &together);
            scope.spawn(move || {
                let value = format!("of-{who}");
                let changes = changes(&[("mode", &value)]);
                together.wait();
                let author = store.by(value.as_str());
                author.change_settings(&changes, Some(0)).is_ok()
            })
        };
        let all: Vec<_> = (0..4).map(one).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    let settings = place.store.settings().unwrap();
    let winner = done.iter().position(|done| *done).unwrap();
    assert_eq!(settings.set["mode"].value.as_str(), format!("of-{winner}"));
    assert_eq!(settings.number, 1);
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn as_many_as_one_change_takes_are_changed_and_more_are_refused_whole() {
    let place = Place::new();
    let named = |count: usize| -> BTreeMap<SettingName, Option<SettingValue>> {
        let one = |number: usize| (format!("s{number}").parse().unwrap(), "1".parse().ok());
        (0..count).map(one).collect()
    };
    let author = place.author();
    let error = author.change_settings(&named(MAX_SETTINGS + 1), None);
    assert!(matches!(error, Err(Error::TooManySettings(_))));
    assert_eq!(place.store.settings().unwrap().number, 0);
    let settings = author.change_settings(&named(MAX_SETTINGS), None).unwrap();
    assert_eq!(settings.set.len(), MAX_SETTINGS);
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn settings_that_were_taken_away_altered_or_put_back_are_found_by_name() {
    let place = Place::new();
    let empty = place.value("settings").unwrap();
    change(&place, "one", &[("zone_mode", "on")]);
    let on = place.value("settings").unwrap();
    change(&place, "one", &[("zone_mode", "off")]);
    let off = place.value("settings").unwrap();
    // The values are those of before; that there were changes is told all the same.
    change(&place, "one", &[("zone_mode", "on")]);
    assert_eq!(place.faults(), Vec::<String>::new());
    let says = "record settings is not what the audit log says";
    for old in [empty, on, off] {
        place.set_value("settings", &old);
        assert_eq!(place.faults(), [says]);
    }
    place.set_value("settings", &[0; 80]);
    let error = place.again().settings().unwrap_err().to_string();
    assert!(error.starts_with("record settings in "), "{error}");
    let altered = place
        .author()
        .change_settings(&changes(&[("a", "1")]), None);
    assert_eq!(altered.unwrap_err().to_string(), error);
    assert!(place.faults()[0].starts_with("record settings in "));
    place.remove("settings");
    let error = place.again().settings().unwrap_err().to_string();
    assert!(error.starts_with("record settings is missing"), "{error}");
}
