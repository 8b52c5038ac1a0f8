//! A store through its public interface: what it keeps, what it refuses, and that a refusal
//! changes nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use envelope::{ClientId, Owner, PrivateKey, ZoneId};
use harness::TestDir;
use pgseal_keystore::{Error, KeyState, MasterKey, NewZone, Permitted, Revision, Secret, Store};
use rusqlite::{Connection, OpenFlags, params};

/// Who changes the store.
const TEST: &str = "a test";

/// A directory with a store in it, and its master key.
struct Place {
    directory: TestDir,
    path: PathBuf,
    /// The revision of the store when it was made.
    made: Revision,
}

impl Place {
    fn new() -> Self {
        let directory = TestDir::new("store");
        let master = MasterKey::generate().unwrap();
        master
            .write_new(&directory.path().join("master.key"))
            .unwrap();
        let path = directory.path().join("store.db");
        let store = Store::create(&path, master, TEST).unwrap();
        Place {
            made: store.revision().unwrap(),
            directory,
            path,
        }
    }

    /// With the clients `app`, which creates zones, and `other`, and a zone of `app`'s.
    fn filled() -> Self {
        let place = Place::new();
        let store = place.open().unwrap();
        store
            .by(TEST)
            .add_client(&client("app"), true, None)
            .unwrap();
        store
            .by(TEST)
            .add_client(&client("other"), false, None)
            .unwrap();
        store
            .by(TEST)
            .add_zone(&zone_of("tenant-1", &["app"]))
            .unwrap();
        place
    }

    fn master(&self) -> MasterKey {
        MasterKey::from_file(&self.directory.path().join("master.key")).unwrap()
    }

    fn open(&self) -> Result<Store, Error> {
        Store::open_within(&self.path, self.master(), Duration::from_millis(50))
    }

    fn refusal(&self) -> String {
        self.open().map(drop).unwrap_err().to_string()
    }

    /// Runs SQL behind the store's back.
    fn sql(&self, sql: &str) -> usize {
        Connection::open(&self.path)
            .unwrap()
            .execute(sql, [])
            .unwrap()
    }

    fn value(&self, name: &str) -> Vec<u8> {
        let rows = rows(&self.path);
        rows.into_iter().find(|row| row.0 == name).unwrap().1
    }

    fn set_value(&self, name: &str, value: &[u8]) {
        let changed = Connection::open(&self.path).unwrap().execute(
            "UPDATE record SET value = ?2 WHERE name = ?1",
            params![name, value],
        );
        assert_eq!(changed.unwrap(), 1);
    }
}

/// Everything in a store, read without it.
fn rows(path: &Path) -> Vec<(String, Vec<u8>, i64)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(path, flags)
        .unwrap()
        .prepare(
            "SELECT name, value, revision FROM record
             UNION ALL SELECT 'revision', x'', number FROM revision ORDER BY name",
        )
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn client(id: &str) -> ClientId {
    id.parse().unwrap()
}

fn only(ids: &[&str]) -> Permitted {
    Permitted::Only(ids.iter().map(|id| client(id)).collect())
}

