//! Whoever writes the store behind our backs is found out: every kind of record, edited in place,
//! is refused by name; one removed or put back to what it was is found by `audit verify`.

use std::collections::BTreeMap;
use std::fs;

use keystore::{NewZone, Permitted};
use rusqlite::{Connection, params};

use crate::support::{Place, with_store};

const KEY: &str = "key/client/app/0000000001";
const FIRST: &str = "audit/00000000000000000001";

/// A store with a record of every kind there is.
fn full() -> Place {
    let place = Place::filled();
    for line in [
        "client set app --zones-per-day 5",
        "key rotate --client app",
        "key rotate --client billing",
        "key destroy --client billing --version 1 --yes",
        "cert server s --ca-dir ca",
        "cert revoke --serial 0a1b",
        "setting set zone_mode mixed",
        "zone destroy tenant-1 --grace 7d",
        "master rotate --new-master-key-file new.key",
    ] {
        place.store_ok(line);
    }
    // What servers write.
    let store = place.open();
    let app: envelope::ClientId = "app".parse().unwrap();
    store.note_use(&[(app.clone().into(), 2)]).unwrap();
    let zone = NewZone {
        id: Some("tenant-2".parse().unwrap()),
        clients: Permitted::Only([app.clone()].into()),
        creator: Some(app),
    };
    store
        .by("client app through server s")
        .add_zone(&zone)
        .unwrap();
    store.by("server s").sweep().unwrap();
    place
}

