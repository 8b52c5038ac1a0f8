use std::path::Path;

use envelope::{Recipient, find};
use tempfile::TempDir;

use super::*;
use crate::{KeyRecord, MasterKey, NewZone};

/// A store with the clients `app` and `other`, and a zone that `app` may open.
struct Fixture {
    _directory: TempDir,
    store: Store,
    app: KeyRecord,
    other: KeyRecord,
    zone: KeyRecord,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = Store::create(&path, MasterKey::generate().unwrap(), "a test").unwrap();
    let [app, other] = ["app", "other"].map(client);
    Fixture {
        app: store.by("a test").add_client(&app, false, None).unwrap(),
        other: store.by("a test").add_client(&other, false, None).unwrap(),
        zone: store
            .by("a test")
            .add_zone(&NewZone {
                id: None,
                clients: Permitted::Only([app].into()),
                creator: None,
            })
            .unwrap(),
        store,
        _directory: directory,
    }
}

fn client(id: &str) -> ClientId {
    id.parse().unwrap()
}

fn cache(keys: usize, schedules: usize) -> KeyCache {
    let [keys, schedules] = [keys, schedules].map(|size| NonZeroUsize::new(size).unwrap());
    KeyCache::new(keys, schedules)
}

/// A sealed value and the schedule that opens it.
fn opened(key: &KeyRecord, open: &OpenKey) -> (ScheduleId, Arc<Schedule>) {
    let recipient = Recipient::new(key.owner.clone(), key.public_key);
    let sealed = recipient.seal(b"value").unwrap();
    let (_, envelope) = find(&sealed).unwrap();
    let schedule = Schedule::derive(&envelope, &open.owner, private(open)).unwrap();
    let plaintext = schedule.open(&envelope).unwrap();
    assert_eq!(plaintext.expose_secret(), b"value");
    (envelope.schedule_id().unwrap(), Arc::new(schedule))
}

fn private(key: &OpenKey) -> &PrivateKey {
    match &key.private {
        Use::Opens(private) => private,
        Use::Withheld(why) => panic!("it is withheld: {why:?}"),
    }
}

fn alter(path: &Path, name: &str) {
    let database = rusqlite::Connection::open(path).unwrap();
    let sql = "UPDATE record SET value = zeroblob(80) WHERE name LIKE ?1";
    assert_eq!(database.execute(sql, [name]).unwrap(), 1);
}

#[test]
fn a_key_is_there_once_it_was_loaded_and_opens_what_was_sealed_to_it() {
    let it = fixture();
    let cache = cache(8, 8);
    let ids = [it.app.key_id, it.zone.key_id];
    assert!(ids.iter().all(|&id| cache.get(id).is_none()));
    assert_eq!(cache.unread(ids), ids);
    let loaded = cache.load(&it.store, &ids).unwrap();
    assert_eq!((loaded.keys.len(), loaded.failed.len()), (2, 0));
    assert!(cache.unread(ids).is_empty());
    for record in [&it.app, &it.zone] {
        let key = cache.get(record.key_id).unwrap();
        assert_eq!((&key.owner, key.version), (&record.owner, 1));
        opened(record, &key);
    }
}

#[test]
fn a_clients_key_permits_that_client_and_a_zones_key_those_of_the_zone() {
    let it = fixture();
    let cache = cache(8, 8);
    let ids = [it.app.key_id, it.other.key_id, it.zone.key_id];
    let loaded = cache.load(&it.store, &ids).unwrap();
    let permits = |id, of: &str| loaded.keys[&id].permits(&client(of));
    assert!(permits(it.app.key_id, "app") && !permits(it.app.key_id, "other"));
    assert!(permits(it.other.key_id, "other") && !permits(it.other.key_id, "app"));
    assert!(permits(it.zone.key_id, "app") && !permits(it.zone.key_id, "other"));
}

#[test]
fn an_id_without_a_key_is_read_once_until_the_store_changes() {
    let it = fixture();
    let cache = cache(8, 8);
    let unknown = KeyId::from_bytes([1; 8]);
    assert_eq!(cache.unread([unknown, it.app.key_id, unknown]).len(), 2);
    let loaded = cache.load(&it.store, &[unknown]).unwrap();
    assert!(loaded.keys.is_empty() && loaded.failed.is_empty());
    assert!(cache.get(unknown).is_none());
    assert!(cache.unread([unknown]).is_empty());
    cache.forget_all();
    assert_eq!(cache.unread([unknown]), [unknown]);
}