fn zone_of(id: &str, clients: &[&str]) -> NewZone {
    NewZone {
        id: Some(id.parse().unwrap()),
        clients: only(clients),
        creator: None,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

// What it keeps.

#[test]
fn owners_and_their_keys_come_back_after_reopening() {
    let place = Place::new();
    let store = place.open().unwrap();
    let app = store
        .by(TEST)
        .add_client(&client("app"), true, None)
        .unwrap();
    let other = store
        .by(TEST)
        .add_client(&client("other:x@y"), false, None)
        .unwrap();
    let zone = store
        .by(TEST)
        .add_zone(&zone_of("tenant-1", &["app", "other:x@y"]))
        .unwrap();
    drop(store);

    let store = place.open().unwrap();
    let found = store.client(&client("app")).unwrap().unwrap();
    assert_eq!(
        (found.id, found.create_zones, found.active),
        (client("app"), true, 1)
    );
    assert!(
        !store
            .client(&client("other:x@y"))
            .unwrap()
            .unwrap()
            .create_zones
    );
    let id: ZoneId = "tenant-1".parse().unwrap();
    let found = store.zone(&id).unwrap().unwrap();
    assert_eq!(found.clients, only(&["app", "other:x@y"]));
    assert_eq!((found.creator, found.active), (None, 1));

    for key in [app, other, zone] {
        assert_eq!((key.version, key.state), (1, KeyState::Active));
        assert_eq!(key.key_id, key.public_key.key_id());
        assert_eq!(store.active_key(&key.owner).unwrap(), key);
        assert_eq!(store.key_by_id(key.key_id).unwrap(), Some(key.clone()));
        assert_eq!(
            store.private_key(&key).unwrap().public_key(),
            key.public_key
        );
    }
}

#[test]
fn ids_that_are_not_there_are_none_or_named() {
    let place = Place::filled();
    let store = place.open().unwrap();
    assert_eq!(store.client(&client("nobody")).unwrap(), None);
    assert_eq!(store.zone(&"tenant-2".parse().unwrap()).unwrap(), None);
    let unknown = PrivateKey::generate().unwrap().public_key().key_id();
    assert_eq!(store.key_by_id(unknown).unwrap(), None);
    for (owner, says) in [
        (
            Owner::Client(client("nobody")),
            "there is no client nobody; ",
        ),
        (
            Owner::Zone("tenant-2".parse().unwrap()),
            "there is no zone tenant-2; ",
        ),
        // A client's id is not a zone's.
        (
            Owner::Client(client("tenant-1")),
            "there is no client tenant-1; ",
        ),
    ] {
        let error = store.active_key(&owner).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn pages_follow_one_another_and_end_empty() {
    let place = Place::new();
    let store = place.open().unwrap();
    let ids = ["a", "a-", "a.b", "a:", "a@", "aa", "b"];
    for id in ids {
        store.by(TEST).add_client(&client(id), false, None).unwrap();
    }
    let mut found = Vec::new();
    loop {
        let after = found.last().cloned();
        let page = store.clients(after.as_ref(), 3).unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|client| client.id));
    }
    assert_eq!(found, ids.map(client));

    // One owner's keys are not those of owners whose id begins like its own.
    let owner = Owner::Client(client("a"));
    let keys = store.keys(Some(&owner), None, 10).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].owner, owner);
    assert_eq!(store.keys(Some(&owner), Some(&keys[0]), 10).unwrap(), []);
    let all = store.keys(None, None, 3).unwrap();
    assert_eq!(all.len(), 3);
    let rest = store.keys(None, Some(&all[2]), 10).unwrap();
    assert_eq!(rest.len(), 4);
}

#[test]
fn a_zone_without_an_id_gets_one() {
    let place = Place::filled();
    let store = place.open().unwrap();
    let [one, other] = [(); 2].map(|()| {
        let zone = NewZone {
            id: None,
            clients: Permitted::All,
            creator: None,
        };
        store.by(TEST).add_zone(&zone).unwrap().owner
    });
    assert!(one.id().starts_with("DDDDDDDD") && one.id().len() == 24);
    assert_ne!(one, other);
}

#[test]
fn nothing_of_a_private_key_or_the_master_key_stands_in_the_file() {
    let place = Place::filled();
    let store = place.open().unwrap();
    let mut secrets = Vec::new();
    for key in store.keys(None, None, 10).unwrap() {
        secrets.push(store.private_key(&key).unwrap().expose_secret().to_vec());
    }
    drop(store);
    let text = fs::read_to_string(place.directory.path().join("master.key")).unwrap();
    secrets.push(text.trim_end().as_bytes()[16..].to_vec());
    let file = fs::read(&place.path).unwrap();
    for secret in secrets {
        let found = file.windows(secret.len()).any(|part| part == secret);
        assert!(!found);
    }
}

// Who may.

