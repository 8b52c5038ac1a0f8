//! The committed inputs, once each: what a fuzzer has found worth keeping holds in every ordinary
//! test run. `tests/fuzz.sh` looks for more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pgseal_fuzz::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    entries.map(|entry| name(entry).unwrap()).collect()
}

#[test]
fn every_target_holds_for_its_corpus() {
    for target in TARGETS {
        let folder = corpus().join(target.name);
        for name in names(&folder) {
            println!("{}/{name}", target.name);
            (target.run)(&fs::read(folder.join(&name)).unwrap());
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let targets = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(names(&corpus()), targets);
    for target in TARGETS {
        assert!(
            names(&corpus().join(target.name)).len() > 1,
            "{}",
            target.name
        );
    }
}

#[test]
fn every_target_names_files_that_there_are() {
    let root = corpus().join("../..");
    for path in TARGETS.iter().flat_map(|target| target.parsers) {
        assert!(root.join(path).is_file(), "{path}");
    }
}
