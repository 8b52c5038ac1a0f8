//! A store in a file and in etcd: copied and moved between them while it is used, backed up and
//! restored.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "places/backup.rs"]
mod backup;
#[path = "places/copy.rs"]
mod copy;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use envelope::{ClientId, Owner, ZoneId};
use harness::{Etcd, TestDir};
use pgseal_keystore::{
    Error, EtcdSettings, MasterKey, NewZone, Permitted, Place, SettingName, SettingValue, Store,
    StoreAddress,
};
use rusqlite::Connection;

static CLUSTER: LazyLock<Etcd> = LazyLock::new(Etcd::start);
static NEXT: AtomicU32 = AtomicU32::new(1);

const BY: &str = "operator test@here";

/// A directory with a master key in it, and places for stores.
struct Stand {
    directory: TestDir,
}

impl Stand {
    fn new() -> Self {
        let directory = TestDir::new("store");
        let master = MasterKey::generate().unwrap();
        master.write_new(&directory.path().join("key")).unwrap();
        Self { directory }
    }

    fn master(&self) -> MasterKey {
        MasterKey::from_file(&self.path("key")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str) -> Place {
        self.path(name).into()
    }

    /// A store with clients, zones, a rotated key, a destroyed zone and a setting.
    fn store(&self, place: &Place) -> Store {
        let store = Store::create(place.clone(), self.master(), BY).unwrap();
        let author = store.by(BY);
        author.add_client(&client("app"), true, None).unwrap();
        author.rotate_key(&Owner::Client(client("app"))).unwrap();
        for zone in ["tenant-1", "tenant-2"] {
            add_zone(&store, zone).unwrap();
        }
        author
            .order_destruction(&zone("tenant-2"), Duration::ZERO)
            .unwrap();
        author.destroy_zone(&zone("tenant-2")).unwrap();
        author.change_settings(&setting("mixed"), None).unwrap();
        store
    }

    fn open(&self, place: &Place) -> Result<Store, Error> {
        Store::open(place.clone(), self.master())
    }

    /// All values of a store in a file.
    fn values(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let database = Connection::open(self.path(name)).unwrap();
        let mut all = database
            .prepare("SELECT name, value FROM record WHERE value <> x''")
            .unwrap();
        all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }
}

/// A prefix in etcd that nobody uses, as `root`, who may purge.
fn etcd() -> Place {
    let name = format!("place-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let identity = CLUSTER.identity();
    Place {
        address: CLUSTER.address(&name).parse::<StoreAddress>().unwrap(),
        etcd: EtcdSettings {
            ca: Some(identity.ca.clone()),
            certificate: Some(identity.certificate.clone()),
            private_key: Some(identity.private_key.clone()),
            user: Some("root".into()),
            password_file: Some(CLUSTER.root_password_file()),
        },
    }
}

fn client(id: &str) -> ClientId {
    id.parse().unwrap()
}

fn zone(id: &str) -> ZoneId {
    id.parse().unwrap()
}

/// A change of a setting.
fn setting(value: &str) -> BTreeMap<SettingName, Option<SettingValue>> {
    [("zone_mode".parse().unwrap(), value.parse().ok())].into()
}

fn add_zone(store: &Store, id: &str) -> Result<(), Error> {
    let zone = NewZone {
        id: Some(zone(id)),
        clients: Permitted::Only([client("app")].into()),
        creator: None,
    };
    store.by(BY).add_zone(&zone).map(drop)
}

/// That a store is whole: its log tells of what it holds, and its keys open.
fn assert_whole(store: &Store) {
    let audited = store.verify_audit(None, |_| {}).unwrap();
    assert_eq!(audited.faults, Vec::<String>::new());
    for key in store.keys(None, None, 1000).unwrap() {
        let destroyed = key.owner == Owner::Zone(zone("tenant-2"));
        assert_eq!(store.private_key(&key).is_err(), destroyed);
    }
}

fn said<T>(result: Result<T, Error>) -> String {
    let text = result.map(drop).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn a_store_in_etcd_does_what_one_in_a_file_does() {
    let stand = Stand::new();
    let place = etcd();
    let store = stand.store(&place);
    assert_whole(&store);
    let again = stand.open(&place).unwrap();
    assert!(again.is_same_store(&store));
    let known = again.revision().unwrap();
    add_zone(&store, "tenant-3").unwrap();
    assert!(again.zone(&zone("tenant-3")).unwrap().is_some());
    assert!(again.changes(known).unwrap().revision > known);
    let wrong = Store::open(place.clone(), MasterKey::generate().unwrap());
    assert!(said(wrong).starts_with("wrong master key for etcd://"));
    let taken = Store::create(place, stand.master(), BY);
    assert!(said(taken).contains("exists already"));
    assert!(fs::read_dir(stand.directory.path()).unwrap().count() == 1);
}

#[test]
fn settings_are_changed_by_compare_and_set_wherever_the_store_is() {
    let stand = Stand::new();
    for place in [stand.file("store.db"), etcd()] {
        let store = stand.store(&place);
        let again = stand.open(&place).unwrap();
        let known = again.revision().unwrap();
        let seen = again.settings().unwrap();
        assert_eq!(seen.set["zone_mode"].value.as_str(), "mixed");
        let author = store.by("another");
        author
            .change_settings(&setting("on"), Some(seen.number))
            .unwrap();
        assert!(again.changes(known).unwrap().settings());
        let late = again
            .by(BY)
            .change_settings(&setting("off"), Some(seen.number));
        assert!(
            matches!(&late, Err(Error::SettingsChanged { last: Some(last), .. }) if last.by == "another"),
            "{late:?}"
        );
        let found = again.settings().unwrap();
        assert_eq!(
            (found.number, found.set["zone_mode"].value.as_str()),
            (2, "on")
        );
        assert_whole(&again);
    }
}