#[test]
fn the_cache_is_bounded_and_an_evicted_key_has_no_other_holder() {
    let it = fixture();
    let cache = cache(2, 1);
    let ids = [it.app.key_id, it.other.key_id, it.zone.key_id];
    let loaded = cache.load(&it.store, &ids).unwrap();
    assert_eq!(loaded.keys.len(), 3);
    assert!(cache.get(ids[0]).is_none());
    assert_eq!(Arc::strong_count(&loaded.keys[&ids[0]]), 1);
    assert!(cache.get(ids[1]).is_some() && cache.get(ids[2]).is_some());

    let loaded = cache.load(&it.store, &[it.app.key_id]).unwrap();
    let key = &loaded.keys[&it.app.key_id];
    let [one, other] = [(); 2].map(|()| opened(&it.app, key));
    cache.put_schedule(key, it.app.key_id, one.0, Arc::clone(&one.1));
    assert!(cache.schedule(&one.0).is_some());
    cache.put_schedule(key, it.app.key_id, other.0, other.1);
    assert!(cache.schedule(&one.0).is_none());
    assert_eq!(Arc::strong_count(&one.1), 1);
    assert!(cache.schedule(&other.0).is_some());
}

#[test]
fn forgetting_all_forgets_keys_and_schedules_and_takes_no_late_ones() {
    let it = fixture();
    let cache = cache(8, 8);
    let id = it.app.key_id;
    let loaded = cache.load(&it.store, &[id]).unwrap();
    let key = &loaded.keys[&id];
    let (schedule_id, schedule) = opened(&it.app, key);
    cache.put_schedule(key, it.app.key_id, schedule_id, Arc::clone(&schedule));
    cache.forget_all();
    assert!(cache.get(id).is_none());
    assert!(cache.schedule(&schedule_id).is_none());
    assert_eq!(
        (Arc::strong_count(key), Arc::strong_count(&schedule)),
        (1, 1)
    );

    // Read, or derived, before the change, and put in after it.
    assert!(!cache.put(0, &[id], &loaded));
    cache.put_schedule(key, it.app.key_id, schedule_id, schedule);
    assert!(cache.get(id).is_none());
    assert!(cache.schedule(&schedule_id).is_none());
}

#[test]
fn an_altered_key_fails_alone_and_by_name() {
    let it = fixture();
    let cache = cache(8, 8);
    let ids = [it.app.key_id, it.other.key_id, it.zone.key_id];
    alter(it.store.path(), "private/client/app/%");
    alter(it.store.path(), "zone/%");
    let loaded = cache.load(&it.store, &ids).unwrap();
    assert!(loaded.keys.contains_key(&it.other.key_id));
    let failed: Vec<_> = loaded.failed.iter().map(|(id, _)| *id).collect();
    assert_eq!(failed, [it.app.key_id, it.zone.key_id]);
    let error = loaded.failed[0].1.to_string();
    assert!(error.starts_with("record private/client/app/"), "{error}");
    assert!(cache.get(it.app.key_id).is_none());
    assert!(cache.unread(ids).is_empty());
}

#[test]
fn a_store_that_cannot_be_read_fails_the_load_and_is_asked_again() {
    let it = fixture();
    let cache = cache(8, 8);
    let database = rusqlite::Connection::open(it.store.path()).unwrap();
    database.execute("DROP TABLE record", []).unwrap();
    let id = it.app.key_id;
    assert!(cache.load(&it.store, &[id]).is_err());
    assert_eq!(cache.unread([id]), [id]);
}

/// Forgets what has changed since the store was at `since`.
fn forget(cache: &KeyCache, store: &Store, since: crate::Revision) {
    cache.forget(&store.changes(since).unwrap());
}

#[test]
fn a_change_of_one_owner_leaves_the_others_keys_and_schedules_where_they_are() {
    let it = fixture();
    let cache = cache(8, 8);
    let ids = [it.app.key_id, it.zone.key_id];
    let loaded = cache.load(&it.store, &ids).unwrap();
    let schedules = [&it.app, &it.zone].map(|record| {
        let key = &loaded.keys[&record.key_id];
        let (id, schedule) = opened(record, key);
        cache.put_schedule(key, record.key_id, id, schedule);
        id
    });
    let unknown = KeyId::from_bytes([1; 8]);
    cache.load(&it.store, &[unknown]).unwrap();

    let before = it.store.revision().unwrap();
    it.store.by("a test").rotate_key(&it.zone.owner).unwrap();
    forget(&cache, &it.store, before);
    assert!(cache.get(ids[0]).is_some() && cache.schedule(&schedules[0]).is_some());
    assert!(cache.get(ids[1]).is_none() && cache.schedule(&schedules[1]).is_none());
    assert!(
        cache.unread([unknown]).is_empty(),
        "it is still no key's id"
    );
}

