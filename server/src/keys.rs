//! The store as the server uses it: off the async threads, watched for changes, and done without for
//! a while when it does not answer.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use control::UserName;
use daemon::Shutdown;
use envelope::{ClientId, KeyId};
use keystore::{KeyCache, Place, Revision, Store};
use lru::LruCache;
use tokio::time::MissedTickBehavior;

use crate::contact::Contact;
use crate::opener::Fetched;
use crate::revocations::Follower;
use crate::settings;
use crate::shared::Shared;

/// Keys kept in memory. A million zones cost no more than this many keys.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Key schedules kept in memory, about 700 bytes each.
const MAX_SCHEDULES: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Clients kept in memory, to know them again while the store does not answer.
const MAX_CLIENTS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How often the store is asked whether it has changed; readers must see a change within a second.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// How often it is written down which keys were used, and looked for zones to be destroyed.
const CHORES_INTERVAL: Duration = Duration::from_secs(1);

/// When zones to be destroyed are looked for again after that has failed: purging a store is work for
/// all of etcd.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);

/// The store and what of it is in memory. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    opened: Arc<ArcSwap<Opened>>,
    /// In whose name this server changes the store.
    by: Arc<str>,
    /// Keys and schedules in memory.
    pub cache: Arc<KeyCache>,
    /// When the store last answered.
    pub contact: Arc<Contact>,
    /// Clients that the store knows.
    clients: Arc<Mutex<LruCache<ClientId, ()>>>,
}

/// An open store, and where it was opened.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where it is.
    pub place: Place,
}

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It says why.
    #[error(transparent)]
    Store(#[from] keystore::Error),
    /// It has not answered for a while, and was not asked.
    #[error("the store has not answered for {} s", .0.as_secs())]
    Lost(Duration),
    /// The task that asked it ended early: the process is ending, or has a defect.
    #[error("the store was not asked to the end")]
    Interrupted,
}

impl Keys {
    /// Over an open store, for the server of this id.
    #[must_use]
    pub fn new(opened: Opened, server: &str, contact: Contact) -> Self {
        Self {
            by: format!("server {server}").into(),
            cache: Arc::new(KeyCache::new(MAX_KEYS, MAX_SCHEDULES)),
            opened: Arc::new(ArcSwap::from_pointee(opened)),
            contact: Arc::new(contact),
            clients: Arc::new(Mutex::new(LruCache::new(MAX_CLIENTS))),
        }
    }

    /// The store, and where it is.
    #[must_use]
    pub fn opened(&self) -> Arc<Opened> {
        self.opened.load_full()
    }

    /// Uses the same store from another place, from the next question on.
    pub fn exchange(&self, opened: Opened) {
        self.opened.store(Arc::new(opened));
    }

    /// In whose name a client's change is made through this server.
    #[must_use]
    pub fn author(&self, client: &ClientId) -> String {
        format!("client {client} through {}", self.by)
    }

    /// In whose name an admin's change is made through this server, and for which user, if it says.
    /// Neither name holds a space.
    #[must_use]
    pub fn author_admin(&self, admin: &str, user: Option<&UserName>) -> String {
        match user {
            Some(user) => format!("admin {admin} for {user} through {}", self.by),
            None => format!("admin {admin} through {}", self.by),
        }
    }

