//! How much memory opening may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of this many bytes.
const UNIT: usize = 1024;

/// How long a row waits for memory before it counts as too long. Sessions that hold memory let it
/// go when their application has read; one that never reads must not hold up all others for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bounds of `max_open_row` and `open_memory`.
#[derive(Debug)]
pub struct Limits {
    /// Longest row that is opened, in bytes of its message.
    pub max_open_row: usize,
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
            memory: Arc::new(Semaphore::new(units)),
        }
    }

    /// Accounts for a row of `length` bytes, twice: as it came and as it goes. All at once, so that
    /// no two rows wait for each other. `None` when there is no memory for it in time.
    pub async fn hold(&self, length: usize) -> Option<Held> {
        let units = u32::try_from(length.checked_mul(2)?.div_ceil(UNIT)).ok()?;
        let permit = self.memory.clone().acquire_many_owned(units);
        tokio::time::timeout(PATIENCE, permit)
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
        let first = limits.hold(300_000).await;
        assert!(first.is_some());
        assert!(
            limits.hold(300_000).await.is_none(),
            "no more than open_memory at once"
        );
        drop(first);
        assert!(limits.hold(300_000).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_over_the_whole_memory_is_too_long() {
        assert!(Limits::new(1 << 30, 1 << 20).hold(1 << 20).await.is_none());
    }
}
