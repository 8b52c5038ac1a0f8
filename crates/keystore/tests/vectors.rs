//! The published vectors of the store format, read through the public interface: every file here
//! is put together from `store-v1.json` by plain SQL, not by the store's own code.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use harness::TestDir;
use pgseal_keystore::{
    Chain, Error, Event, KeyCache, KeyState, MasterKey, Permitted, Secret, Store, Timestamp, Use,
    Withheld,
};
use rusqlite::{Connection, params};
use serde_json::Value;

/// The vectors, and a store made of them.
struct Vectors {
    file: Value,
    _directory: TestDir,
    path: PathBuf,
}

impl Vectors {
    fn new() -> Self {
        let file: Value = serde_json::from_str(include_str!("vectors/store-v1.json")).unwrap();
        let directory = TestDir::new("store");
        let path = directory.path().join("store.db");
        let database = Connection::open(&path).unwrap();
        database.execute_batch("BEGIN").unwrap();
        for table in file["tables"].as_array().unwrap() {
            database.execute(table.as_str().unwrap(), []).unwrap();
        }
        for pragma in ["application_id", "user_version"] {
            let number = file[pragma].as_i64().unwrap();
            database.pragma_update(None, pragma, number).unwrap();
        }
        database
            .execute("INSERT INTO revision VALUES (1)", [])
            .unwrap();
        for (name, value) in file["values"].as_object().unwrap() {
            let value = bytes(value.as_str().unwrap());
            database
                .execute(
                    "INSERT INTO record VALUES (?1, ?2, 1)",
                    params![name, value],
                )
                .unwrap();
        }
        database.execute_batch("COMMIT").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        Vectors {
            file,
            _directory: directory,
            path,
        }
    }

    fn open(&self) -> Result<Store, Error> {
        let text = self.file["master_key"].as_str().unwrap().to_owned();
        let master = MasterKey::from_environment(&Secret::from(text)).unwrap();
        Store::open(&self.path, master)
    }

    fn replace(&self, name: &str, value: Option<&str>) {
        let database = Connection::open(&self.path).unwrap();
        let changed = match value {
            Some(value) => database.execute(
                "UPDATE record SET value = ?2 WHERE name = ?1",
                params![name, bytes(value)],
            ),
            None => database.execute("DELETE FROM record WHERE name = ?1", [name]),
        };
        assert_eq!(changed.unwrap(), 1);
    }

    /// Writes a value, whether there is one or not.
    fn put(&self, name: &str, value: &str) {
        let database = Connection::open(&self.path).unwrap();
        let put = "INSERT OR REPLACE INTO record VALUES (?1, ?2, 1)";
        database.execute(put, params![name, bytes(value)]).unwrap();
    }
}

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn the_store_of_the_vectors_reads_as_it_was_written() {
    let store = Vectors::new().open().unwrap();

    let clients = store.clients(None, 10).unwrap();
    let ids: Vec<_> = clients.iter().map(|client| client.id.as_str()).collect();
    assert_eq!(ids, ["app", "billing@example"]);
    assert!(clients[0].create_zones && !clients[1].create_zones);
    assert_eq!(clients[0].active, 1);
    assert_eq!(clients[0].created.to_string(), "2026-12-01T00:00:00Z");

    let zones = store.zones(None, 10).unwrap();
    assert_eq!(zones[0].id.as_str(), "DDDDDDDDjzaErohiNAaYhChb");
    assert_eq!(zones[0].creator.as_ref(), Some(&clients[0].id));
    let both = [clients[0].id.clone(), clients[1].id.clone()];
    assert_eq!(zones[0].clients, Permitted::Only(both.into()));
    assert_eq!(zones[1].id.as_str(), "tenant-1");
    assert_eq!(zones[1].creator, None);
    assert_eq!(zones[1].clients, Permitted::All);

    let keys = store.keys(None, None, 10).unwrap();
    let found: Vec<_> = keys
        .iter()
        .map(|key| (key.owner.to_string(), key.version, key.key_id.to_string()))
        .collect();
    let expected = [
        ("client app", 1, "60ae988d541df243"),
        ("zone DDDDDDDDjzaErohiNAaYhChb", 1, "62b953db6789ab94"),
        ("zone DDDDDDDDjzaErohiNAaYhChb", 2, "aaf090aac65381d4"),
    ];
    assert_eq!(
        found,
        expected.map(|(owner, version, id)| (owner.to_owned(), version, id.to_owned()))
    );
    for key in &keys {
        assert_eq!(store.key_by_id(key.key_id).unwrap().as_ref(), Some(key));
    }
    for key in &keys[..2] {
        assert_eq!(key.state, KeyState::Active);
        assert_eq!(store.active_key(&key.owner).unwrap(), *key);
        let private = store.private_key(key).unwrap();
        assert_eq!(private.public_key(), key.public_key);
    }
}

