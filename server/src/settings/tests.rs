use std::collections::BTreeMap;

use daemon::Layers;
use keystore::Setting;

use super::*;
use crate::config::{Config, KEYS};

/// What a file and flags of a server say.
fn configured(flags: &[&str]) -> Configured {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "store = 's'\nzone_mode = 'on'\nmax_open_row = '1MiB'\n\
                [tls]\ncertificate = 'c'\nprivate_key = 'k'\nca = 'a'\n\
                [database]\naddress = 'd:1'\n";
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let arguments = ["test", "--config", path]
        .into_iter()
        .chain(flags.iter().copied());
    let layers = Layers::from_arguments(clap::Command::new("test"), KEYS, "/none", arguments);
    let loaded = layers.unwrap().load::<Config>().unwrap();
    Configured::new(&loaded.config, loaded.origins).unwrap()
}

/// What the store says, at its change of this number.
fn record(number: u64, set: &[(&str, &str)]) -> Record {
    let setting = |(name, value): &(&str, &str)| {
        let setting = Setting {
            value: value.parse().unwrap(),
            by: "operator a@b".into(),
            at: keystore::Timestamp::from_seconds(0).unwrap(),
        };
        (name.parse().unwrap(), setting)
    };
    Record {
        number,
        last: None,
        set: set.iter().map(setting).collect::<BTreeMap<_, _>>(),
    }
}

fn altered() -> Error {
    Error::Altered {
        path: "store.db".into(),
        record: "settings".into(),
    }
}

/// Hears a record. Answers the mode that is applied, if any is.
fn hear(settings: &Settings, read: Result<Record, Error>) -> Option<String> {
    let mut applied = None;
    settings.hear(read, |live| applied = Some(live.zone_mode.to_string()));
    applied
}

/// The value and origin of a setting.
fn shown(settings: &Settings, name: &str) -> (String, control::Origin) {
    let view = settings.view();
    let one = view.settings.into_iter().find(|one| one.name == name);
    one.map(|one| (one.value, one.origin)).unwrap()
}

#[test]
fn the_process_beats_the_store_and_the_store_the_file_and_the_file_the_default() {
    let record = record(
        1,
        &[
            ("zone_mode", "mixed"),
            ("log.level", "debug"),
            ("max_stale", "1h"),
        ],
    );
    let settings = Settings::new(configured(&["--log-level", "warn"]), Ok(record)).unwrap();
    use control::Origin::{Default, File, Fixed, Store};
    for (name, value, origin) in [
        ("log.level", "warn", Fixed),
        ("zone_mode", "mixed", Store),
        ("max_stale", "1h", Store),
        ("max_open_row", "1MiB", File),
        ("open_memory", "512MiB", Default),
    ] {
        assert_eq!(shown(&settings, name), (value.to_owned(), origin), "{name}");
    }
    let view = settings.view();
    let level = view
        .settings
        .iter()
        .find(|one| one.name == "log.level")
        .unwrap();
    assert_eq!(level.place.as_deref(), Some("--log-level"));
    assert_eq!(level.stored.as_ref().unwrap().value, "debug");
    assert!(!settings.unknown());
}

#[test]
fn a_record_that_cannot_be_taken_changes_nothing_until_it_can() {
    let settings = Settings::new(configured(&[]), Ok(record(1, &[]))).unwrap();
    for (number, wrong, says) in [
        (
            2,
            ("of_tomorrow", "1"),
            "of_tomorrow: this program knows no such setting",
        ),
        (3, ("on_refused", "shout"), "on_refused: `shout` is none of"),
        // It does not go with the file's max_open_row.
        (
            4,
            ("open_memory", "2MiB"),
            "open_memory: 2097152 bytes are too little",
        ),
    ] {
        let record = record(number, &[("zone_mode", "off"), wrong]);
        assert_eq!(hear(&settings, Ok(record)), None);
        let status = settings.status();
        assert_eq!((status.number, status.taken), (Some(number), Some(1)));
        assert!(status.problem.unwrap().contains(says), "{says}");
        assert_eq!(shown(&settings, "zone_mode").0, "on");
        assert!(!settings.unknown(), "sessions go on under what was before");
    }
    assert_eq!(
        hear(&settings, Ok(record(5, &[("zone_mode", "off")]))).as_deref(),
        Some("off")
    );
    assert_eq!(settings.status().problem, None);
}

#[test]
fn a_server_that_could_take_no_record_yet_does_not_know_its_settings() {
    let wrong = record(7, &[("of_tomorrow", "1")]);
    let settings = Settings::new(configured(&[]), Ok(wrong)).unwrap();
    assert!(settings.unknown());
    hear(&settings, Ok(record(8, &[])));
    assert!(!settings.unknown());
}

#[test]
fn an_altered_record_and_one_that_went_back_are_not_relied_on() {
    let settings = Settings::new(configured(&[]), Ok(record(3, &[("zone_mode", "off")]))).unwrap();
    assert_eq!(hear(&settings, Err(altered())), None);
    assert!(settings.unknown());
    assert_eq!(shown(&settings, "zone_mode").0, "off", "what runs goes on");
    assert_eq!(
        hear(&settings, Ok(record(3, &[("zone_mode", "off")]))),
        None
    );
    assert!(!settings.unknown());
    assert_eq!(
        hear(&settings, Ok(record(2, &[("zone_mode", "mixed")]))),
        None
    );
    assert!(settings.unknown());
    assert!(
        settings
            .status()
            .problem
            .unwrap()
            .contains("went back from number 3 to 2")
    );
    assert!(Settings::new(configured(&[]), Err(altered())).is_err());
}

#[test]
fn another_configuration_is_taken_only_with_what_the_store_says() {
    let stored = record(1, &[("open_memory", "3MiB")]);
    let settings = Settings::new(configured(&[]), Ok(stored)).unwrap();
    let longer = configured(&["--max-open-row", "2MiB"]);
    assert!(settings.admits(&longer).is_err());
    hear(&settings, Ok(record(2, &[("open_memory", "6MiB")])));
    settings.admits(&longer).unwrap();
    let mut applied = None;
    settings.configure(longer, |live| applied = Some(live.max_open_row.0));
    assert_eq!(applied, Some(2 << 20));
    // And what could not be taken with the one is taken with the other.
    hear(&settings, Ok(record(3, &[("open_memory", "3MiB")])));
    assert!(settings.status().problem.is_some());
    settings.configure(configured(&[]), |live| applied = Some(live.open_memory.0));
    assert_eq!((settings.status().problem, applied), (None, Some(3 << 20)));
}
