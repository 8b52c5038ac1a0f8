//! Commands on the store: clients, zones and keys.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::PublicKey;
use keystore::{MasterKey, Store};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Place, mode, set_mode, text_of, with_store};

/// Commands that need the store, one of each kind.
const COMMANDS: [&str; 7] = [
    "client add third",
    "client list",
    "zone add --client app",
    "zone list",
    "zone show tenant-1",
    "key list",
    "key export-public --client app",
];

fn open(place: &Place) -> Store {
    let master = MasterKey::from_file(&place.path("master.key")).unwrap();
    Store::open(place.path("store.db"), master).unwrap()
}

/// Every command fails with exit code 1, changes nothing and says this.
fn every_command_says(place: &Place, says: &str) {
    for line in COMMANDS {
        let error = place.fails(1, &with_store(line));
        assert!(error.contains(says), "{line}: {error}");
    }
}

#[test]
fn clients_are_added_and_listed() {
    let place = Place::init();
    let added = place.json(&with_store("client add app --create-zones"));
    let text = place.store_ok("client add billing:x@y");
    assert!(
        text.contains("client  billing:x@y\nzones   may not create them\n"),
        "{text}"
    );
    assert!(
        text.contains("pgseal-keymaker cert client billing:x@y\n"),
        "{text}"
    );

    let text = place.store_ok("client list");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        "CLIENT       CREATES ZONES  A DAY      KEY VERSION  CREATED"
    );
    assert!(
        lines[1].starts_with("app          yes            unlimited  1            20"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("billing:x@y  no             -          1            20"),
        "{text}"
    );
    let list = place.json(&with_store("client list"));
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["id"], "app");
    assert_eq!(list[0]["create_zones"], true);
    assert_eq!(list[0]["active_version"], 1);
    assert_eq!(list[1]["create_zones"], false);

    let store = open(&place);
    let client = store.client(&"app".parse().unwrap()).unwrap().unwrap();
    assert!(client.create_zones);
    let key = store.active_key(&client.id.into()).unwrap();
    assert_eq!(added["key_id"], key.key_id.to_string());
}

#[test]
fn zones_are_added_listed_and_shown() {
    let place = Place::filled();
    let drawn = place.json(&with_store("zone add --client *"));
    let id = drawn["id"].as_str().unwrap();
    assert!(id.starts_with("DDDDDDDD") && id.len() == 24);

    let list = place.json(&with_store("zone list"));
    assert_eq!(list[0]["id"], id);
    assert_eq!(list[0]["clients"], "*");
    assert_eq!(list[1]["clients"], json!(["app", "billing"]));
    assert_eq!(list[1]["creator"], Value::Null);
    let text = place.store_ok("zone list");
    assert!(
        text.lines()
            .nth(2)
            .unwrap()
            .ends_with("Z  kept  app, billing"),
        "{text}"
    );

    let shown = place.json(&with_store("zone show tenant-1"));
    assert_eq!(shown["clients"], json!(["app", "billing"]));
    assert_eq!(shown["active_version"], 1);
    assert_eq!(shown["keys"][0]["state"], "active");
    assert_eq!(shown["keys"].as_array().unwrap().len(), 1);
    let text = place.store_ok("zone show tenant-1");
    assert!(
        text.contains("opened by   app, billing\ncreated by  an operator\n"),
        "{text}"
    );
}

#[test]
fn an_empty_store_lists_nothing() {
    let place = Place::init();
    for line in ["client list", "zone list", "key list"] {
        assert_eq!(place.store_ok(line), "");
        assert_eq!(place.json(&with_store(line)), json!([]));
    }
}

#[test]
fn a_public_key_is_exported_so_that_a_writer_can_check_its_id() {
    let place = Place::filled();
    for (option, kind, id) in [
        ("--client app", "client", "app"),
        ("--zone tenant-1", "zone", "tenant-1"),
    ] {
        let line = with_store(&format!("key export-public {option}"));
        let answer = place.json(&line);
        let fields: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["id", "key_id", "kind", "public_key", "version"]);
        assert_eq!((&answer["kind"], &answer["id"]), (&json!(kind), &json!(id)));
        assert_eq!(answer["version"], 1);
        let key = STANDARD
            .decode(answer["public_key"].as_str().unwrap())
            .unwrap();
        let key = PublicKey::try_from(key.as_slice()).unwrap();
        assert_eq!(answer["key_id"], key.key_id().to_string());
        // It is JSON with or without the option.
        assert_eq!(
            serde_json::from_str::<Value>(&place.ok(&line)).unwrap(),
            answer
        );
    }
}

#[test]
fn keys_are_listed_of_all_or_of_one() {
    let place = Place::filled();
    let all = place.json(&with_store("key list"));
    let owners: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["id"])
        .collect();
    assert_eq!(owners, ["app", "billing", "tenant-1"]);
    let one = place.json(&with_store("key list --zone tenant-1"));
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(one[0], all[2]);
    assert_eq!(one[0]["state"], "active");
}

