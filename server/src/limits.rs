//! How much memory opening may take. Both bounds may change while rows are held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use control::{Live, ROW_COPIES};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of this many bytes.
const UNIT: usize = 1024;

/// How long a row waits for memory before it counts as too long. Longer than [`PATIENCE`], so that
/// one application that does not read cannot make others' rows too long.
const WAIT: Duration = Duration::from_secs(90);

/// How long an application may take to read each part of a long row, while it takes memory that
/// others wait for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The bounds of `max_open_row` and `open_memory`.
#[derive(Debug)]
pub struct Limits {
    max_open_row: AtomicUsize,
    memory: Arc<Memory>,
}

#[derive(Debug)]
struct Memory {
    free: Arc<Semaphore>,
    size: Mutex<Size>,
}

/// Units of memory.
#[derive(Debug, Default)]
struct Size {
    /// How many there are to be.
    units: usize,
    /// How many more than that rows hold, or wait for, since there are fewer to be.
    surplus: usize,
}

/// Memory accounted for one row; given back when dropped.
#[derive(Debug)]
pub struct Held {
    permit: OwnedSemaphorePermit,
    memory: Arc<Memory>,
}

impl Limits {
    /// As the settings say.
    #[must_use]
    pub fn new(live: &Live) -> Self {
        let limits = Self {
            max_open_row: AtomicUsize::default(),
            memory: Arc::new(Memory {
                free: Arc::new(Semaphore::new(0)),
                size: Mutex::default(),
            }),
        };
        limits.set(live);
        limits
    }

    /// From now on as the settings say. Rows that are held stay so, and count.
    pub fn set(&self, live: &Live) {
        self.max_open_row
            .store(live.max_open_row.0, Ordering::Relaxed);
        let units = (live.open_memory.0 / UNIT).min(Semaphore::MAX_PERMITS);
        self.memory.resize(units);
    }

    /// Longest row that is opened, in bytes of its message.
    #[must_use]
    pub fn max_open_row(&self) -> usize {
        self.max_open_row.load(Ordering::Relaxed)
    }

    /// Accounts for a row of `length` bytes, [`ROW_COPIES`] times. All at once, so that no two rows
    /// wait for each other; nobody waits who holds memory. `None` when there is none in time, or
    /// never can be.
    pub async fn hold(&self, length: usize) -> Option<Held> {
        let units = u32::try_from(length.checked_mul(ROW_COPIES)?.div_ceil(UNIT)).ok()?;
        if units as usize > self.memory.size().units {
            return None;
        }
        let permit = self.memory.free.clone().acquire_many_owned(units);
        let permit = tokio::time::timeout(WAIT, permit).await.ok()?.ok()?;
        Some(Held {
            permit,
            memory: self.memory.clone(),
        })
    }
}

impl Memory {
    fn resize(&self, units: usize) {
        let mut size = self.size();
        if units >= size.units {
            let more = units - size.units;
            let again = more.min(size.surplus);
            size.surplus -= again;
            self.free.add_permits(more - again);
        } else {
            let fewer = size.units - units;
            size.surplus += fewer - self.free.forget_permits(fewer);
        }
        size.units = units;
    }

    /// No code that holds the lock can panic half-way through a change.
    fn size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut size = self.memory.size();
        let gone = self.permit.num_permits().min(size.surplus);
        if let Some(surplus) = self.permit.split(gone) {
            surplus.forget();
            size.surplus -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use control::ByteSize;

    use super::*;

    fn live(max_open_row: usize, open_memory: usize) -> Live {
        Live {
            max_open_row: ByteSize(max_open_row),
            open_memory: ByteSize(open_memory),
            ..Live::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_and_never_exceeded() {
        let limits = Limits::new(&live(1 << 20, 1 << 20));
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
        let limits = Limits::new(&live(1 << 30, 1 << 20));
        assert!(limits.hold(1 << 20).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_that_shrinks_while_it_is_held_is_not_given_out_again() {
        let kibibytes = |memory: usize| live(100 << 10, memory << 10);
        let limits = Limits::new(&kibibytes(1200));
        let free = || limits.memory.free.available_permits();
        let row = 100 << 10;
        let held = [limits.hold(row).await, limits.hold(row).await];
        assert!(held.iter().all(Option::is_some));
        assert_eq!(free(), 600);
        limits.set(&kibibytes(900));
        assert_eq!(free(), 300);
        limits.set(&kibibytes(400));
        assert_eq!(free(), 0);
        assert!(
            limits.hold(row).await.is_none(),
            "more is held than there is"
        );
        drop(held);
        assert_eq!(free(), 400);
        assert!(limits.hold(row).await.is_some());
        limits.set(&kibibytes(1200));
        assert_eq!(free(), 1200);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_that_shrinks_and_grows_again_while_it_is_held_is_as_much_as_before() {
        let limits = Limits::new(&live(1 << 20, 3 << 20));
        let held = limits.hold(1 << 20).await.unwrap();
        limits.set(&live(1 << 20, 0));
        limits.set(&live(2 << 20, 6 << 20));
        assert_eq!(limits.max_open_row(), 2 << 20);
        assert_eq!(limits.memory.free.available_permits(), 3072);
        drop(held);
        assert_eq!(limits.memory.free.available_permits(), 6144);
        assert!(limits.hold(2 << 20).await.is_some());
    }
}