#[test]
fn a_client_creates_zones_only_if_its_record_says_so() {
    let place = Place::filled();
    let store = place.open().unwrap();
    let by = |creator: &str| NewZone {
        id: None,
        clients: only(&[creator]),
        creator: Some(client(creator)),
    };
    let key = store.by(TEST).add_zone(&by("app")).unwrap();
    let id: ZoneId = key.owner.id().parse().unwrap();
    let zone = store.zone(&id).unwrap().unwrap();
    assert_eq!(zone.creator, Some(client("app")));
    assert!(zone.clients.permits(&client("app")));
    assert!(!zone.clients.permits(&client("other")));

    let before = rows(&place.path);
    for (creator, says) in [
        ("other", "client other may not create zones"),
        ("nobody", "there is no client nobody; "),
    ] {
        let error = store
            .by(TEST)
            .add_zone(&by(creator))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(says), "{error}");
    }
    assert_eq!(rows(&place.path), before);
}

#[test]
fn owners_that_exist_and_clients_that_do_not_change_nothing() {
    let place = Place::filled();
    let store = place.open().unwrap();
    let before = rows(&place.path);
    let errors = [
        store
            .by(TEST)
            .add_client(&client("app"), false, None)
            .unwrap_err(),
        store
            .by(TEST)
            .add_zone(&zone_of("tenant-1", &["app"]))
            .unwrap_err(),
        store
            .by(TEST)
            .add_zone(&zone_of("tenant-2", &["app", "nobody"]))
            .unwrap_err(),
    ];
    let says = [
        "client app exists already",
        "zone tenant-1 exists already",
        "there is no client nobody; `pgseal-keymaker client add` adds one",
    ];
    assert_eq!(errors.map(|error| error.to_string()), says);
    assert_eq!(rows(&place.path), before);
}

// Files.

#[test]
fn the_store_and_its_log_are_closed_to_other_users() {
    let place = Place::filled();
    let store = place.open().unwrap();
    store
        .by(TEST)
        .add_client(&client("third"), false, None)
        .unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&place.path, suffix)), 0o600, "{suffix}");
    }
}

#[test]
fn a_store_or_log_that_others_can_reach_is_refused_with_the_remedy() {
    let place = Place::filled();
    let holder = place.open().unwrap();
    holder
        .by(TEST)
        .add_client(&client("third"), false, None)
        .unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = beside(&place.path, suffix);
        for loose in [0o640, 0o604, 0o620, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(loose)).unwrap();
            let error = place.refusal();
            let remedy = format!("(mode {loose:04o}); run `chmod 600 {}`", path.display());
            assert!(error.ends_with(&remedy), "{error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    assert!(place.open().is_ok());
}

#[test]
fn creating_a_store_overwrites_nothing() {
    let directory = TestDir::new("store");
    let path = directory.path().join("store.db");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let taken = beside(&path, suffix);
        fs::write(&taken, "mine").unwrap();
        let error = Store::create(&path, MasterKey::generate().unwrap(), TEST)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("{} exists", taken.display())),
            "{error}"
        );
        assert_eq!(fs::read(&taken).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::remove_file(&taken).unwrap();
    }
    let nowhere = directory.path().join("no such directory/store.db");
    let error = Store::create(&nowhere, MasterKey::generate().unwrap(), TEST)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("cannot make "), "{error}");
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let refused = |content: &[u8]| {
        fs::write(&place.path, content).unwrap();
        let error = place.refusal();
        assert!(error.ends_with("is not a pgseal store"), "{error}");
        assert_eq!(fs::read(&place.path).unwrap(), content);
    };
    refused(b"");
    refused(b"short");
    refused(&[b'a'; 10_000]);

    // Another program's database.
    let theirs = place.directory.path().join("theirs.db");
    let database = Connection::open(&theirs).unwrap();
    database
        .execute("CREATE TABLE record (name TEXT)", [])
        .unwrap();
    drop(database);
    refused(&fs::read(&theirs).unwrap());

    fs::remove_file(&place.path).unwrap();
    let error = place.refusal();
    assert!(error.starts_with("there is no store "), "{error}");
    assert!(!place.path.exists());
    fs::create_dir(&place.path).unwrap();
    assert!(place.refusal().ends_with("is not a pgseal store"));
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let place = Place::filled();
    place.sql("PRAGMA user_version = 2");
    let before = fs::read(&place.path).unwrap();
    let error = place.refusal();
    assert!(
        error.contains("has store format 2, newer than 1"),
        "{error}"
    );
    assert_eq!(fs::read(&place.path).unwrap(), before);
    place.sql("PRAGMA user_version = 0");
    assert!(place.refusal().contains("is damaged (format version 0)"));
}

