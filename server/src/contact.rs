//! When the store last answered, whether it can be read at all, and what a server does without it: go on
//! with what it has in memory, for `max_stale` at most.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystore::Revision;

/// From when on a store that has not answered is not asked for each row and each session any more, but
/// by the watch alone.
const LOST: Duration = Duration::from_secs(3);

/// The server's contact to its store.
#[derive(Debug)]
pub struct Contact(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When the last question that was answered had been asked.
    answered: Instant,
    revision: Revision,
    /// Its last word was that it cannot be read.
    unreadable: bool,
    max_stale: Duration,
}

impl Contact {
    /// With a store that was asked then.
    #[must_use]
    pub fn new(answered: Instant, max_stale: Duration) -> Self {
        Self(Mutex::new(State {
            answered,
            revision: Revision::default(),
            unreadable: false,
            max_stale,
        }))
    }

    /// The store has answered what it was asked then.
    pub fn confirm(&self, asked: Instant, revision: Revision) {
        let mut state = self.lock();
        state.answered = state.answered.max(asked);
        state.revision = revision;
        state.unreadable = false;
    }

    /// The store was asked and cannot be read: it has not just been silent.
    pub fn fail(&self) {
        self.lock().unreadable = true;
    }

    /// Whether the store can be used: it could be read when it was asked last, or it is etcd, does not
    /// answer, and what is in memory is still used. A fleet must not fall silent with its etcd.
    #[must_use]
    pub fn is_usable(&self, now: Instant) -> bool {
        !self.is_stale(now) && !self.lock().unreadable
    }

    /// The state that the store was in when it last answered.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.lock().revision
    }

    /// How long ago the store answered.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.lock().answered)
    }

    /// Whether it is not worth waiting for the store now.
    #[must_use]
    pub fn is_lost(&self, now: Instant) -> bool {
        self.age(now) > LOST
    }

    /// Whether what is in memory is too old to be used.
    #[must_use]
    pub fn is_stale(&self, now: Instant) -> bool {
        self.age(now) > self.max_stale()
    }

    /// How long what is in memory is used.
    #[must_use]
    pub fn max_stale(&self) -> Duration {
        self.lock().max_stale
    }

    /// Changes how long that is.
    pub fn set_max_stale(&self, max_stale: Duration) {
        self.lock().max_stale = max_stale;
    }

    /// No code that holds the lock can panic half-way through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_lost_after_three_seconds_and_memory_stale_after_its_time() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let contact = Contact::new(began, Duration::from_secs(60));
        for (seconds, lost, stale) in [
            (0, false, false),
            (3, false, false),
            (4, true, false),
            (60, true, false),
            (61, true, true),
        ] {
            assert_eq!(contact.is_lost(at(seconds)), lost, "{seconds}");
            assert_eq!(contact.is_stale(at(seconds)), stale, "{seconds}");
        }
        contact.confirm(at(50), Revision::default());
        // An answer to an older question does not make it older.
        contact.confirm(at(10), Revision::default());
        assert_eq!(contact.age(at(61)), Duration::from_secs(11));
        contact.set_max_stale(Duration::from_secs(5));
        assert!(contact.is_stale(at(61)));
    }

    #[test]
    fn a_store_is_usable_until_it_says_that_it_cannot_be_read_or_is_silent_for_too_long() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let contact = Contact::new(began, Duration::from_secs(60));
        assert!(contact.is_usable(at(60)));
        assert!(!contact.is_usable(at(61)));
        contact.fail();
        assert!(!contact.is_usable(began));
        contact.confirm(at(61), Revision::default());
        assert!(contact.is_usable(at(61)));
    }
}
