//! A connection that is kept from one question to the next, so that not each costs a handshake.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio_rustls::rustls::ClientConfig;
use tunnel::{ClientTls, Revoked, Serial};

use crate::watch::Running;

/// Where it is, while nobody asks on it.
pub(super) struct Keeping {
    revoked: Revoked,
    kept: Mutex<Option<Kept>>,
}

/// A connection that is kept.
pub(super) struct Kept {
    /// Asks on it.
    pub sender: SendRequest<Full<Bytes>>,
    /// Whose it is.
    pub server: Serial,
    /// What it was made with.
    pub config: Arc<ClientConfig>,
    /// Moves it on.
    pub _connection: Running,
}

impl Keeping {
    pub(super) fn new(revoked: Revoked) -> Self {
        Self {
            revoked,
            kept: Mutex::default(),
        }
    }

    /// The connection, if it is there and would be made in the same way today. Whoever comes meanwhile
    /// makes one of its own.
    pub(super) fn take(&self, tls: &ClientTls) -> Option<Kept> {
        let kept = self.lock().take()?;
        let is_same = Arc::ptr_eq(&kept.config, &tls.config());
        let is_open = !kept.sender.is_closed();
        (is_same && is_open && !self.revoked.contains(&kept.server)).then_some(kept)
    }

    /// Keeps it for who asks next.
    pub(super) fn keep(&self, kept: Kept) {
        *self.lock() = Some(kept);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