#[test]
fn another_master_key_is_told_from_damage_and_changes_nothing() {
    let place = Place::filled();
    let before = fs::read(&place.path).unwrap();
    let other = MasterKey::generate().unwrap();
    let says = format!(
        "wrong master key for {}: it was made with key {}, this is key {}",
        place.path.display(),
        place.master().id(),
        other.id()
    );
    let error = Store::open(&place.path, other).map(drop).unwrap_err();
    assert_eq!(error.to_string(), says);
    assert_eq!(fs::read(&place.path).unwrap(), before);
}

// Damage.

/// Everything that can be read from a store.
fn read_all(store: &Store, since: Revision) -> Result<(), Error> {
    store.changes(since)?;
    let keys = store.keys(None, None, 1000)?;
    for key in &keys {
        store.private_key(key)?;
        let by_id = store.key_by_id(key.key_id)?;
        assert_eq!(by_id.as_ref(), Some(key));
    }
    store.clients(None, 1000)?;
    store.zones(None, 1000)?;
    store.revocations()?;
    let audited = store.verify_audit(None, |_| {})?;
    assert_eq!(audited.faults, Vec::<String>::new());
    Ok(())
}

/// Puts a damaged file in the place of a good one; the error when it is opened and read.
fn damage(place: &Place, content: &[u8]) -> String {
    fs::write(&place.path, content).unwrap();
    let result = place.open().and_then(|store| read_all(&store, place.made));
    let error = result.expect_err("it was read").to_string();
    let told = ["is damaged", "or is damaged", "is not a pgseal store"];
    assert!(told.iter().any(|told| error.contains(told)), "{error}");
    assert_eq!(fs::read(&place.path).unwrap(), content);
    error
}

#[test]
fn a_truncated_store_is_an_error_wherever_it_ends() {
    let place = Place::filled();
    let whole = fs::read(&place.path).unwrap();
    for length in (0..whole.len()).step_by(512) {
        let error = damage(&place, &whole[..length]);
        // A whole page that is not there shows when the store is opened.
        let early = place.open().map(drop).map_err(|error| error.to_string());
        assert!(early == Err(error) || length + 4096 > whole.len());
    }
}

#[test]
fn every_damaged_page_is_an_error() {
    let place = Place::filled();
    let store = place.open().unwrap();
    for number in 0..40 {
        store
            .by(TEST)
            .add_client(&client(&format!("client-{number}")), false, None)
            .unwrap();
    }
    drop(store);
    let whole = fs::read(&place.path).unwrap();
    assert!(whole.len() > 5 * 4096);
    for page in (0..whole.len()).step_by(4096) {
        let mut damaged = whole.clone();
        damaged[page..page + 4096].fill(0xa5);
        damage(&place, &damaged);
    }
}

#[test]
fn a_trigger_or_another_table_is_refused() {
    let place = Place::filled();
    place.sql("CREATE TRIGGER copy AFTER INSERT ON record BEGIN DELETE FROM record; END");
    assert!(
        place
            .refusal()
            .contains("its tables are not those of a store")
    );
    place.sql("DROP TRIGGER copy");
    assert!(place.open().is_ok());
    place.sql("CREATE VIEW client AS SELECT * FROM record");
    assert!(
        place
            .refusal()
            .contains("its tables are not those of a store")
    );
}