#[test]
fn ids_that_exist_or_do_not_are_named() {
    let place = Place::filled();
    for (line, says) in [
        ("client add app", "client app exists already"),
        (
            "zone add tenant-1 --client app",
            "zone tenant-1 exists already",
        ),
        (
            "zone add tenant-2 --client nobody",
            "there is no client nobody; ",
        ),
        ("zone show tenant-2", "there is no zone tenant-2; "),
        ("key list --client nobody", "there is no client nobody; "),
        (
            "key export-public --zone tenant-2",
            "there is no zone tenant-2; ",
        ),
    ] {
        let error = place.fails(1, &with_store(line));
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn another_master_key_is_refused() {
    let place = Place::filled();
    fs::copy(Place::fresh().path("master.key"), place.path("master.key")).unwrap();
    every_command_says(
        &place,
        "wrong master key for store.db: it was made with key ",
    );
}

#[test]
fn what_is_no_master_key_is_refused_and_not_repeated() {
    let place = Place::filled();
    fs::write(place.path("master.key"), "canary").unwrap();
    every_command_says(
        &place,
        "master.key holds no master key, which reads `pgseal-master-1.`",
    );
    let error = place.fails(1, &with_store("client list"));
    assert!(!error.contains("canary"), "{error}");
    fs::remove_file(place.path("master.key")).unwrap();
    every_command_says(&place, "master.key does not exist");
    let mut command = place.command(["client", "list", "--store", "store.db"]);
    let error = place.command_fails(
        1,
        command.args(["--master-key-command", "echo canary; exit 4"]),
    );
    assert!(
        error.starts_with("the master key command failed (exit status: 4)"),
        "{error}"
    );
}

#[test]
fn loose_modes_are_refused_with_the_remedy() {
    let place = Place::filled();
    for file in ["store.db", "master.key"] {
        set_mode(&place.path(file), 0o640);
        every_command_says(&place, &format!("(mode 0640); run `chmod 600 {file}`"));
        assert_eq!(mode(&place.path(file)), 0o640);
        set_mode(&place.path(file), 0o600);
    }
}

#[test]
fn a_locked_store_is_refused_after_a_while() {
    let place = Place::filled();
    let holder = Connection::open(place.path("store.db")).unwrap();
    holder
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .unwrap();
    // Not compared byte for byte: this process must not open the file, because closing it again
    // would give up the lock.
    let output = place.run(&with_store("client add third"));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let says = "pgseal-keymaker: store.db is locked by another process (waited 5s); ";
    assert!(
        said.starts_with(says) && said.lines().count() == 1,
        "{said}"
    );
    drop(holder);
    assert_eq!(open(&place).clients(None, 10).unwrap().len(), 2);
}

#[test]
fn a_damaged_store_is_refused() {
    let place = Place::filled();
    let whole = fs::read(place.path("store.db")).unwrap();
    fs::write(place.path("store.db"), &whole[..4096]).unwrap();
    every_command_says(&place, "store.db is damaged (");
    fs::write(
        place.path("store.db"),
        "not a database, but some other file",
    )
    .unwrap();
    every_command_says(&place, "store.db is not a pgseal store");
    fs::remove_file(place.path("store.db")).unwrap();
    every_command_says(&place, "there is no store store.db; ");
}

#[test]
fn a_swapped_public_key_is_refused_by_name() {
    let place = Place::filled();
    let database = Connection::open(place.path("store.db")).unwrap();
    database
        .execute(
            "UPDATE record SET value =
                 (SELECT value FROM record WHERE name = 'key/client/billing/0000000001')
             WHERE name = 'key/client/app/0000000001'",
            [],
        )
        .unwrap();
    drop(database);
    for line in [
        "key export-public --client app",
        "key list",
        "key list --client app",
    ] {
        let error = place.fails(1, &with_store(line));
        let says = "record key/client/app/0000000001 in store.db was altered or is damaged; ";
        assert!(error.starts_with(says), "{error}");
    }
    place.store_ok("key export-public --client billing");
}

#[test]
fn several_at_once_lose_nothing_and_one_of_them_gets_a_disputed_id() {
    let place = Place::init();
    let lines = (0..4).map(|number| format!("client add client-{number}"));
    let lines = lines.chain((0..4).map(|_| "client add disputed".into()));
    let running: Vec<_> = lines
        .map(|line| {
            let line = with_store(&line);
            let mut command = place.command(line.split_whitespace());
            let piped = || std::process::Stdio::piped();
            command.stdout(piped()).stderr(piped()).spawn().unwrap()
        })
        .collect();
    let mut lost = 0;
    for child in running {
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            text_of(&output, "client add");
        } else {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(said, "pgseal-keymaker: client disputed exists already\n");
            lost += 1;
        }
    }
    assert_eq!(lost, 3);
    let list = place.json(&with_store("client list"));
    assert_eq!(list.as_array().unwrap().len(), 5);
}

#[test]
fn no_answer_holds_a_private_key() {
    let place = Place::filled();
    let mut answers = String::new();
    for line in COMMANDS {
        answers += &place.store_ok(line);
        if line != "client add third" {
            answers += &place.ok(&format!("{} --json", with_store(line)));
        }
    }
    let store = open(&place);
    for key in store.keys(None, None, 100).unwrap() {
        let private = store.private_key(&key).unwrap();
        let hex: String = private
            .expose_secret()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(!answers.contains(&hex));
        assert!(!answers.contains(&STANDARD.encode(private.expose_secret())));
    }
}