#[test]
fn a_destroyed_key_is_listed_and_says_that_it_never_opens() {
    let store = Vectors::new().open().unwrap();
    let key = store.keys(None, None, 10).unwrap().remove(2);
    assert_eq!(key.state, KeyState::Destroyed);
    let error = store.private_key(&key).map(drop).unwrap_err().to_string();
    assert!(error.ends_with("was destroyed"), "{error}");

    let some = NonZeroUsize::new(8).unwrap();
    let cache = KeyCache::new(some, some);
    let loaded = cache.load(&store, &[key.key_id]).unwrap();
    assert!(loaded.failed.is_empty());
    let found = cache.get(key.key_id).unwrap();
    assert!(matches!(found.private, Use::Withheld(Withheld::Destroyed)));
}

/// Puts one value in place of the good one and does what reads it.
fn check(vector: &str) {
    let vectors = Vectors::new();
    let list = vectors.file["refuse"].as_array().unwrap();
    let vector = list.iter().find(|one| one["name"] == vector).unwrap();
    let record = vector["record"].as_str().unwrap();
    vectors.replace(record, vector["value"].as_str());

    let error = read(&vectors, record).expect_err("it was read").to_string();
    let beginning = |what: &str| error.starts_with(&format!("record {record} {what}"));
    let as_said = match vector["error"].as_str().unwrap() {
        "altered" => error.contains("was altered or is damaged") && beginning("in "),
        "missing" => beginning("is missing"),
        "form" => error.contains("not in a form this program knows") && beginning("in "),
        "damaged" => error.contains("is damaged"),
        "wrong master key" => error.starts_with("wrong master key"),
        other => panic!("{other}"),
    };
    assert!(as_said, "{error}");
}

/// Reads a record the way a program does: by its meaning.
fn read(vectors: &Vectors, record: &str) -> Result<(), Error> {
    let store = vectors.open()?;
    let parts: Vec<_> = record.split('/').collect();
    match parts[..] {
        ["header"] => Ok(()),
        ["revocations"] => store.revocations().map(drop),
        ["settings"] => store.settings().map(drop),
        ["audit", _] => store.audit(0, 100).map(drop),
        ["receipt", "zone", id, version] => {
            let zone: envelope::ZoneId = id.parse().unwrap();
            store
                .receipt(&zone.into(), version.parse().unwrap())
                .map(drop)
        }
        // What is checked with it needs it.
        ["receipt-key"] => read(vectors, &receipt_name()),
        ["client", id] => store.client(&id.parse().unwrap()).map(drop),
        ["zone", id] => store.zone(&id.parse().unwrap()).map(drop),
        ["key-id", id] => store.key_by_id(id.parse().unwrap()).map(drop),
        ["key", "client", id, _] => {
            let id: envelope::ClientId = id.parse().unwrap();
            store.active_key(&id.into()).map(drop)
        }
        ["private", "client", id, _] => {
            let id: envelope::ClientId = id.parse().unwrap();
            let key = store.active_key(&id.into())?;
            store.private_key(&key).map(drop)
        }
        _ => panic!("{record}"),
    }
}

fn receipt_name() -> String {
    "receipt/zone/DDDDDDDDjzaErohiNAaYhChb/0000000002".into()
}

#[test]
fn the_audit_log_of_the_vectors_is_chained_as_they_say() {
    let vectors = Vectors::new();
    let entries = vectors.open().unwrap().audit(0, 100).unwrap();
    let bodies: Vec<_> = entries.iter().map(|entry| entry.body.as_str()).collect();
    let expected = vectors.file["audit"]["entries"].as_array().unwrap();
    assert_eq!(
        bodies,
        expected
            .iter()
            .map(|body| body.as_str().unwrap())
            .collect::<Vec<_>>()
    );
    let mut chain = Chain::whole(None);
    for entry in &entries {
        assert_eq!(chain.take(entry), None);
    }
    assert_eq!(
        chain.last().unwrap().hash,
        vectors.file["audit"]["hash"].as_str().unwrap()
    );
    assert_eq!(entries[2].by, "client app through server one");
    assert!(
        matches!(&entries[3].event, Event::CertificateRevoked { serial, .. } if serial == "0a1b")
    );
}

