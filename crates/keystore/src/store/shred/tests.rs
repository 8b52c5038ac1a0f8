use super::*;
use crate::record::Permitted;
use crate::store::NewZone;
use crate::{Error, MasterKey};

/// A store with these zones.
fn store(directory: &tempfile::TempDir, zones: &[&str]) -> Store {
    let path = directory.path().join("store.db");
    let store = Store::create(path.as_path(), MasterKey::generate().unwrap(), "a test").unwrap();
    for zone in zones {
        store
            .by("a test")
            .add_zone(&NewZone {
                id: Some(id(zone)),
                clients: Permitted::All,
                creator: None,
            })
            .unwrap();
    }
    store
}

fn id(text: &str) -> ZoneId {
    text.parse().unwrap()
}

fn seconds(store: &Store) -> u64 {
    let clock: Option<ClockBody> = store.read_json(&RecordName::Clock).unwrap();
    clock.unwrap().seconds
}

/// Writes the clock of destructions as a server would whose own clock is wrong by this much.
fn set_clock(store: &Store, behind: Duration) {
    let clock = ClockBody {
        system: Timestamp::from_seconds(Timestamp::now().seconds() - behind.as_secs()).unwrap(),
        seconds: seconds(store),
    };
    store
        .quietly(|tx| tx.put_json(&RecordName::Clock, &clock))
        .unwrap();
}

#[test]
fn servers_whose_clocks_differ_and_a_clock_that_nobody_has_read_end_no_grace_early() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory, &["tenant-1"]);
    let author = store.by("a test");
    author
        .order_destruction(&id("tenant-1"), Duration::from_secs(600))
        .unwrap();
    for _ in 0..5 {
        // Another server, or this one a while ago.
        set_clock(&store, Duration::from_secs(50 * 60));
        let swept = author.sweep().unwrap();
        assert_eq!((swept.destroyed.len(), swept.waiting), (0, 1));
    }
    assert_eq!(seconds(&store), 0);
}

#[test]
fn time_that_a_server_has_measured_is_counted_once_whoever_else_measures_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory, &["tenant-1"]);
    let author = store.by("a test");
    author
        .order_destruction(&id("tenant-1"), Duration::from_secs(3600))
        .unwrap();
    author.sweep().unwrap();
    let minute = |store: &Store| {
        let mut seen = store.lock_clock();
        let (_, since) = seen.as_mut().unwrap();
        *since -= Duration::from_secs(61);
    };
    let key = MasterKey::from_bytes(store.given().expose_secret()).unwrap();
    let other = Store::open(store.path(), key).unwrap();
    other.by("another").sweep().unwrap();
    minute(&store);
    minute(&other);
    author.sweep().unwrap();
    other.by("another").sweep().unwrap();
    assert!((61..70).contains(&seconds(&store)), "{}", seconds(&store));
    // And more than an hour between two readings is no running server's.
    for _ in 0..70 {
        minute(&store);
    }
    let swept = author.sweep().unwrap();
    assert!((61..70).contains(&seconds(&store)));
    assert_eq!((swept.destroyed.len(), swept.waiting), (0, 1));
}

#[test]
fn what_was_measured_before_a_zone_was_to_go_is_no_part_of_its_grace() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory, &["tenant-1", "tenant-2"]);
    let author = store.by("a test");
    let grace = Duration::from_secs(50);
    author
        .order_destruction(&id("tenant-1"), 100 * grace)
        .unwrap();
    author.sweep().unwrap();
    if let Some((_, since)) = &mut *store.lock_clock() {
        *since -= Duration::from_secs(55);
    }
    author.order_destruction(&id("tenant-2"), grace).unwrap();
    let swept = author.sweep().unwrap();
    assert_eq!((swept.destroyed.len(), swept.waiting), (0, 2));
}

#[test]
fn a_mark_of_destruction_that_was_put_back_destroys_nothing_and_goes() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory, &["tenant-1", "tenant-2"]);
    let author = store.by("a test");
    for zone in ["tenant-1", "tenant-2"] {
        author.order_destruction(&id(zone), Duration::ZERO).unwrap();
        author.cancel_destruction(&id(zone)).unwrap();
        let put_back = RecordName::Pending(0, id(zone));
        store.quietly(|tx| tx.put_json(&put_back, &())).unwrap();
    }
    // The one is to be kept, the other to go much later.
    author
        .order_destruction(&id("tenant-2"), Duration::from_secs(3600))
        .unwrap();
    let swept = author.sweep().unwrap();
    assert_eq!((swept.destroyed.len(), swept.waiting), (0, 1));
    assert_eq!(
        store.zone(&id("tenant-1")).unwrap().unwrap().fate,
        Fate::Kept
    );
    let pending = store.scan_bodies(RecordName::PENDING, None, SWEEP).unwrap();
    assert_eq!(pending.len(), 1, "only the one that is meant is left");
    assert_eq!(
        store.verify_audit(None, |_| {}).unwrap().faults,
        Vec::<String>::new()
    );
}

#[test]
fn a_zone_whose_record_was_altered_holds_up_no_other_zones_destruction() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory, &["tenant-1", "tenant-2"]);
    let author = store.by("a test");
    for zone in ["tenant-1", "tenant-2"] {
        author.order_destruction(&id(zone), Duration::ZERO).unwrap();
    }
    let database = rusqlite::Connection::open(store.path()).unwrap();
    let alter = "UPDATE record SET value = zeroblob(80) WHERE name = 'zone/tenant-1'";
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    let swept = author.sweep().unwrap();
    assert_eq!(swept.destroyed, [id("tenant-2")]);
    let (failed, error) = &swept.failed[0];
    assert_eq!(*failed, id("tenant-1"));
    assert!(matches!(error, Error::Altered { .. }), "{error}");
}
