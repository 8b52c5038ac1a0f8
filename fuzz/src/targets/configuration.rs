//! Each program's configuration: what its file says is what is loaded, and an error is one line.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::Command;
use daemon::{Failure, Key, Layers};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte says whose file the others are.
pub fn run(bytes: &[u8]) {
    let Some((program, text)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    fs::write(&*FILE, text).expect("a temporary file can be written");
    match program % 3 {
        0 => check(&SERVER, |config: &pgseal_server::config::Config| {
            config.databases().err()
        }),
        1 => check(&CONNECTOR, |config: &pgseal_connector::config::Config| {
            assert!(!config.listeners().is_empty());
            config.listed().err()
        }),
        _ => check(&WEBCONFIG, |config: &pgseal_webconfig::config::Config| {
            config.check().err()
        }),
    }
    fs::remove_file(&*FILE).expect("it was written");
}

/// Where this process writes what a program is to read.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("pgseal-fuzz-{}.toml", std::process::id());
    std::env::temp_dir().join(name)
});

// Made once: clap takes longer for it than anything else here.
static SERVER: LazyLock<Layers> = LazyLock::new(|| layers(pgseal_server::config::KEYS));
static CONNECTOR: LazyLock<Layers> = LazyLock::new(|| layers(pgseal_connector::config::KEYS));
static WEBCONFIG: LazyLock<Layers> = LazyLock::new(|| layers(pgseal_webconfig::config::KEYS));

fn layers(keys: &'static [Key]) -> Layers {
    let arguments = [
        "program".into(),
        "--config".into(),
        FILE.clone().into_os_string(),
    ];
    match Layers::from_arguments(Command::new("program"), keys, "", arguments) {
        Ok(layers) => layers,
        Err(_) => panic!("there is nothing wrong with the command line"),
    }
}

/// `wrong` says what each key alone does not show.
fn check<C: DeserializeOwned + Serialize>(layers: &Layers, wrong: fn(&C) -> Option<String>) {
    let loaded = match layers.load::<C>() {
        Ok(loaded) => loaded.config,
        Err(Failure::Usage(line)) => {
            return assert!(
                !line.contains(char::is_control),
                "it says in one line what is wrong: {line}"
            );
        }
        Err(_) => panic!("only the file is wrong"),
    };
    if let Some(line) = wrong(&loaded) {
        assert!(!line.contains(char::is_control), "it is one line: {line}");
    }
    let table = toml::Table::try_from(&loaded).expect("what was read can be written");
    let again: C = table
        .clone()
        .try_into()
        .expect("what was written can be read");
    assert_eq!(toml::Table::try_from(&again).ok(), Some(table));
}