#[test]
fn a_missing_revision_is_damage() {
    let place = Place::filled();
    place.sql("DELETE FROM revision");
    let store = place.open().unwrap();
    assert!(
        store
            .revision()
            .unwrap_err()
            .to_string()
            .contains("is damaged")
    );
    let before = rows(&place.path);
    let error = store
        .by(TEST)
        .add_client(&client("third"), false, None)
        .unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert_eq!(rows(&place.path), before);
}

// Tampering: SQL by somebody without the master key.

#[test]
fn a_swapped_public_key_is_refused_by_name() {
    let place = Place::filled();
    let app = place.value("key/client/app/0000000001");
    let other = place.value("key/client/other/0000000001");
    place.set_value("key/client/app/0000000001", &other);
    let store = place.open().unwrap();
    let owner = Owner::Client(client("app"));
    let says = format!(
        "record key/client/app/0000000001 in {} was altered or is damaged; \
         restore the store from a backup",
        place.path.display()
    );
    let id = {
        place.set_value("key/client/app/0000000001", &app);
        let id = store.active_key(&owner).unwrap().key_id;
        place.set_value("key/client/app/0000000001", &other);
        id
    };
    for error in [
        store.active_key(&owner).unwrap_err(),
        store.key_by_id(id).unwrap_err(),
        store.keys(None, None, 10).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), says);
    }
    // The other client's is still its own.
    assert!(store.active_key(&Owner::Client(client("other"))).is_ok());
}

#[test]
fn private_keys_that_were_swapped_are_refused_by_name() {
    let place = Place::filled();
    let [app, other] = ["app", "other"].map(|id| format!("private/client/{id}/0000000001"));
    let (of_app, of_other) = (place.value(&app), place.value(&other));
    place.set_value(&app, &of_other);
    place.set_value(&other, &of_app);
    let store = place.open().unwrap();
    for (id, record) in [("app", app), ("other", other)] {
        let key = store.active_key(&Owner::Client(client(id))).unwrap();
        let error = store.private_key(&key).map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("record {record} in ")),
            "{error}"
        );
    }
}

#[test]
fn a_record_moved_to_another_name_or_kind_is_refused() {
    let place = Place::filled();
    place.sql("UPDATE record SET name = 'client/third' WHERE name = 'client/other'");
    place.sql("UPDATE record SET name = 'zone/tenant-2' WHERE name = 'client/app'");
    place.sql("UPDATE record SET name = 'client/tenant-1' WHERE name = 'zone/tenant-1'");
    let store = place.open().unwrap();
    let altered = |result: Result<(), Error>| matches!(result, Err(Error::Altered { .. }));
    assert!(altered(store.client(&client("third")).map(drop)));
    assert!(altered(store.client(&client("tenant-1")).map(drop)));
    assert!(altered(store.zone(&"tenant-2".parse().unwrap()).map(drop)));
    assert!(altered(store.clients(None, 10).map(drop)));
}

#[test]
fn a_name_that_is_none_stops_the_listing_it_stands_in() {
    let place = Place::filled();
    place.sql("UPDATE record SET name = 'client/a b' WHERE name = 'client/other'");
    let store = place.open().unwrap();
    let error = store.clients(None, 10).unwrap_err().to_string();
    assert!(error.starts_with("record client/a b in "), "{error}");
}

#[test]
fn the_header_of_another_store_of_the_same_master_key_opens_none_of_the_records() {
    let place = Place::filled();
    let other = place.directory.path().join("other.db");
    Store::create(&other, place.master(), TEST).unwrap();
    let header = rows(&other).into_iter().find(|row| row.0 == "header");
    place.set_value("header", &header.unwrap().1);
    let store = place.open().unwrap();
    let error = store.client(&client("app")).unwrap_err().to_string();
    assert!(error.starts_with("record client/app in "), "{error}");
}