#[test]
fn a_change_of_an_owner_takes_the_schedules_of_keys_too_that_have_left_the_cache() {
    let it = fixture();
    let cache = cache(1, 8);
    let (id, other) = (it.app.key_id, it.other.key_id);
    let loaded = cache.load(&it.store, &[id]).unwrap();
    let (schedule_id, schedule) = opened(&it.app, &loaded.keys[&id]);
    cache.put_schedule(&loaded.keys[&id], id, schedule_id, schedule);
    cache.load(&it.store, &[other]).unwrap();
    assert!(cache.get(id).is_none() && cache.schedule(&schedule_id).is_some());

    let before = it.store.revision().unwrap();
    it.store.by("a test").rotate_key(&it.app.owner).unwrap();
    forget(&cache, &it.store, before);
    assert!(cache.schedule(&schedule_id).is_none());
    assert!(cache.get(other).is_some());
}

#[test]
fn a_key_that_failed_is_read_again_when_an_owner_has_changed() {
    let it = fixture();
    let cache = cache(8, 8);
    let (id, unknown) = (it.zone.key_id, KeyId::from_bytes([1; 8]));
    let database = rusqlite::Connection::open(it.store.path()).unwrap();
    let private = "private/zone/%";
    let read = "SELECT value FROM record WHERE name LIKE ?1";
    let value: Vec<u8> = database
        .query_row(read, [private], |row| row.get(0))
        .unwrap();
    alter(it.store.path(), private);
    let loaded = cache.load(&it.store, &[id, unknown]).unwrap();
    assert_eq!(loaded.failed.len(), 1);
    // As if it had been read in the middle of a change.
    let write = "UPDATE record SET value = ?2 WHERE name LIKE ?1";
    database
        .execute(write, rusqlite::params![private, value])
        .unwrap();

    let before = it.store.revision().unwrap();
    it.store.by("a test").rotate_key(&it.zone.owner).unwrap();
    forget(&cache, &it.store, before);
    assert_eq!(cache.unread([id, unknown]), [id]);
    assert!(cache.load(&it.store, &[id]).unwrap().failed.is_empty());
}

#[test]
fn an_id_that_was_none_is_looked_for_again_when_a_key_has_come_that_has_it() {
    let it = fixture();
    let cache = cache(8, 8);
    let elsewhere = fixture();
    let id = it.app.key_id;
    cache.load(&elsewhere.store, &[id]).unwrap();
    assert!(cache.unread([id]).is_empty());
    cache.forget(&it.store.changes(crate::Revision::default()).unwrap());
    assert_eq!(cache.unread([id]), [id]);
}

#[test]
fn a_key_that_is_retired_or_destroyed_is_there_and_says_why_it_does_not_open() {
    let it = fixture();
    let author = it.store.by("a test");
    let withheld = |id| {
        let loaded = cache(8, 8).load(&it.store, &[id]).unwrap();
        match loaded.keys[&id].private {
            Use::Opens(_) => None,
            Use::Withheld(why) => Some(why),
        }
    };
    author.rotate_key(&it.app.owner).unwrap();
    assert_eq!(withheld(it.app.key_id), None);
    author.retire_key(&it.app.owner, 1, false).unwrap();
    assert_eq!(withheld(it.app.key_id), Some(Withheld::Retired));
    author.destroy_key(&it.app.owner, 1, false).unwrap();
    assert_eq!(withheld(it.app.key_id), Some(Withheld::Destroyed));

    let zone: envelope::ZoneId = it.zone.owner.id().parse().unwrap();
    author
        .order_destruction(&zone, std::time::Duration::from_secs(60))
        .unwrap();
    assert_eq!(withheld(it.zone.key_id), Some(Withheld::Destroying));
    author.cancel_destruction(&zone).unwrap();
    assert_eq!(withheld(it.zone.key_id), None);
    author
        .order_destruction(&zone, std::time::Duration::from_secs(60))
        .unwrap();
    author.destroy_zone(&zone).unwrap();
    assert_eq!(withheld(it.zone.key_id), Some(Withheld::Destroyed));
}

#[test]
fn a_use_is_told_once_an_hour_and_for_each_key() {
    let it = fixture();
    let cache = cache(8, 8);
    let ids = [it.app.key_id, it.other.key_id];
    let loaded = cache.load(&it.store, &ids).unwrap();
    for _ in 0..3 {
        cache.note_use(&loaded.keys[&ids[0]]);
    }
    let used = cache.take_used();
    assert_eq!(used, [(it.app.owner.clone(), 1)]);
    it.store.note_use(&used).unwrap();
    assert!(it.store.last_use(&it.app.owner, 1).unwrap().is_some());
    assert!(it.store.last_use(&it.other.owner, 1).unwrap().is_none());
    cache.note_use(&loaded.keys[&ids[0]]);
    assert!(cache.take_used().is_empty());
}
