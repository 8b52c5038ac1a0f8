//! Opened keys and key schedules in memory, for the hot path of a server.
//!
//! Lookups never touch the disk; [`KeyCache::load`] does, and is called off async threads. Both
//! caches are bounded, and what falls out of them is wiped as soon as its last user lets it go.
//! Whether a key may be used (zone mode, permission, tag) is decided before, by the server.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use envelope::{ClientId, KeyId, Owner, PrivateKey, Schedule, ScheduleId};
use lru::LruCache;

use crate::name::RecordName;
use crate::record::{Fate, KeyState, Permitted, Timestamp};
use crate::store::Changed;
use crate::{Error, Store};

/// Seconds in which a key's use is noted once.
const USE_STEP: u64 = 60 * 60;
/// Keys whose use waits to be written down; further ones are noted at their next use.
const MAX_USED: usize = 100_000;

/// A key, ready to open, or to say why it does not.
pub struct OpenKey {
    /// Whose key it is.
    pub owner: Owner,
    /// Its version, for metrics.
    pub version: u32,
    /// Who may open values sealed to it: a client for itself, the listed clients for a zone.
    pub clients: Permitted,
    /// Its private half, or why it is not used.
    pub private: Use,
    /// The hour, since 1970, in which its use was noted last.
    noted: AtomicU64,
}

/// What a key can be used for.
pub enum Use {
    /// It opens.
    Opens(PrivateKey),
    /// It does not, for this reason.
    Withheld(Withheld),
}

/// Why a key that the store knows opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// It was retired, and can be restored.
    Retired,
    /// Its zone is to be destroyed, and can be kept.
    Destroying,
    /// It was destroyed: what was sealed to it is shredded.
    Destroyed,
}

impl OpenKey {
    /// Whether this client may open values sealed to the key.
    pub fn permits(&self, client: &ClientId) -> bool {
        self.clients.permits(client)
    }
}

/// What [`KeyCache::load`] found.
#[derive(Default)]
pub struct Loaded {
    /// The keys that the store has. They are here even if the cache is too small for all of them.
    pub keys: HashMap<KeyId, Arc<OpenKey>>,
    /// Keys whose records cannot be used, each with the reason; their values are refused.
    pub failed: Vec<(KeyId, Error)>,
}

/// A cache of opened keys and of key schedules, shared by all sessions of a server.
pub struct KeyCache {
    state: Mutex<State>,
    used: Mutex<HashSet<(Owner, u32)>>,
}

struct State {
    /// Counts changes of the store: what was read before one is not put in after it.
    generation: u64,
    keys: LruCache<KeyId, Arc<OpenKey>>,
    /// Ids that a load has found no usable key for: hostile rows must not cause a read each.
    refused: LruCache<KeyId, NotUsable>,
    /// Schedules, each with whose key it was derived with: that may have left the cache before it.
    schedules: LruCache<ScheduleId, (Owner, Arc<Schedule>)>,
}

/// Why a load has found no usable key of an id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NotUsable {
    /// The store has none.
    Unknown,
    /// Its records cannot be used, or were being changed.
    Failed,
}

impl KeyCache {
    /// An empty cache for this many keys, and as many ids without a key, and this many schedules.
    ///
    /// A schedule takes about 700 bytes.
    pub fn new(keys: NonZeroUsize, schedules: NonZeroUsize) -> Self {
        KeyCache {
            state: Mutex::new(State {
                generation: 0,
                keys: LruCache::new(keys),
                refused: LruCache::new(keys),
                schedules: LruCache::new(schedules),
            }),
            used: Mutex::default(),
        }
    }

    /// The key of this id, if it was loaded.
    pub fn get(&self, id: KeyId) -> Option<Arc<OpenKey>> {
        self.lock().keys.get(&id).cloned()
    }

    /// Those of `ids` that a load has not answered yet: neither loaded nor found unusable.
    pub fn unread(&self, ids: impl IntoIterator<Item = KeyId>) -> Vec<KeyId> {
        let mut seen = HashSet::new();
        let mut state = self.lock();
        ids.into_iter()
            .filter(|id| state.keys.get(id).is_none() && state.refused.get(id).is_none())
            .filter(|id| seen.insert(*id))
            .collect()
    }

    /// Reads keys from the store into the cache. Blocks on the disk.
    ///
    /// A record that was altered fails its own key only; a store that cannot be read fails all.
    pub fn load(&self, store: &Store, ids: &[KeyId]) -> Result<Loaded, Error> {
        loop {
            let generation = self.lock().generation;
            let mut loaded = Loaded::default();
            for &id in ids {
                match open_key(store, id) {
                    Ok(Some(key)) => {
                        loaded.keys.insert(id, Arc::new(key));
                    }
                    Ok(None) => {}
                    Err(error) if concerns_one_key(&error) => loaded.failed.push((id, error)),
                    Err(error) => return Err(error),
                }
            }
            if self.put(generation, ids, &loaded) {
                return Ok(loaded);
            }
            // The store changed meanwhile, and what was read may be old: once more.
        }
    }

    /// The schedule of this id, if one was put in.
    pub fn schedule(&self, id: &ScheduleId) -> Option<Arc<Schedule>> {
        let mut state = self.lock();
        state
            .schedules
            .get(id)
            .map(|(_, schedule)| schedule.clone())
    }