    /// Asks the store, which may take a disk's time.
    ///
    /// # Errors
    /// What the store says.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, keystore::Error> + Send + 'static,
    ) -> Result<T, KeysError> {
        let opened = self.opened();
        tokio::task::spawn_blocking(move || question(&opened.store))
            .await
            .map_err(|_| KeysError::Interrupted)?
            .map_err(Into::into)
    }

    /// [`ask`](Self::ask), unless the store has not answered for a while: then it says so at once.
    ///
    /// # Errors
    /// What the store says, or that it says nothing.
    pub async fn ask_promptly<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, keystore::Error> + Send + 'static,
    ) -> Result<T, KeysError> {
        let now = Instant::now();
        if self.contact.is_lost(now) {
            return Err(KeysError::Lost(self.contact.age(now)));
        }
        self.ask(question).await
    }

    /// Whether the store knows the client; from memory if the store does not answer and what is in
    /// memory is still used.
    ///
    /// # Errors
    /// Neither says.
    pub async fn knows(&self, client: &ClientId) -> Result<bool, KeysError> {
        let asked = client.clone();
        let found = self.ask_promptly(move |store| store.client(&asked)).await;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(Some(_)) => {
                clients.put(client.clone(), ());
                Ok(true)
            }
            Ok(None) => {
                clients.pop(client);
                Ok(false)
            }
            Err(error) => {
                let fresh = !self.contact.is_stale(Instant::now());
                match is_silence(&error) && fresh && clients.get(client).is_some() {
                    true => Ok(true),
                    false => Err(error),
                }
            }
        }
    }

    /// Fetches these keys, for one row and into memory. What goes wrong is logged, and the values
    /// stay refused.
    pub async fn fetch(&self, ids: Vec<KeyId>, fetched: &mut Fetched) {
        let unread = self.cache.unread(ids.iter().copied());
        // What has come into memory meanwhile may be gone from it by the time it is looked for.
        fetched.keys.extend(
            ids.iter()
                .filter_map(|id| Some((*id, self.cache.get(*id)?))),
        );
        fetched.asked.extend(ids);
        if unread.is_empty() {
            return;
        }
        let cache = self.cache.clone();
        let loaded = self.ask_promptly(move |store| cache.load(store, &unread));
        match loaded.await {
            Ok(loaded) => {
                fetched.keys.extend(loaded.keys);
                for (key_id, error) in loaded.failed {
                    tracing::error!(%key_id, %error, "a key cannot be used");
                }
            }
            Err(error) => {
                fetched.unread = true;
                // Said by the watch, once.
                if !matches!(error, KeysError::Lost(_)) {
                    tracing::error!(%error, "keys cannot be read");
                }
            }
        }
    }

    /// Forgets what is in memory whenever the store has changed, and follows who is revoked and what
    /// its settings are; until shutdown.
    pub async fn watch(self, shared: Arc<Shared>, mut shutdown: Shutdown) {
        let mut follower = Follower::default();
        let mut known = Revision::default();
        let (mut well, mut outdated) = (true, false);
        let mut from = self.opened();
        loop {
            let opened = self.opened();
            let was = std::mem::replace(&mut outdated, opened.store.master_key_is_outdated());
            if outdated && !was {
                tracing::warn!(
                    in_use = %opened.store.master_key_id(),
                    "the master key was replaced: give this server the new one and send it SIGHUP, \
                     before the old one is forgotten"
                );
            }
            if !Arc::ptr_eq(&opened, &from) {
                // The same store, in another place, where changes are counted otherwise.
                known = Revision::default();
                from = opened;
            }
            let (since, asked) = (known, Instant::now());
            match self.ask(move |store| store.changes(since)).await {
                Ok(changed) => {
                    if !std::mem::replace(&mut well, true) {
                        tracing::info!("the store can be read again");
                    }
                    self.cache.forget(&changed);
                    self.contact.confirm(asked, changed.revision);
                    known = changed.revision;
                    follower
                        .follow(&self, &shared.revoked, changed.revocations())
                        .await;
                    settings::follow(&shared, changed.settings()).await;
                }
                Err(error) => {
                    if !is_silence(&error) {
                        self.contact.fail();
                    }
                    // Said once: it is asked five times a second.
                    if std::mem::replace(&mut well, false) {
                        tracing::error!(%error, "the store cannot be read");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Forgets all keys once what is in memory is too old to be used; until shutdown.
    pub async fn expire(self, mut shutdown: Shutdown) {
        let mut stale = false;
        loop {
            let was = std::mem::replace(&mut stale, self.contact.is_stale(Instant::now()));
            match (was, stale) {
                (false, true) => {
                    self.cache.forget_all();
                    tracing::error!(
                        max_stale = ?self.contact.max_stale(),
                        "the store has not answered for max_stale: nothing is opened any more, and \
                         there are no new sessions"
                    );
                }
                (true, false) => tracing::info!("the store has answered: values are opened again"),
                _ => {}
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Writes down which keys are used, and destroys zones whose grace has ended; until shutdown.
    pub async fn keep(self, mut shutdown: Shutdown) {
        let first = tokio::time::Instant::now() + CHORES_INTERVAL;
        let mut ticks = tokio::time::interval_at(first, CHORES_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_sweep = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.begun() => return self.note_used().await,
            }
            self.note_used().await;
            if Instant::now() >= next_sweep && !self.sweep().await {
                next_sweep = Instant::now() + SWEEP_AGAIN;
            }
        }
    }

    async fn note_used(&self) {
        let used = self.cache.take_used();
        if used.is_empty() {
            return;
        }
        let count = used.len();
        let noted = self.ask_promptly(move |store| store.note_use(&used));
        if let Err(error) = noted.await {
            // A key's next use is noted again within an hour.
            tracing::warn!(%error, keys = count, "the use of keys could not be written down");
        }
    }

    /// Destroys what is due; `false` if that fails and need not be tried again at once.
    async fn sweep(&self) -> bool {
        let by = self.by.clone();
        let swept = self.ask_promptly(move |store| store.by(&*by).sweep());
        match swept.await {
            Ok(swept) => {
                if swept.jumped {
                    tracing::warn!(
                        waiting = swept.waiting,
                        "the system's clock was set, or no server ran for over an hour; it makes no \
                         grace of a zone to be destroyed shorter"
                    );
                }
                for zone in swept.destroyed {
                    tracing::info!(%zone, "a zone's grace has ended: its keys are destroyed");
                }
                for (zone, error) in &swept.failed {
                    tracing::warn!(%zone, %error, "a zone whose grace has ended is not destroyed");
                }
                swept.failed.is_empty()
            }
            // Said by the watch.
            Err(error) if is_silence(&error) => true,
            Err(error) => {
                tracing::warn!(%error, "zones to be destroyed are not, or not to the end");
                false
            }
        }
    }
}

/// The store's engine cannot be reached; that says nothing of what is in the store.
fn is_silence(error: &KeysError) -> bool {
    match error {
        KeysError::Lost(_) => true,
        KeysError::Store(error) => error.is_silence(),
        KeysError::Interrupted => false,
    }
}
