//! Holds the documents to the program: its keys in docs/configuration.md, and its example file.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use pgseal_webconfig::config::{Config, KEYS};

const BEGIN: &str = "<!-- keys of pgseal-webconfig, made by webconfig/tests/reference.rs -->\n\n";
const END: &str = "\n<!-- end of keys of pgseal-webconfig -->";

/// With `PGSEAL_UPDATE_DOCS=1` the page is brought up to date instead.
#[test]
fn the_documented_keys_are_those_of_the_program() {
    let path = in_repository("docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let keys = daemon::reference(KEYS);
    let expected = format!("{before}{BEGIN}{keys}{END}{after}");
    if env::var_os("PGSEAL_UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "{} is out of date; run: PGSEAL_UPDATE_DOCS=1 cargo test -p pgseal-webconfig --test reference",
        path.display()
    );
}

#[test]
fn the_example_file_is_a_configuration() {
    let text = fs::read_to_string(in_repository("examples/config/webconfig.toml")).unwrap();
    toml::from_str::<Config>(&text).unwrap();
}

/// Set, or commented out with its default.
#[test]
fn the_example_file_names_every_key() {
    let text = fs::read_to_string(in_repository("examples/config/webconfig.toml")).unwrap();
    let mut table = String::new();
    let mut named = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            table = format!("{name}.");
        } else if let Some((name, _)) = line.split_once(" = ") {
            named.push(format!("{table}{name}"));
        }
    }
    let mut keys: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    keys.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, keys);
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
