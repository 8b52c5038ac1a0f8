//! Somebody writes the store who has no master key: a server refuses what it reads, names the record
//! in its log, and goes on with everything else. (`pgseal-keymaker`'s tests go through every kind of
//! record; revocations are in `certificates`, more of settings in `settings`.)

use envelope::Recipient;
use harness::raw::{literal, rows};
use harness::{Chain, Keys, Link};
use rusqlite::{Connection, params};

/// One link in mode mixed, with the client `app`.
fn start() -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_zone_creator("app");
    let link = Chain::builder().zone_mode("mixed").start_link(&keys);
    (keys, link)
}

/// Flips a bit of a record, in a change that servers notice.
fn edit(keys: &Keys, name: &str) {
    let mut database = Connection::open(keys.store()).unwrap();
    let change = database.transaction().unwrap();
    let select = "SELECT value FROM record WHERE name = ?1";
    let mut value: Vec<u8> = change.query_row(select, [name], |row| row.get(0)).unwrap();
    *value.last_mut().unwrap() ^= 1;
    change
        .execute("UPDATE revision SET number = number + 1", [])
        .unwrap();
    let update = "UPDATE record SET value = ?2, revision = (SELECT number FROM revision) \
                  WHERE name = ?1";
    change.execute(update, params![name, value]).unwrap();
    change.commit().unwrap();
}

/// What a select of this value reads, with the tag of its zone before it.
fn read(link: &Link, owner: &Recipient, plain: &[u8]) -> Vec<u8> {
    let mut session = link.address().raw();
    session.start();
    let (tag, sealed) = (owner.owner().id(), owner.seal(plain).unwrap());
    let found = rows(&session.query(&format!("select '{tag}', {}", literal(&sealed))));
    let text = found[0][1].clone().unwrap();
    let digits = std::str::from_utf8(&text)
        .unwrap()
        .trim_start_matches("\\x");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn values_of_an_edited_owner_stay_sealed_and_the_log_names_the_record() {
    let (keys, link) = start();
    let zones = [(); 5].map(|()| keys.add_zone(&["app"]));
    let [by_zone, by_key, by_private, by_id, whole] = &zones;
    let version =
        |kind: &str, zone: &Recipient| format!("{kind}/zone/{}/0000000001", zone.owner().id());
    for (zone, record) in [
        (by_zone, format!("zone/{}", by_zone.owner().id())),
        (by_key, version("key", by_key)),
        (by_private, version("private", by_private)),
        (by_id, format!("key-id/{}", by_id.key_id())),
    ] {
        edit(&keys, &record);
        assert_ne!(read(&link, zone, b"value"), b"value", "{record}");
        let line = link
            .server
            .process()
            .wait_for_line(&format!("record {record} in "));
        assert!(line.contains("was altered or is damaged"), "{line}");
    }
    assert_eq!(read(&link, whole, b"value"), b"value");
    assert_eq!(read(&link, &keys.client("app"), b"value"), b"value");
}

#[test]
fn an_edited_client_gets_no_session_and_the_log_names_it() {
    let (keys, link) = start();
    edit(&keys, "client/app");
    let line = {
        let mut session = link.address().raw();
        session.send(harness::raw::message::startup(&[
            ("user", "postgres"),
            ("database", "postgres"),
        ]));
        link.server.process().wait_for_line("record client/app in ")
    };
    assert!(line.contains("was altered or is damaged"), "{line}");
    assert!(!link.server.process().panicked());
}

#[test]
fn edited_settings_let_nobody_in_and_the_log_names_them() {
    let (keys, link) = start();
    keys.keymaker(&["setting", "set", "zone_mode", "on"])
        .success();
    edit(&keys, "settings");
    let line = link.server.process().wait_for_line("record settings in ");
    assert!(line.contains("was altered or is damaged"), "{line}");
    let mut session = link.address().raw();
    session.send(harness::raw::message::startup(&[("user", "postgres")]));
    assert_eq!(session.read().unwrap().sqlstate(), "57P03");
}

#[test]
fn an_edited_clock_ends_no_grace_and_the_log_names_it() {
    let (keys, link) = start();
    let zone = keys.add_zone(&["app"]);
    let id = zone.owner().id();
    keys.keymaker(&["zone", "destroy", id, "--grace", "1s"])
        .success();
    edit(&keys, "clock");
    link.server.process().wait_for_line("record clock in ");
    let shown = keys.keymaker(&["zone", "show", id]);
    assert!(
        shown.stderr.contains("record clock in "),
        "{}",
        shown.stderr
    );
    let list = keys
        .keymaker(&["--json", "key", "list", "--zone", id])
        .success();
    assert!(list.contains(r#""state":"active""#), "{list}");
}
