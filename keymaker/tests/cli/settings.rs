//! Live settings, as an operator changes them for a whole fleet.

use keystore::{SettingName, SettingValue};
use serde_json::{Value, json};

use crate::support::Place;

/// What `setting list` says of one setting.
fn listed(place: &Place, name: &str) -> Value {
    let list = place.store_json("setting list");
    let settings = list["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {list}")).clone()
}

/// Sets a setting that no program of today knows.
fn set_unknown(place: &Place) {
    let name: SettingName = "of_tomorrow".parse().unwrap();
    let value: SettingValue = "3".parse().unwrap();
    let store = place.open();
    let author = store.by("operator of@tomorrow");
    author
        .change_settings(&[(name, Some(value))].into(), None)
        .unwrap();
}

#[test]
fn a_setting_is_set_listed_and_taken_back() {
    let place = Place::init();
    let list = place.store_json("setting list");
    assert_eq!((&list["number"], &list["last"]), (&json!(0), &Value::Null));
    let mode = listed(&place, "zone_mode");
    assert_eq!(
        (&mode["value"], &mode["default"]),
        (&Value::Null, &json!("off"))
    );

    let text = place.store_ok("setting set zone_mode mixed");
    assert!(
        text.starts_with("setting       zone_mode\nvalue         mixed\n"),
        "{text}"
    );
    place.store_ok("setting set max_open_row 16384KiB");
    let mode = listed(&place, "zone_mode");
    assert_eq!(mode["value"], "mixed");
    assert!(
        mode["by"].as_str().unwrap().starts_with("operator "),
        "{mode}"
    );
    assert!(mode["at"].as_str().unwrap().ends_with('Z'), "{mode}");
    // Each value is kept in one of the ways to write it.
    assert_eq!(listed(&place, "max_open_row")["value"], "16MiB");

    let text = place.store_ok("setting list");
    assert!(
        text.starts_with("SETTING        VALUE  DEFAULT     SET BY"),
        "{text}"
    );
    assert!(
        text.contains("\nlog.level      -      info        -"),
        "{text}"
    );
    assert!(
        text.contains("\nnumber        2\nlast changed  operator "),
        "{text}"
    );

    let answer = place.store_json("setting reset zone_mode");
    assert_eq!(answer["number"], 3);
    assert_eq!(listed(&place, "zone_mode")["value"], Value::Null);
    let log = place.store_ok("audit list");
    for told in [
        "setting-changed name=zone_mode to=mixed\n",
        "setting-changed name=max_open_row to=16MiB\n",
        "setting-changed from=mixed name=zone_mode\n",
    ] {
        assert!(log.contains(told), "{log}");
    }
    assert!(
        place
            .store_ok("audit verify")
            .contains("No fault was found")
    );
}

#[test]
fn what_is_so_already_changes_nothing() {
    let place = Place::init();
    place.store_ok("setting set zone_mode on");
    let before = place.store_json("setting list");
    assert_eq!(place.store_json("setting set zone_mode on"), before);
    assert_eq!(place.store_json("setting reset on_refused"), before);
}

#[test]
fn values_that_no_server_could_take_are_refused_before_anything_is_written() {
    let place = Place::init();
    for (line, says) in [
        (
            "zone_mode sometimes",
            "zone_mode: `sometimes` is none of off, on, mixed",
        ),
        (
            "max_open_row 64MB",
            "max_open_row: `64MB` is no size; write it like",
        ),
        ("max_stale 4s", "max_stale: at least 5 s; "),
        (
            "zonemode on",
            "zonemode: this program knows no such setting; there are zone_mode, on_refused, ",
        ),
        (
            "Zone-Mode on",
            "invalid value 'Zone-Mode' for '<NAME>': not a setting's name: ",
        ),
    ] {
        let error = place.store_fails(2, &format!("setting set {line}"));
        assert!(error.starts_with(says), "{error}");
    }
    let error = place.store_fails(1, "setting reset zonemode");
    assert!(
        error.starts_with("there is no setting zonemode; "),
        "{error}"
    );
    // Each alone may be right somewhere; both together are right nowhere.
    place.store_ok("setting set open_memory 64MiB");
    let error = place.store_fails(2, "setting set max_open_row 32MiB");
    assert!(
        error.starts_with("open_memory: 67108864 bytes are too little"),
        "{error}"
    );
}

#[test]
fn who_has_seen_another_number_hears_who_changed_the_settings() {
    let place = Place::init();
    let seen = place.store_json("setting list")["number"].clone();
    let mut first =
        place.command(crate::support::with_store("setting set zone_mode on").split_whitespace());
    assert!(
        first
            .env("USER", "alice")
            .output()
            .unwrap()
            .status
            .success()
    );
    for line in ["set zone_mode off", "reset zone_mode"] {
        let error = place.store_fails(1, &format!("setting {line} --number {seen}"));
        let says = "the settings were changed meanwhile by operator alice@";
        assert!(error.starts_with(says), "{error}");
        assert!(error.contains("at number 1, and not 0 any more"), "{error}");
    }
    assert_eq!(listed(&place, "zone_mode")["value"], "on");
    place.store_ok("setting set zone_mode off --number 1");
}

#[test]
fn a_setting_of_a_newer_program_is_listed_and_can_be_taken_back() {
    let place = Place::init();
    set_unknown(&place);
    let unknown = listed(&place, "of_tomorrow");
    assert_eq!(
        (&unknown["value"], &unknown["default"]),
        (&json!("3"), &Value::Null)
    );
    let text = place.store_ok("setting list");
    assert!(
        text.contains("\nof_tomorrow    3      unknown here"),
        "{text}"
    );
    // It is in nobody's way.
    place.store_ok("setting set zone_mode on");
    place.store_ok("setting reset of_tomorrow");
    assert_eq!(
        place.store_json("setting list")["settings"]
            .as_array()
            .unwrap()
            .len(),
        8
    );
}
