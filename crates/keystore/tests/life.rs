//! What happens to keys and rights over time: rotation, retirement, destruction, grants, revocation,
//! settings, changes of the master key, and the audit log that tells it all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "life/audit.rs"]
mod audit;
#[path = "life/grants.rs"]
mod grants;
#[path = "life/master.rs"]
mod master;
#[path = "life/rotation.rs"]
mod rotation;
#[path = "life/settings.rs"]
mod settings;
#[path = "life/shredding.rs"]
mod shredding;

use std::fs;
use std::path::PathBuf;

use envelope::{ClientId, Owner, ZoneId};
use harness::TestDir;
use pgseal_keystore::{Author, MasterKey, NewZone, Permitted, Secret, Store};
use rusqlite::{Connection, params};

/// A store with the client `app`, which creates zones, `other`, and the zone `tenant-1` of `app`'s.
struct Place {
    directory: TestDir,
    path: PathBuf,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let directory = TestDir::new("store");
        let path = directory.path().join("store.db");
        let master = MasterKey::generate().unwrap();
        master
            .write_new(&directory.path().join("master.key"))
            .unwrap();
        let store = Store::create(&path, master, "a test").unwrap();
        let author = store.by("a test");
        author.add_client(&client("app"), true, None).unwrap();
        author.add_client(&client("other"), false, None).unwrap();
        author
            .add_zone(&NewZone {
                id: Some(zone()),
                clients: Permitted::Only([client("app")].into()),
                creator: None,
            })
            .unwrap();
        Place {
            directory,
            path,
            store,
        }
    }

    fn author(&self) -> Author<'_> {
        self.store.by("a test")
    }

    /// The master key in the file of this name.
    fn master(&self, file: &str) -> MasterKey {
        MasterKey::from_file(&self.directory.path().join(file)).unwrap()
    }

    /// Another handle on the store, as another program has it.
    fn again(&self) -> Store {
        Store::open(&self.path, self.master("master.key")).unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let found = self.database().query_row(
            "SELECT value FROM record WHERE name = ?1 AND value <> x''",
            [name],
            |row| row.get(0),
        );
        found.ok()
    }

    fn set_value(&self, name: &str, value: &[u8]) {
        let set = "UPDATE record SET value = ?2 WHERE name = ?1";
        let changed = self.database().execute(set, params![name, value]);
        assert_eq!(changed.unwrap(), 1, "{name}");
    }

    fn remove(&self, name: &str) {
        let changed = self
            .database()
            .execute("DELETE FROM record WHERE name = ?1", [name]);
        assert_eq!(changed.unwrap(), 1, "{name}");
    }

    /// What checking the audit log finds.
    fn faults(&self) -> Vec<String> {
        self.again().verify_audit(None, |_| {}).unwrap().faults
    }

    /// Whether these bytes stand in any file of the store.
    fn holds(&self, sought: &[u8]) -> bool {
        fs::read_dir(self.directory.path()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(sought.len()).any(|window| window == sought)
        })
    }
}

fn client(id: &str) -> ClientId {
    id.parse().unwrap()
}

fn zone() -> ZoneId {
    "tenant-1".parse().unwrap()
}

fn app() -> Owner {
    Owner::Client(client("app"))
}

/// A master key that is not in any file.
fn new_master() -> MasterKey {
    MasterKey::generate().unwrap()
}

/// The same key twice; keys are not copied by themselves.
fn twice(directory: &TestDir) -> [MasterKey; 2] {
    let path = directory.path().join("new.key");
    new_master().write_new(&path).unwrap();
    [(); 2].map(|()| MasterKey::from_file(&path).unwrap())
}

#[test]
fn a_key_read_back_from_its_file_is_the_same() {
    let place = Place::new();
    let [one, other] = twice(&place.directory);
    assert_eq!(one.id(), other.id());
    let text = fs::read_to_string(place.directory.path().join("new.key")).unwrap();
    let third = MasterKey::from_environment(&Secret::from(text.trim().to_owned())).unwrap();
    assert_eq!(third.id(), one.id());
}
