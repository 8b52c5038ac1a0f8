//! `init`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use keystore::{MasterKey, Store};

use crate::support::{PASSPHRASE, Place, files, mode, set_mode};

const INIT: &str = "init --store store.db --master-key-file master.key --ca-dir ca";

#[test]
fn it_makes_a_master_key_a_store_and_a_ca_and_says_what_comes_next() {
    let place = Place::empty();
    let text = place.ok(INIT);
    let paths: Vec<_> = files(place.directory.path());
    let names: Vec<_> = paths
        .iter()
        .map(|(path, ..)| path.strip_prefix(place.directory.path()).unwrap())
        .collect();
    let expected = ["ca", "ca/ca.crt", "ca/ca.key", "master.key", "store.db"];
    assert_eq!(names, expected.map(Path::new));
    for (name, expected) in [
        ("ca", 0o700),
        ("ca/ca.key", 0o600),
        ("master.key", 0o600),
        ("store.db", 0o600),
    ] {
        assert_eq!(mode(&place.path(name)), expected, "{name}");
    }
    let master = fs::read_to_string(place.path("master.key")).unwrap();
    assert_eq!(master.len(), "pgseal-master-1.".len() + 43 + 1);
    for part in [
        "store           store.db\n",
        "Keep a copy of the master key",
        "pgseal-keymaker client add app --store store.db --master-key-file master.key\n",
        "pgseal-keymaker cert server server-1 --ca-dir ca --out-dir certs\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains(master.trim_end()) && !text.contains(PASSPHRASE));
    // What it tells to do next works as it stands.
    let next = text
        .lines()
        .filter_map(|line| line.strip_prefix("  pgseal-keymaker "));
    let next: Vec<_> = next.map(|line| place.ok(line)).collect();
    assert_eq!(next.len(), 3);
}

#[test]
fn its_json_names_every_file() {
    let place = Place::empty();
    let answer = place.json(INIT);
    let master = MasterKey::from_file(&place.path("master.key")).unwrap();
    assert_eq!(answer["master_key_id"], master.id().to_string());
    for (field, file) in [
        ("store", "store.db"),
        ("master_key_file", "master.key"),
        ("ca_certificate", "ca/ca.crt"),
        ("ca_key", "ca/ca.key"),
    ] {
        assert_eq!(answer[field], file);
    }
    assert_eq!(answer["ca_fingerprint"].as_str().unwrap().len(), 95);
    assert!(answer["ca_expires"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn it_overwrites_nothing() {
    for (taken, says) in [
        ("store.db", "store.db exists already"),
        ("store.db-wal", "store.db-wal exists already"),
        ("master.key", "master.key holds no master key"),
        ("ca/ca.crt", "ca/ca.crt exists already"),
        ("ca/ca.key", "ca/ca.key is not an encrypted private key"),
    ] {
        let place = Place::empty();
        fs::create_dir(place.path("ca")).unwrap();
        fs::write(place.path(taken), "mine").unwrap();
        set_mode(&place.path(taken), 0o600);
        let error = place.fails(1, INIT);
        assert!(error.starts_with(says), "{error}");
    }
    let place = Place::empty();
    symlink("nowhere", place.path("store.db")).unwrap();
    let output = place.run(INIT);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 1);
}

#[test]
fn a_second_run_changes_nothing() {
    let place = Place::filled();
    let error = place.fails(1, INIT);
    assert!(error.starts_with("store.db exists already"), "{error}");
}

#[test]
fn a_ca_and_a_master_key_that_are_there_are_used() {
    let place = Place::init();
    for gone in [["store.db"].as_slice(), &["store.db", "ca/ca.crt"]] {
        gone.iter()
            .for_each(|name| fs::remove_file(place.path(name)).unwrap());
        let kept = files(place.directory.path());
        let answer = place.json(INIT);
        assert_eq!(
            answer["found"],
            serde_json::json!({ "master_key": true, "ca": true })
        );
        for (path, mode, content) in kept {
            assert_eq!(
                fs::read(&path).unwrap_or_default(),
                content,
                "{path:?}, {mode:o}"
            );
        }
        place.ok(&format!("cert client {} --ca-dir ca", gone.len()));
    }
    fs::remove_file(place.path("store.db")).unwrap();
    let text = place.ok(INIT);
    assert!(
        text.contains("master.key, which was there already\n"),
        "{text}"
    );
    place.store_ok("client add app");
}

#[test]
fn keys_that_another_user_has_put_there_are_not_used() {
    if !rustix::process::geteuid().is_root() {
        // Only root can make files of others.
        return;
    }
    for (name, line) in [("master.key", INIT), ("ca/ca.key", INIT), ("app.key", CERT)] {
        let place = Place::init();
        if line == INIT {
            fs::remove_file(place.path("store.db")).unwrap();
        } else {
            place.ok(CERT);
            fs::remove_file(place.path("app.crt")).unwrap();
        }
        std::os::unix::fs::chown(place.path(name), Some(65_534), None).unwrap();
        let error = place.fails(1, line);
        assert!(error.contains("is no file of this user"), "{error}");
    }
}

const CERT: &str = "cert client app --ca-dir ca --out-dir .";

#[test]
fn a_failure_half_way_leaves_nothing_behind() {
    let place = Place::empty();
    // Directories are made where they are missing, which a file in the way prevents.
    fs::write(place.path("file"), "mine").unwrap();
    for line in [
        "init --store new/store.db --master-key-file file/m --ca-dir new/ca",
        "init --store file/store.db --master-key-file new/m --ca-dir ca",
        "init --store new/store.db --master-key-file m --ca-dir file/ca",
    ] {
        let error = place.fails(1, line);
        assert!(error.starts_with("cannot make file: "), "{error}");
    }
    let error = place.fails(1, "init --store store.db --master-key-file m --ca-dir file");
    assert!(error.starts_with("cannot make file: "), "{error}");
}

#[test]
fn missing_directories_are_made_and_closed_to_others() {
    let place = Place::empty();
    place.ok("init --store a/b/store.db --master-key-file keys/m --ca-dir far/ca");
    for (directory, mode) in [("a/b", 0o700), ("keys", 0o700), ("far/ca", 0o700)] {
        let found = fs::metadata(place.path(directory))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(found & 0o777, mode, "{directory}");
    }
}

#[test]
fn a_ca_beside_the_store_is_refused() {
    let place = Place::empty();
    for (store, ca) in [
        ("store.db", "."),
        ("./ca/../store.db", "../."),
        ("ca/store.db", "ca"),
        ("new/store.db", "new"),
    ] {
        fs::create_dir_all(place.path("ca")).unwrap();
        let ca = if ca == "../." {
            place.directory.path().to_str().unwrap().to_owned()
        } else {
            ca.to_owned()
        };
        let line = format!("init --store {store} --master-key-file m --ca-dir {ca}");
        let error = place.fails(1, &line);
        assert!(
            error.contains("keep the CA in a directory of its own"),
            "{error}"
        );
    }
}

#[test]
fn a_short_passphrase_is_refused() {
    let place = Place::empty();
    let mut command = place.command(INIT.split(' '));
    let error = place.command_fails(1, command.env("PGSEAL_CA_PASSPHRASE", "1234567"));
    assert_eq!(error, "the CA passphrase is shorter than 8 characters");
}

#[test]
fn a_master_key_from_elsewhere_is_used_and_not_written() {
    let place = Place::empty();
    let kept = Place::init();
    let file = kept.path("master.key");
    let text = fs::read_to_string(&file).unwrap().trim_end().to_owned();
    let by_command = format!("cat '{}'", file.display());
    let mut command = place.command(["init", "--store", "one.db", "--ca-dir", "ca1"]);
    command.args(["--json", "--master-key-command", &by_command]);
    let output = command.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["master_key_file"], serde_json::Value::Null);
    let mut command = place.command(["init", "--store", "two.db", "--ca-dir", "ca2"]);
    let output = command.env("PGSEAL_MASTER_KEY", &text).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("it came from elsewhere") && !said.contains(&text),
        "{said}"
    );
    for store in ["one.db", "two.db"] {
        let master = MasterKey::from_file(&file).unwrap();
        assert!(Store::open(place.path(store), master).is_ok());
    }
    assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 4);
}

#[test]
fn an_existing_ca_directory_is_used_as_it_is() {
    let place = Place::empty();
    fs::create_dir(place.path("ca")).unwrap();
    set_mode(&place.path("ca"), 0o750);
    place.ok(INIT);
    assert_eq!(mode(&place.path("ca")), 0o750);
}
