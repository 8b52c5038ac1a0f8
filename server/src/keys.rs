//! The store as the server uses it: off the async threads, and watched for changes.

use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use daemon::Shutdown;
use envelope::KeyId;
use keystore::{KeyCache, Revision, Store};

use crate::opener::Fetched;

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
    /// Which file the store is, by device and inode.
    file: (u64, u64),
    /// Keys and schedules in memory.
    pub cache: Arc<KeyCache>,
}

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It says why.
    #[error(transparent)]
    Store(#[from] keystore::Error),
    /// Another file stands where the store was: what is written there is not seen here.
    #[error("the store's file was moved away or replaced; restart the server")]
    Replaced,
    /// The task that asked it ended early: the process is ending, or has a defect.
    #[error("the store was not asked to the end")]
    Interrupted,
}

impl Keys {
    /// Over an open store.
    ///
    /// # Errors
    /// The store's file is gone already.
    pub fn new(store: Store) -> std::io::Result<Self> {
        let file = identity(&store)?;
        Ok(Self {
            file,
            cache: Arc::new(KeyCache::new(MAX_KEYS, MAX_SCHEDULES)),
            store: Arc::new(store),
        })
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
    /// What the store says, or that its file was replaced.
    pub async fn revision(&self) -> Result<Revision, KeysError> {
        let file = self.file;
        let ask = move |store: &Store| {
            Ok((
                store.revision()?,
                identity(store).is_ok_and(|now| now == file),
            ))
        };
        match self.ask(ask).await? {
            (revision, true) => Ok(revision),
            (_, false) => Err(KeysError::Replaced),
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

    /// Forgets what is in memory whenever the store has changed; until shutdown.
    pub async fn watch(self, mut shutdown: Shutdown) {
        let mut known = None;
        let mut well = true;
        loop {
            match self.revision().await {
                Ok(revision) => {
                    if !std::mem::replace(&mut well, true) {
                        tracing::info!("the store can be read again");
                    }
                    if known.is_some_and(|known| known != revision) {
                        self.cache.invalidate();
                    }
                    known = Some(revision);
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
}

fn identity(store: &Store) -> std::io::Result<(u64, u64)> {
    let file = std::fs::metadata(store.path())?;
    Ok((file.dev(), file.ino()))
}
