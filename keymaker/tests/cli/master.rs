//! Changing the master key.

use std::fs;

use keystore::{MasterKey, Store};

use crate::support::{Place, mode, with_store};

const ROTATE: &str = "master rotate --new-master-key-file new.key";

fn with_new(line: &str) -> String {
    format!("{line} --store store.db --master-key-file new.key")
}

#[test]
fn a_change_is_made_shown_and_finished() {
    let place = Place::filled();
    let old = place.store_json("master show")["in_use"].clone();
    let text = place.store_ok(ROTATE);
    for part in [
        &format!(
            "replaced  {}, which opens the store too",
            old.as_str().unwrap()
        ),
        "new key   new.key\n",
        "on each host with a server",
        "  pgseal-keymaker master forget\n",
        "Backups of the store from before need the old key",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(mode(&place.path("new.key")), 0o600);
    // Both keys open it, until the old one is forgotten.
    let shown = place.store_json("master show");
    assert_eq!(shown["replaced"], old);
    assert_eq!(shown["given"], old);
    assert!(
        place
            .store_ok("master show")
            .contains("was replaced, and opens the store until")
    );
    let error = place.store_fails(1, "master forget");
    assert!(
        error.starts_with("this is the master key that is to be forgotten: give the new one"),
        "{error}"
    );
    place.ok(&with_new("client add fourth"));
    let text = place.ok(&with_new("master forget"));
    assert!(
        text.contains(&format!("forgotten  {}\n", old.as_str().unwrap())),
        "{text}"
    );
    let error = place.store_fails(1, "client list");
    assert!(
        error.starts_with("wrong master key for store.db"),
        "{error}"
    );
    let text = place.ok(&with_new("master forget"));
    assert!(text.contains("There is none to forget."), "{text}");
    assert!(
        place
            .ok(&with_new("master show"))
            .contains("change  none\n")
    );
    assert!(
        place
            .ok(&with_new("audit verify"))
            .contains("No fault was found")
    );
}

#[test]
fn a_change_that_was_done_is_not_done_again() {
    let place = Place::filled();
    place.store_ok(ROTATE);
    assert!(place.store_ok(ROTATE).contains("It was done already."));
    let error = place.store_fails(1, "master rotate --new-master-key-file third.key");
    assert!(
        error.contains("the master key is being replaced already"),
        "{error}"
    );
    assert!(!place.path("third.key").exists());
    place.ok(&with_new("master forget"));
    let error = place.fails(1, &with_new(ROTATE));
    assert_eq!(
        error,
        "the store is sealed under this master key already; make a new one"
    );
}

#[test]
fn a_change_that_broke_off_is_told_and_gone_on_with() {
    let place = Place::filled();
    // Opened anew each time: a program that is refused is to find and leave no log.
    let database = || rusqlite::Connection::open(place.path("store.db")).unwrap();
    let name = "zone/tenant-1";
    let good: Vec<u8> = database()
        .query_row("SELECT value FROM record WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .unwrap();
    let set = |value: &[u8]| {
        let set = "UPDATE record SET value = ?2 WHERE name = ?1";
        database()
            .execute(set, rusqlite::params![name, value])
            .unwrap();
    };
    // What cannot be opened stops it half-way.
    set(&[0; 80]);
    let output = place.run(&with_store(ROTATE));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("record zone/tenant-1 in store.db was altered"),
        "{said}"
    );
    assert!(
        place.path("new.key").exists(),
        "the store may be sealed under it"
    );
    set(&good);
    let shown = place.store_ok("master show");
    assert!(
        shown.contains("change  unfinished, ") && shown.contains("is being replaced"),
        "{shown}"
    );
    let error = place.fails(1, &with_new("master forget"));
    assert!(
        error.contains("the master key is being replaced already"),
        "{error}"
    );
    let answer = place.store_json(ROTATE);
    assert_eq!(answer["resumed"], true);
    place.ok(&with_new("master forget"));
    assert!(
        place
            .ok(&with_new("audit verify"))
            .contains("No fault was found")
    );
}

#[test]
fn a_new_key_may_be_there_or_come_from_a_command() {
    for by_command in [false, true] {
        let place = Place::filled();
        MasterKey::generate()
            .unwrap()
            .write_new(&place.path("there.key"))
            .unwrap();
        let key = fs::read(place.path("there.key")).unwrap();
        let (option, value) = match by_command {
            true => ("--new-master-key-command", "cat there.key"),
            false => ("--new-master-key-file", "there.key"),
        };
        let line = with_store("master rotate");
        let mut command = place.command(line.split_whitespace());
        assert!(
            command
                .args([option, value])
                .output()
                .unwrap()
                .status
                .success()
        );
        assert_eq!(fs::read(place.path("there.key")).unwrap(), key);
        let master = MasterKey::from_file(&place.path("there.key")).unwrap();
        let store = Store::open(place.path("store.db"), master).unwrap();
        assert!(!store.master_key_is_outdated());
    }
}

#[test]
fn a_change_that_cannot_begin_leaves_no_key_file() {
    let place = Place::filled();
    fs::copy(Place::fresh().path("master.key"), place.path("other.key")).unwrap();
    let line = format!("{ROTATE} --store store.db --master-key-file other.key");
    let error = place.fails(1, &line);
    assert!(error.starts_with("wrong master key"), "{error}");
    fs::write(place.path("new.key"), "mine").unwrap();
    crate::support::set_mode(&place.path("new.key"), 0o600);
    let error = place.store_fails(1, ROTATE);
    assert!(error.starts_with("new.key holds no master key"), "{error}");
    place.store_fails(2, "master rotate");
}
