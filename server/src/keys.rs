//! The store as the server uses it: off the async threads, and watched for changes.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use daemon::Shutdown;
use envelope::KeyId;
use keystore::{KeyCache, Revision, Store};
use tokio::time::{Instant, MissedTickBehavior};
use tunnel::Revoked;

use crate::opener::Fetched;
use crate::revocations::Follower;

/// Keys kept in memory. A million zones cost no more than this many keys.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Key schedules kept in memory, about 700 bytes each.
const MAX_SCHEDULES: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How often the store is asked whether it has changed; readers must see a change within a second.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// How often it is written down which keys were used, and looked for zones to be destroyed.
const CHORES_INTERVAL: Duration = Duration::from_secs(1);

/// The store and what of it is in memory. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    store: Arc<Store>,
    /// In whose name this server changes the store.
    by: Arc<str>,
    /// Keys and schedules in memory.
    pub cache: Arc<KeyCache>,
}

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It says why.
    #[error(transparent)]
    Store(#[from] keystore::Error),
    /// The task that asked it ended early: the process is ending, or has a defect.
    #[error("the store was not asked to the end")]
    Interrupted,
}

impl Keys {
    /// Over an open store, for the server of this id.
    #[must_use]
    pub fn new(store: Store, server: &str) -> Self {
        Self {
            by: format!("server {server}").into(),
            cache: Arc::new(KeyCache::new(MAX_KEYS, MAX_SCHEDULES)),
            store: Arc::new(store),
        }
    }

    /// In whose name a client's change is made through this server.
    #[must_use]
    pub fn author(&self, client: &envelope::ClientId) -> String {
        format!("client {client} through {}", self.by)
    }

    /// Asks the store, which may take a disk's time.
    ///
    /// # Errors
    /// What the store says.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, keystore::Error> + Send + 'static,
    ) -> Result<T, KeysError> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || question(&store))
            .await
            .map_err(|_| KeysError::Interrupted)?
            .map_err(Into::into)
    }

    /// How many changes the store has seen, if it is still the one that was opened.
    ///
    /// # Errors
    /// What the store says.
    pub async fn revision(&self) -> Result<Revision, KeysError> {
        let ask = |store: &Store| store.changes(Revision::default());
        Ok(self.ask(ask).await?.revision)
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
        match self.ask(move |store| cache.load(store, &unread)).await {
            Ok(loaded) => {
                fetched.keys.extend(loaded.keys);
                for (key_id, error) in loaded.failed {
                    tracing::error!(%key_id, %error, "a key cannot be used");
                }
            }
            Err(error) => tracing::error!(%error, "keys cannot be read"),
        }
    }

    /// Forgets what is in memory whenever the store has changed, and follows who is revoked; until
    /// shutdown.
    pub async fn watch(self, revoked: Revoked, mut shutdown: Shutdown) {
        let mut follower = Follower::default();
        let mut known = Revision::default();
        let mut well = true;
        loop {
            let since = known;
            match self.ask(move |store| store.changes(since)).await {
                Ok(changed) => {
                    if !std::mem::replace(&mut well, true) {
                        tracing::info!("the store can be read again");
                    }
                    self.cache.forget(&changed);
                    known = changed.revision;
                    follower
                        .follow(&self, &revoked, changed.revocations())
                        .await;
                }
                // Said once: it is asked five times a second.
                Err(error) if std::mem::replace(&mut well, false) => {
                    tracing::error!(%error, "the store cannot be read");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Writes down which keys are used, and destroys zones whose grace has ended; until shutdown.
    pub async fn keep(self, mut shutdown: Shutdown) {
        let mut ticks = tokio::time::interval_at(Instant::now() + CHORES_INTERVAL, CHORES_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.begun() => return self.note_used().await,
            }
            self.note_used().await;
            self.sweep().await;
        }
    }

    async fn note_used(&self) {
        let used = self.cache.take_used();
        if used.is_empty() {
            return;
        }
        let count = used.len();
        if let Err(error) = self.ask(move |store| store.note_use(&used)).await {
            // A key's next use is noted again within an hour.
            tracing::warn!(%error, keys = count, "the use of keys could not be written down");
        }
    }

    async fn sweep(&self) {
        let by = self.by.clone();
        match self.ask(move |store| store.by(&*by).sweep()).await {
            Ok(swept) => {
                if swept.jumped {
                    tracing::warn!(
                        waiting = swept.waiting,
                        "the system's clock was set, or no server ran for over an hour: that time \
                         does not count towards the grace of zones to be destroyed"
                    );
                }
                for zone in swept.destroyed {
                    tracing::info!(%zone, "a zone's grace has ended: its keys are destroyed");
                }
            }
            Err(error) => tracing::debug!(%error, "zones to be destroyed could not be looked for"),
        }
    }
}
