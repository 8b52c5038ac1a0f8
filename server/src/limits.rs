//! How much memory opening may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of this many bytes.
const UNIT: usize = 1024;

/// How often a long row counts: as it came, decoded, and as it goes.
pub const COPIES: usize = 3;

/// How long a row waits for memory before it counts as too long. Longer than [`PATIENCE`], so that
/// one application that does not read cannot make others' rows too long.
const WAIT: Duration = Duration::from_secs(90);

/// How long an application may take to read each part of a long row, while it takes memory that
/// others wait for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The bounds of `max_open_row` and `open_memory`.
#[derive(Debug)]
pub struct Limits {
    /// Longest row that is opened, in bytes of its message.
    pub max_open_row: usize,
    units: usize,
    memory: Arc<Semaphore>,
}

/// Memory accounted for one row; given back when dropped.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Limits {
    /// `max_open_row` and `open_memory`, in bytes.
    #[must_use]
    pub fn new(max_open_row: usize, open_memory: usize) -> Self {
        let units = (open_memory / UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            max_open_row,
            units,
            memory: Arc::new(Semaphore::new(units)),
        }
    }

    /// Accounts for a row of `length` bytes, [`COPIES`] times. All at once, so that no two rows wait
    /// for each other; nobody waits who holds memory. `None` when there is none in time, or never
    /// can be.
    pub async fn hold(&self, length: usize) -> Option<Held> {
        let units = u32::try_from(length.checked_mul(COPIES)?.div_ceil(UNIT)).ok()?;
        if units as usize > self.units {
            return None;
        }
        let permit = self.memory.clone().acquire_many_owned(units);
        tokio::time::timeout(WAIT, permit)
            .await
            .ok()?
            .ok()
            .map(Held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_and_never_exceeded() {
        let limits = Limits::new(1 << 20, 1 << 20);
        let first = limits.hold(200_000).await;
        assert!(first.is_some());
        assert!(
            limits.hold(200_000).await.is_none(),
            "no more than open_memory at once"
        );
        drop(first);
        assert!(limits.hold(200_000).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_over_the_whole_memory_is_too_long() {
        assert!(Limits::new(1 << 30, 1 << 20).hold(1 << 20).await.is_none());
    }
}
