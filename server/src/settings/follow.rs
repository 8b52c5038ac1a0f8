//! Keeps the settings as the store has them.

use std::time::{Duration, Instant};

use keystore::Store;

use crate::keys::KeysError;
use crate::shared::Shared;

/// They are read again after so long even if the store's revision, which is not sealed, says that
/// nothing has changed.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// When they were read last; `None` while they have to be.
#[derive(Debug, Default)]
pub(super) struct Reader {
    read: Option<Instant>,
}

/// To be called whenever the store has answered; `changed` when it may hold other settings. They
/// hold here, or it is known why not, when it returns; unless the store does not answer.
pub async fn follow(shared: &Shared, changed: bool) {
    let mut reader = shared.settings.reader.lock().await;
    let asked = Instant::now();
    let is_due = |read: Instant| asked.duration_since(read) >= READ_AGAIN;
    if !changed && !reader.read.is_none_or(is_due) {
        return;
    }
    reader.read = None;
    let read = match shared.keys.ask(Store::settings).await {
        Ok(record) => Ok(record),
        Err(KeysError::Store(error)) if !error.is_absence() => Err(error),
        // The store cannot be read, and that has been logged.
        Err(_) => return,
    };
    shared.settings.hear(read, |live| shared.apply(live));
    reader.read = Some(asked);
}