#[test]
fn what_the_vectors_say_of_use_certificates_settings_and_receipts_is_read() {
    let vectors = Vectors::new();
    let store = vectors.open().unwrap();
    let app: envelope::ClientId = "app".parse().unwrap();
    let shown = |time: Timestamp| time.to_string();
    assert_eq!(
        store.last_use(&app.into(), 1).unwrap().map(shown).unwrap(),
        "2026-12-01T00:00:00Z"
    );
    let certificate = store
        .certificate(&"0a1b".parse().unwrap())
        .unwrap()
        .unwrap();
    assert_eq!(certificate.identity, "client/app");
    assert_eq!(shown(certificate.expires), "2027-12-01T00:00:00Z");
    let list = store.revocations().unwrap();
    assert_eq!(list.number, 1);
    assert_eq!(
        list.certificates[&certificate.serial].reason.as_deref(),
        Some("lost")
    );
    let settings = store.settings().unwrap();
    let mode = &settings.set["zone_mode"];
    assert_eq!((settings.number, mode.value.as_str()), (1, "mixed"));
    assert_eq!(mode.by, "operator alice@host");
    assert_eq!(settings.last.unwrap().at, mode.at);
    // Due at 604800, and the clock stood at 90000 then.
    let end = store.earliest_end(604_800).unwrap();
    let due = Timestamp::from_seconds(1_796_083_200 + 604_800 - 90_000).unwrap();
    assert!(end == due || end > due && end <= Timestamp::now());

    let zone: envelope::ZoneId = "DDDDDDDDjzaErohiNAaYhChb".parse().unwrap();
    let receipt = store.receipt(&zone.clone().into(), 2).unwrap().unwrap();
    assert_eq!(receipt.key_id, "aaf090aac65381d4");
    let text: Value =
        serde_json::from_str(&store.receipt_text(&zone.into(), 2).unwrap().unwrap()).unwrap();
    for field in ["statement", "public_key"] {
        assert_eq!(text[field], vectors.file["receipt"][field]);
    }
}

#[test]
fn a_change_of_master_keys_half_way_opens_with_either_key() {
    let vectors = Vectors::new();
    for (name, value) in vectors.file["changing"]["values"].as_object().unwrap() {
        vectors.put(name, value.as_str().unwrap());
    }
    for key in [
        &vectors.file["master_key"],
        &vectors.file["changing"]["new_master_key"],
    ] {
        let secret = Secret::from(key.as_str().unwrap().to_owned());
        let master = MasterKey::from_environment(&secret).unwrap();
        let store = Store::open(&vectors.path, master).unwrap();
        let state = store.master_state().unwrap();
        assert_eq!(
            state.replacing.unwrap().to_string(),
            vectors.file["master_key_id"]
        );
        assert_eq!(store.clients(None, 10).unwrap().len(), 2);
        assert_eq!(store.audit(0, 10).unwrap().len(), 5);
        assert_eq!(store.keys(None, None, 10).unwrap().len(), 3);
    }
}

macro_rules! refused {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_vector_to_refuse_is_a_test() {
            let file = Vectors::new().file;
            let listed: Vec<_> = file["refuse"].as_array().unwrap().iter()
                .map(|vector| vector["name"].as_str().unwrap()).collect();
            assert_eq!(listed, [$(stringify!($name)),*]);
        }
    };
}

refused! {
    no_header
    empty_header
    header_cut_in_its_clear_part
    header_cut_in_its_sealed_part
    header_of_another_store_id
    header_of_another_master_key
    header_with_another_body
    salt_flipped
    body_flipped
    tag_flipped
    value_of_one_byte
    value_of_salt_and_tag_less_a_byte
    trailing_byte
    value_of_another_client
    value_of_another_kind
    key_of_another_owner
    key_of_another_version
    value_of_another_store
    plain_body
    private_key_in_clear
    private_key_of_another
    no_private_key
    no_key
    private_key_too_short
    unknown_field
    absent_field
    body_that_is_no_json
    body_with_more_after_it
    clients_neither_list_nor_star
    client_id_against_the_rules
    zone_without_a_creator_field
    time_beyond_the_year_9999
    unknown_key_state
    public_key_of_another_id
    public_key_of_low_order
    key_id_of_another_key
    receipt_of_another_signer
    receipt_with_another_statement
    receipt_signed_without_its_label
    receipt_key_too_short
    no_revocations
    revocation_with_another_spelling
    no_settings
    settings_of_revocations
    setting_with_another_field
    setting_with_a_name_against_the_rules
    setting_with_a_control_character
    audit_entry_of_another_number
    audit_entry_of_an_unknown_event
    key_id_that_names_no_key
}