    /// Keeps a schedule that was derived with `key`. Only one that has opened a value belongs
    /// here: otherwise anybody who can write rows could push out the others.
    ///
    /// Left out when the key is not the one in the cache (any more).
    pub fn put_schedule(
        &self,
        key: &Arc<OpenKey>,
        key_id: KeyId,
        id: ScheduleId,
        schedule: Arc<Schedule>,
    ) {
        let mut state = self.lock();
        let known = state.keys.peek(&key_id);
        if known.is_some_and(|known| Arc::ptr_eq(known, key)) {
            state.schedules.put(id, (key.owner.clone(), schedule));
        }
    }

    /// Takes note that a value was opened with this key; cheap but for the first time in an hour.
    pub fn note_use(&self, key: &OpenKey) {
        let hour = Timestamp::now().seconds() / USE_STEP;
        if key.noted.load(Ordering::Relaxed) == hour {
            return;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < MAX_USED {
            key.noted.store(hour, Ordering::Relaxed);
            used.insert((key.owner.clone(), key.version));
        }
    }

    /// The keys that were used since this was asked last, to be written down with
    /// [`Store::note_use`].
    pub fn take_used(&self) -> Vec<(Owner, u32)> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *used).into_iter().collect()
    }

    /// Forgets what has changed in the store.
    pub fn forget(&self, changed: &Changed) {
        let Some(names) = changed.names() else {
            return self.forget_all();
        };
        let owners: HashSet<&Owner> = names.iter().filter_map(RecordName::owner).collect();
        let ids = names.iter().filter_map(|name| match name {
            RecordName::KeyId(id) => Some(id),
            _ => None,
        });
        let forgotten = {
            let mut state = self.lock();
            let mut new_ids = false;
            for id in ids {
                new_ids = true;
                state.refused.pop(id);
            }
            if owners.is_empty() && !new_ids {
                return;
            }
            state.generation += 1;
            if owners.is_empty() {
                return;
            }
            // Whose they are is not known.
            pop(&mut state.refused, |_, why| *why == NotUsable::Failed);
            (
                pop(&mut state.keys, |_, key| owners.contains(&key.owner)),
                pop(&mut state.schedules, |_, (owner, _)| owners.contains(owner)),
            )
        };
        // Wiped after the lock was let go.
        drop(forgotten);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        let forgotten = {
            let mut state = self.lock();
            state.generation += 1;
            let keys = state.keys.cap();
            let schedules = state.schedules.cap();
            (
                mem::replace(&mut state.keys, LruCache::new(keys)),
                mem::replace(&mut state.refused, LruCache::new(keys)),
                mem::replace(&mut state.schedules, LruCache::new(schedules)),
            )
        };
        drop(forgotten);
    }

    /// Puts in what was read in this generation; `false` if another has begun.
    fn put(&self, generation: u64, ids: &[KeyId], loaded: &Loaded) -> bool {
        let mut state = self.lock();
        if state.generation != generation {
            return false;
        }
        for id in ids {
            match loaded.keys.get(id) {
                Some(key) => drop(state.keys.put(*id, Arc::clone(key))),
                None => {
                    let failed = loaded.failed.iter().any(|(failed, _)| failed == id);
                    let why = if failed {
                        NotUsable::Failed
                    } else {
                        NotUsable::Unknown
                    };
                    state.refused.put(*id, why);
                }
            }
        }
        true
    }

    /// No code that holds the lock can panic half-way through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out what is meant, and leaves the others in their order.
fn pop<K: Hash + Eq + Copy, V>(
    cache: &mut LruCache<K, V>,
    is_meant: impl Fn(&K, &V) -> bool,
) -> Vec<V> {
    let meant: Vec<K> = cache
        .iter()
        .filter(|(key, value)| is_meant(key, value))
        .map(|(key, _)| *key)
        .collect();
    meant.iter().filter_map(|key| cache.pop(key)).collect()
}

/// Reads a key, and unwraps it if it opens; `None` when the store has no key of this id.
fn open_key(store: &Store, id: KeyId) -> Result<Option<OpenKey>, Error> {
    let Some(key) = store.key_by_id(id)? else {
        return Ok(None);
    };
    let (clients, fate) = match &key.owner {
        Owner::Client(client) => (Permitted::Only([client.clone()].into()), Fate::Kept),
        Owner::Zone(id) => {
            let zone = store.zone(id)?;
            let zone = zone.ok_or_else(|| Error::UnknownZone(id.clone()))?;
            (zone.clients, zone.fate)
        }
    };
    let private = match (key.state, fate) {
        (KeyState::Destroyed, _) => Use::Withheld(Withheld::Destroyed),
        (_, Fate::Destroying { .. } | Fate::Destroyed { .. }) => {
            Use::Withheld(Withheld::Destroying)
        }
        (KeyState::Retired, _) => Use::Withheld(Withheld::Retired),
        (KeyState::Active | KeyState::OpenOnly, Fate::Kept) => Use::Opens(store.private_key(&key)?),
    };
    Ok(Some(OpenKey {
        owner: key.owner,
        version: key.version,
        clients,
        private,
        noted: AtomicU64::new(0),
    }))
}

/// Whether the error is one of a key's own records, and the store can be read as a whole.
fn concerns_one_key(error: &Error) -> bool {
    matches!(
        error,
        Error::Altered { .. }
            | Error::UnknownForm { .. }
            | Error::RecordMissing { .. }
            | Error::UnknownZone(_)
    )
}

#[cfg(test)]
mod tests {
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
}
