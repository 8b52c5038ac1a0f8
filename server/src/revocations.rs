//! Which certificates are revoked, as the store says: taken over at the start, and whenever the
//! store has changed.

use std::time::{Duration, Instant};

use keystore::{Error, Revocations, Store};
use tunnel::{BadSerial, Revoked, Serial, TooManyRevoked};

use crate::keys::{Keys, KeysError};

/// The list cannot be relied on: no new session is let in until it can.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// The store's record was altered, or is gone.
    #[error(transparent)]
    Record(Error),
    /// The store was put back: what was revoked since is not in it.
    #[error(
        "the store's list of revoked certificates went back from number {known} to {found}; if a backup was restored, revoke again what was revoked since, and restart the server"
    )]
    WentBack {
        /// The number heard last.
        known: u64,
        /// The number found now.
        found: u64,
    },
    /// There are more than a server keeps.
    #[error(transparent)]
    TooMany(#[from] TooManyRevoked),
    /// A name in it is no serial number.
    #[error("the store's list of revoked certificates: {0}")]
    Serial(#[from] BadSerial),
}

/// Takes over what the store said `now`.
///
/// # Errors
/// It cannot be relied on.
pub fn take_over(
    revoked: &Revoked,
    revocations: &Revocations,
    now: Instant,
) -> Result<(), Distrust> {
    let found = revocations.number;
    if let Some(known) = revoked.list().number.filter(|known| *known > found) {
        return Err(Distrust::WentBack { known, found });
    }
    let serials = revocations.certificates.keys();
    let serials = serials.map(|serial| serial.as_str().parse::<Serial>());
    revoked.hear(
        found,
        serials.collect::<Result<Vec<_>, _>>()?,
        now,
        Duration::ZERO,
    )?;
    Ok(())
}

/// Keeps the list as the store has it.
#[derive(Debug, Default)]
pub struct Follower {
    /// When the list was last read; `None` while it has to be.
    read: Option<Instant>,
    /// Why it is not relied on, once that was said.
    said: Option<String>,
}

impl Follower {
    /// To be called whenever the store has answered; `changed` when it may hold another list.
    pub async fn follow(&mut self, keys: &Keys, revoked: &Revoked, changed: bool) {
        let asked = Instant::now();
        let is_due = |read: Instant| asked.duration_since(read) >= READ_AGAIN;
        if !changed && !self.read.is_none_or(is_due) {
            revoked.confirm(asked, Duration::ZERO);
            return;
        }
        self.read = None;
        let taken = match keys.ask(Store::revocations).await {
            Ok(revocations) => take_over(revoked, &revocations, asked),
            Err(KeysError::Store(error)) if !error.is_absence() => Err(Distrust::Record(error)),
            // The store cannot be read: the list grows older, and that has been logged.
            Err(_) => return,
        };
        match taken {
            Ok(()) => {
                self.read = Some(asked);
                self.said = None;
            }
            Err(error) => {
                revoked.distrust();
                let error = error.to_string();
                if self.said.as_ref() != Some(&error) {
                    tracing::error!(error, "no new sessions: who is revoked is not known");
                }
                self.said = Some(error);
            }
        }
    }
}

/// The list is read again after so long even if the store's revision, which is not sealed, says
/// that nothing has changed.
const READ_AGAIN: Duration = Duration::from_secs(1);
