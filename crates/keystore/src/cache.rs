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
    pub(crate) noted: AtomicU64,
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
    pub(crate) fn put(&self, generation: u64, ids: &[KeyId], loaded: &Loaded) -> bool {
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
mod tests;
