//! The master key: where it comes from, and what is wrong with it, without saying it.

use std::fs;

use harness::Keys;

use super::{Place, SERVER, set_mode};

#[test]
fn what_is_wrong_with_the_master_key_is_said_without_it() {
    let place = Place::new();
    let file = place.keys.master_key_file();
    let other = Keys::new().keymaker(&["client", "list"]);
    assert_eq!(other.code, Some(0));
    let none = place
        .dir
        .write_private("none.key", "canary, and no master key\n");
    let empty = place.dir.write_private("empty.key", "");
    let loose = place.dir.write("loose.key", fs::read(&file).unwrap());
    set_mode(&loose, 0o644);
    let from = |path: &std::path::Path| format!("master_key_file = '{}'", path.display());
    for (changes, says) in [
        (
            vec![from(&none)],
            "none.key holds no master key, which reads `pgseal-master-1.` and",
        ),
        (vec![from(&empty)], "empty.key holds no master key"),
        (
            vec![from(&loose)],
            "loose.key is open to other users (mode 0644); run `chmod 600 ",
        ),
        (
            vec![from(&place.dir.join("missing.key"))],
            "missing.key does not exist",
        ),
        (
            vec!["master_key_file".into()],
            "there is no master key: set master_key_file or master_key_command, or put it into PGSEAL_MASTER_KEY",
        ),
        (
            vec!["master_key_command = 'echo canary'".into()],
            "master_key_file and master_key_command are both set; set one",
        ),
        (
            vec![
                "master_key_file".into(),
                "master_key_command = 'echo canary'".into(),
            ],
            "the output of the master key command holds no master key",
        ),
        (
            vec![
                "master_key_file".into(),
                "master_key_command = 'cat canary.key 2>/dev/null'".into(),
            ],
            "the master key command failed (exit status: 1)",
        ),
    ] {
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let error = place.refuses(&place.program(SERVER, &changes), 2);
        assert!(error.contains(says), "{changes:?}: {error}");
    }
    let in_environment = place
        .program(SERVER, &["master_key_file"])
        .env("PGSEAL_MASTER_KEY", "canary");
    let error = place.refuses(&in_environment, 2);
    assert!(
        error.starts_with("PGSEAL_MASTER_KEY holds no master key"),
        "{error}"
    );
}

#[test]
fn another_stores_master_key_is_told_from_a_damaged_store() {
    let (place, other) = (Place::new(), Place::new());
    // All stores of the tests are copies of one: this one is made anew.
    let fresh = other.dir.join("fresh.key");
    let init = harness::Program::named("pgseal-keymaker").arg("init");
    let passphrase = other
        .dir
        .write_private("passphrase", "long enough a passphrase");
    let (store, ca) = (other.dir.join("fresh.db"), other.dir.join("ca"));
    let init = init
        .arg("--store")
        .arg(store)
        .arg("--master-key-file")
        .arg(&fresh);
    let init = init
        .arg("--ca-dir")
        .arg(ca)
        .arg("--ca-passphrase-file")
        .arg(passphrase);
    init.run().success();
    let line = format!("master_key_file = '{}'", fresh.display());
    let error = place.refuses(&place.program(SERVER, &[&line]), 1);
    assert!(error.starts_with("wrong master key for "), "{error}");
}

#[test]
fn every_way_to_give_the_master_key_opens_the_store() {
    let place = Place::new();
    let file = place.keys.master_key_file();
    let key = fs::read_to_string(&file).unwrap();
    let command = format!("master_key_command = 'cat {}'", file.display());
    let check = |changes: &[&str]| place.program(SERVER, changes).arg("--check-config");
    check(&[]).run().success();
    check(&["master_key_file", &command]).run().success();
    let in_environment = check(&["master_key_file"]).env("PGSEAL_MASTER_KEY", key.trim());
    in_environment.run().success();
}
