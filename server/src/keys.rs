//! The store as the server uses it: off the async threads, and watched for changes.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use daemon::Shutdown;
use envelope::KeyId;
use keystore::{KeyCache, Store};

/// Keys kept in memory. A million zones cost no more than this many keys.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Key schedules kept in memory, about 700 bytes each.
const MAX_SCHEDULES: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How often the store is asked whether it has changed; readers must see a change within a second.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// The store and what of it is in memory. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    store: Arc<Store>,
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
    /// Over an open store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store: Arc::new(store),
            cache: Arc::new(KeyCache::new(MAX_KEYS, MAX_SCHEDULES)),
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
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || question(&store))
            .await
            .map_err(|_| KeysError::Interrupted)?
            .map_err(Into::into)
    }

    /// Brings those of these keys into memory that the store has. What goes wrong is logged, and
    /// the values stay refused.
    pub async fn load(&self, ids: Vec<KeyId>) {
        let unread = self.cache.unread(ids);
        if unread.is_empty() {
            return;
        }
        let cache = self.cache.clone();
        match self.ask(move |store| cache.load(store, &unread)).await {
            Ok(loaded) => {
                for (key_id, error) in loaded.failed {
                    tracing::error!(%key_id, %error, "a key cannot be used");
                }
            }
            Err(error) => tracing::error!(%error, "keys cannot be read"),
        }
    }

    /// Forgets what is in memory whenever the store has changed; until shutdown.
    pub async fn watch(self, mut shutdown: Shutdown) {
        let mut known = None;
        loop {
            match self.ask(Store::revision).await {
                Ok(revision) => {
                    if known.is_some_and(|known| known != revision) {
                        self.cache.invalidate();
                    }
                    known = Some(revision);
                }
                Err(error) => tracing::error!(%error, "the store cannot be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                () = shutdown.begun() => return,
            }
        }
    }
}