fn records(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let database = Connection::open(place.path("store.db")).unwrap();
    let mut select = database
        // What was removed has left an empty value behind.
        .prepare("SELECT name, value FROM record WHERE length(value) > 0")
        .unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn set(place: &Place, name: &str, value: &[u8]) {
    let database = Connection::open(place.path("store.db")).unwrap();
    let put = "INSERT OR REPLACE INTO record VALUES (?1, ?2, 1)";
    database.execute(put, params![name, value]).unwrap();
}

fn remove(place: &Place, name: &str) {
    let database = Connection::open(place.path("store.db")).unwrap();
    let delete = "DELETE FROM record WHERE name = ?1";
    assert_eq!(database.execute(delete, [name]).unwrap(), 1, "{name}");
}

/// What a command says: its faults, or its error.
fn said(place: &Place, line: &str) -> String {
    let output = place.run(&with_store(line));
    assert_eq!(output.status.code(), Some(1), "{line}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The kind of a record: its name without what is an owner's, a number or an id.
fn kind(name: &str) -> &str {
    match name.split_once('/') {
        Some((kind, _)) if kind != "audit" => kind,
        Some(_) => "audit entry",
        None => name,
    }
}

#[test]
fn a_record_of_every_kind_that_was_edited_is_refused_by_name() {
    let place = full();
    let records = records(&place);
    let kinds: Vec<_> = {
        let mut kinds: Vec<_> = records.keys().map(|name| kind(name)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    assert_eq!(
        kinds,
        [
            "audit",
            "audit entry",
            "certificate",
            "client",
            "clock",
            "header",
            "key",
            "key-id",
            "master",
            "pending",
            "private",
            "receipt",
            "receipt-key",
            "revocations",
            "settings",
            "usage",
            "used",
            "zone"
        ]
    );
    for (name, value) in &records {
        let mut edited = value.clone();
        *edited.last_mut().unwrap() ^= 1;
        set(&place, name, &edited);
        let line = said(&place, "audit verify");
        let says = format!("record {name} in store.db was altered or is damaged; ");
        assert!(line.contains(&says), "{name}: {line}");
        set(&place, name, value);
    }
    assert!(
        place
            .store_ok("audit verify")
            .contains("No fault was found")
    );
}

#[test]
fn a_command_that_needs_an_edited_record_refuses_it_by_name_and_changes_nothing() {
    let place = full();
    let records = records(&place);
    let key_id = records.keys().find(|name| kind(name) == "key-id").unwrap();
    let certificate = records
        .keys()
        .find(|name| kind(name) == "certificate")
        .unwrap();
    let serial = certificate.split_once('/').unwrap().1;
    let pending = records.keys().find(|name| kind(name) == "pending").unwrap();
    let master = records.keys().find(|name| kind(name) == "master").unwrap();
    let tables: &[(&str, &[&str])] = &[
        (
            "header",
            &["client list", "master show", "key rotate --client app"],
        ),
        (master, &["client list"]),
        (
            "client/app",
            &[
                "client list",
                "client set app --create-zones true",
                "key rotate --client app",
                "key export-public --client app",
                "grant add --zone tenant-2 --client app",
                "zone add --client app",
                "cert client app --ca-dir ca",
            ],
        ),
        (
            "zone/tenant-2",
            &[
                "zone list",
                "zone show tenant-2",
                "grant list",
                "grant list --zone tenant-2",
                "grant list --client app",
                "grant remove --zone tenant-2 --client app",
                "zone destroy tenant-2 --now --confirm tenant-2",
                "zone keep tenant-2",
                "key rotate --zone tenant-2",
            ],
        ),
        (
            KEY,
            &[
                "key list",
                "key list --client app",
                "key retire --client app --version 1",
                "key destroy --client app --version 1 --yes",
            ],
        ),
        ("used/client/app/0000000002", &["key list"]),
        (
            "clock",
            &["zone show tenant-1", "zone list", "zone destroy tenant-2"],
        ),
        (
            "receipt/client/billing/0000000001",
            &["key destroy --client billing --version 1 --yes"],
        ),
        (
            "receipt-key",
            &["key destroy --client app --version 1 --yes"],
        ),
        (certificate, &["cert list", "cert revoke --server s"]),
        (
            "revocations",
            &["cert list", "cert revoke --serial 0c", "cert record s.crt"],
        ),
        (
            "settings",
            &[
                "setting list",
                "setting set zone_mode on",
                "setting reset zone_mode",
            ],
        ),
        (
            "audit",
            &[
                "client add fourth",
                "grant add --zone tenant-2 --client billing",
            ],
        ),
        (FIRST, &["audit list", "audit export"]),
        // Which the sweep of a server, or opening a value, would need.
        (pending, &["audit verify"]),
        (key_id, &["audit verify"]),
        ("usage/app", &["audit verify"]),
        ("private/client/app/0000000001", &["audit verify"]),
    ];
    for (name, lines) in tables {
        let value = &records[*name];
        let mut edited = value.clone();
        edited[40] ^= 0x80;
        set(&place, name, &edited);
        for line in *lines {
            let line = if *name == *certificate && line.starts_with("cert revoke") {
                format!("cert revoke --serial {serial}")
            } else {
                (*line).to_owned()
            };
            let said = said(&place, &line);
            assert!(
                said.contains(&format!("record {name} in store.db was altered")),
                "{line}: {said}"
            );
        }
        set(&place, name, value);
    }
    assert!(
        records == self::records(&place),
        "a refused command has changed something"
    );
}

#[test]
fn records_put_back_to_what_they_were_are_found() {
    let place = Place::filled();
    place.store_ok("client add third");
    place.store_ok("cert revoke --serial 0a1b");
    place.store_ok("setting set zone_mode on");
    let before = records(&place);
    for line in [
        "client set app --create-zones false",
        "key rotate --client billing",
        "grant remove --zone tenant-1 --client billing",
        "zone add tenant-2 --client app",
        "zone destroy tenant-2",
        "cert revoke --serial 0c",
        "setting reset zone_mode",
        "key rotate --zone tenant-1",
        "key retire --zone tenant-1 --version 1",
    ] {
        place.store_ok(line);
    }
    let after = records(&place);
    let put_back = |name: &str| {
        set(&place, name, &before[name]);
        let said = said(&place, "audit verify");
        set(&place, name, &after[name]);
        said
    };
    for name in [
        "client/app",
        "client/billing",
        "zone/tenant-1",
        "key/client/billing/0000000001",
        "key/zone/tenant-1/0000000001",
        "settings",
    ] {
        let said = put_back(name);
        assert!(
            said.contains(&format!("record {name} is not what the audit log says")),
            "{said}"
        );
    }
    let said = put_back("revocations");
    let says = "the revocation of certificate 0c is missing from record revocations";
    assert!(said.contains(says), "{said}");
    let said = put_back("audit");
    assert!(said.starts_with("record audit was put back: "), "{said}");
}

#[test]
fn records_that_were_removed_are_found() {
    let place = full();
    let records = records(&place);
    for name in records.keys() {
        // What servers count and note for themselves, and a key handed over, leave no trace.
        if matches!(kind(name), "used" | "usage" | "master" | "receipt") {
            continue;
        }
        remove(&place, name);
        let said = said(&place, "audit verify");
        let entry = name
            .strip_prefix("audit/")
            .map(|number| format!("audit entry {} was removed", number.trim_start_matches('0')));
        let says = match kind(name) {
            "header" => "its header is missing".to_owned(),
            "audit entry" => entry.unwrap(),
            _ => name.clone(),
        };
        let is_said =
            said.contains(&says) || (kind(name) == "audit entry" && said.contains("were removed"));
        assert!(
            is_said && said.contains("missing") | said.contains("removed"),
            "{name}: {said}"
        );
        set(&place, name, &records[name]);
    }
}

#[test]
fn two_exchanged_audit_entries_and_a_whole_log_put_back_are_found() {
    let place = Place::filled();
    let old = fs::read(place.path("store.db")).unwrap();
    let head = place.store_json("audit verify")["head"]
        .as_str()
        .unwrap()
        .to_owned();
    place.store_ok("client add third");
    let newer = place.store_json("audit verify")["head"]
        .as_str()
        .unwrap()
        .to_owned();
    let records = records(&place);
    let names = [2, 3].map(|number| format!("audit/{number:020}"));
    set(&place, &names[0], &records[&names[1]]);
    set(&place, &names[1], &records[&names[0]]);
    for name in &names {
        assert!(
            said(&place, "audit verify")
                .contains(&format!("record {name} in store.db was altered"))
        );
    }
    // The whole file of yesterday is consistent; only an anchor tells.
    fs::write(place.path("store.db"), old).unwrap();
    place.store_ok(&format!("audit verify --anchor {head}"));
    let said = said(&place, &format!("audit verify --anchor {newer}"));
    assert!(
        said.contains("audit entry 5 is not the one that was seen before"),
        "{said}"
    );
}