#[test]
fn an_owner_that_was_removed_is_not_silently_made_anew() {
    let place = Place::filled();
    place.sql("DELETE FROM record WHERE name = 'client/app'");
    let store = place.open().unwrap();
    let before = rows(&place.path);
    let error = store
        .by(TEST)
        .add_client(&client("app"), true, None)
        .unwrap_err()
        .to_string();
    let says = "is damaged (record key/client/app/0000000001 is there before its key was made)";
    assert!(error.contains(says), "{error}");
    assert_eq!(rows(&place.path), before);
}

// Several at once.

#[test]
fn a_store_that_another_process_has_locked_is_refused_after_the_busy_timeout() {
    let place = Place::filled();
    let holder = Connection::open(&place.path).unwrap();
    holder
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .unwrap();
    let started = Instant::now();
    let error = place.refusal();
    assert!(
        error.contains("is locked by another process (waited 50ms)"),
        "{error}"
    );
    assert!(started.elapsed() >= Duration::from_millis(50));
    drop(holder);
    assert!(place.open().is_ok());
}

#[test]
fn while_another_process_writes_reading_goes_on_and_a_write_waits() {
    let place = Place::filled();
    let store = place.open().unwrap();
    let before = rows(&place.path);
    let writer = Connection::open(&place.path).unwrap();
    writer
        .execute_batch("BEGIN IMMEDIATE; UPDATE revision SET number = number + 1")
        .unwrap();
    assert!(store.client(&client("app")).unwrap().is_some());
    assert!(place.open().is_ok());
    let error = store
        .by(TEST)
        .add_client(&client("third"), false, None)
        .unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(rows(&place.path), before);
    store
        .by(TEST)
        .add_client(&client("third"), false, None)
        .unwrap();
}

#[test]
fn a_change_by_another_handle_is_seen_at_once_and_counted() {
    let place = Place::filled();
    let (one, other) = (place.open().unwrap(), place.open().unwrap());
    let before = one.revision().unwrap();
    assert_eq!(other.revision().unwrap(), before);
    other
        .by(TEST)
        .add_client(&client("third"), false, None)
        .unwrap();
    assert!(one.revision().unwrap() > before);
    assert_eq!(one.revision().unwrap(), other.revision().unwrap());
    assert!(one.client(&client("third")).unwrap().is_some());
}

#[test]
fn handles_that_write_at_once_lose_nothing_and_one_of_them_gets_a_disputed_id() {
    let place = Place::new();
    let won = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let place = &place;
                scope.spawn(move || {
                    let store = Store::open(&place.path, place.master()).unwrap();
                    for number in 0..5 {
                        let id = client(&format!("client-{writer}-{number}"));
                        store.by(TEST).add_client(&id, false, None).unwrap();
                    }
                    match store.by(TEST).add_client(&client("disputed"), false, None) {
                        Ok(_) => 1,
                        Err(Error::ClientExists(_)) => 0,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum::<u32>()
    });
    assert_eq!(won, 1);
    let store = place.open().unwrap();
    assert_eq!(store.clients(None, 100).unwrap().len(), 21);
    let keys = store.keys(None, None, 100).unwrap();
    assert_eq!(keys.len(), 21);
    for key in keys {
        store.private_key(&key).unwrap();
    }
    // One change made the store, and one each of its clients.
    let revision = rows(&place.path)
        .into_iter()
        .find(|row| row.0 == "revision");
    assert_eq!(revision.unwrap().2, 22);
}

#[test]
fn one_store_serves_many_threads() {
    let place = Place::filled();
    let store = place.open().unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let zone = zone_of(&format!("tenant-t{thread}"), &["app"]);
                let key = store.by(TEST).add_zone(&zone).unwrap();
                assert_eq!(store.active_key(&key.owner).unwrap(), key);
            });
        }
    });
    assert_eq!(store.zones(None, 10).unwrap().len(), 5);
}

#[test]
fn a_master_key_from_the_environment_opens_too() {
    let place = Place::filled();
    let text = fs::read_to_string(place.directory.path().join("master.key")).unwrap();
    let secret = Secret::from(text.trim_end().to_owned());
    let master = MasterKey::from_environment(&secret).unwrap();
    assert!(Store::open(&place.path, master).is_ok());
}
