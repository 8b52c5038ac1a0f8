//! The certificates that are revoked, as far as this program has heard, and how long ago that was
//! last confirmed.
//!
//! Asked by both verifiers for every handshake, and watched by everything that lives on one: a
//! session, a control connection. Who feeds it is the program's matter: a server by its store, a
//! connector by its server. Time is an argument.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::Serial;

/// Revoked certificates that are kept in mind at most. Each is in memory once, about 100 bytes.
pub const MAX_REVOKED: usize = 100_000;

/// The shared list; cheap to clone.
#[derive(Debug, Clone)]
pub struct Revoked(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    /// In milliseconds.
    max_age: AtomicU64,
}

#[derive(Debug)]
struct State {
    list: List,
    confirmed: Confirmed,
    distrusted: bool,
}

/// At `at` the list was right, so long ago.
#[derive(Debug, Clone, Copy)]
struct Confirmed {
    at: Instant,
    age: Duration,
}

impl Confirmed {
    fn age(self, now: Instant) -> Duration {
        self.age
            .saturating_add(now.saturating_duration_since(self.at))
    }
}

/// The list at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Counts up with each change; `None` before a list was heard of.
    pub number: Option<u64>,
    /// Every certificate that was ever heard to be revoked.
    pub serials: Arc<BTreeSet<Serial>>,
}

/// Whether new sessions may rely on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Fresh,
    /// It was last confirmed too long ago, or has not been heard for that long.
    Stale,
    /// What it comes from was altered, or has gone back.
    Distrusted,
}

impl Standing {
    /// Its name in the control API and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Distrusted => "distrusted",
        }
    }
}

/// More certificates are revoked than can be kept in mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_REVOKED} certificates are revoked; make a new CA instead")]
pub struct TooManyRevoked;

impl Revoked {
    /// Nothing heard yet: `max_age` counts from `now`.
    #[must_use]
    pub fn new(max_age: Duration, now: Instant) -> Self {
        let shared = Shared {
            state: watch::Sender::new(State {
                list: List::default(),
                confirmed: Confirmed {
                    at: now,
                    age: Duration::ZERO,
                },
                distrusted: false,
            }),
            max_age: AtomicU64::default(),
        };
        let revoked = Self(Arc::new(shared));
        revoked.set_max_age(max_age);
        revoked
    }

    /// From now on a list that was confirmed longer ago is stale.
    pub fn set_max_age(&self, max_age: Duration) {
        let millis = u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX);
        self.0.max_age.store(millis, Ordering::Relaxed);
    }

    /// Takes over a list that is heard `now` and was right `age` ago. A certificate that was ever
    /// heard to be revoked stays so until the process ends: no list takes it back.
    ///
    /// # Errors
    /// There are too many; nothing is taken over.
    pub fn hear(
        &self,
        number: u64,
        serials: impl IntoIterator<Item = Serial>,
        now: Instant,
        age: Duration,
    ) -> Result<(), TooManyRevoked> {
        let mut all = BTreeSet::clone(&self.list().serials);
        for serial in serials {
            all.insert(serial);
            if all.len() > MAX_REVOKED {
                return Err(TooManyRevoked);
            }
        }
        self.0.state.send_if_modified(|state| {
            let new = Confirmed { at: now, age };
            // The start counted for a list only while none was heard.
            if state.list.number.is_none() || new.age < state.confirmed.age(now) {
                state.confirmed = new;
            }
            state.distrusted = false;
            let changed = state.list.number != Some(number) || *state.list.serials != all;
            if changed {
                state.list.number = Some(number);
                state.list.serials = Arc::new(all);
            }
            changed
        });
        Ok(())
    }

    /// Hears `now` that the list heard last was still right `age` ago. Says nothing of one that is
    /// distrusted.
    pub fn confirm(&self, now: Instant, age: Duration) {
        self.0.state.send_if_modified(|state| {
            if !state.distrusted && age < state.confirmed.age(now) {
                state.confirmed = Confirmed { at: now, age };
            }
            false
        });
    }

    /// What the list comes from is not to be relied on, until a list is heard again.
    pub fn distrust(&self) {
        self.0.state.send_if_modified(|state| {
            state.distrusted = true;
            false
        });
    }

    /// True for a certificate that is revoked.
    #[must_use]
    pub fn contains(&self, serial: &Serial) -> bool {
        self.0.state.borrow().list.serials.contains(serial)
    }

    /// The list as it is.
    #[must_use]
    pub fn list(&self) -> List {
        self.0.state.borrow().list.clone()
    }

    /// How long ago the list was last confirmed; since the start where none was heard yet.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        self.0.state.borrow().confirmed.age(now)
    }

    /// Whether new sessions may rely on it.
    #[must_use]
    pub fn standing(&self, now: Instant) -> Standing {
        let max_age = Duration::from_millis(self.0.max_age.load(Ordering::Relaxed));
        if self.0.state.borrow().distrusted {
            Standing::Distrusted
        } else if self.age(now) > max_age {
            Standing::Stale
        } else {
            Standing::Fresh
        }
    }

    /// Returns when this certificate is revoked, at once if it is already.
    pub async fn revoked(&self, serial: &Serial) {
        let mut state = self.0.state.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = state
            .wait_for(|state| state.list.serials.contains(serial))
            .await;
    }

    /// Returns when the list is another than `known`, with what it is then.
    pub async fn changed(&self, known: &List) -> List {
        let mut state = self.0.state.subscribe();
        // As above.
        match state.wait_for(|state| state.list != *known).await {
            Ok(state) => state.list.clone(),
            Err(_) => known.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn serial(text: &str) -> Serial {
        text.parse().unwrap()
    }

    #[test]
    fn a_serial_once_heard_stays_revoked_whatever_later_lists_say() {
        let now = Instant::now();
        let revoked = Revoked::new(HOUR, now);
        assert_eq!(revoked.list(), List::default());
        revoked
            .hear(1, [serial("ab")], now, Duration::ZERO)
            .unwrap();
        revoked
            .hear(2, [serial("cd")], now, Duration::ZERO)
            .unwrap();
        revoked.hear(1, [], now, Duration::ZERO).unwrap();
        assert!(revoked.contains(&serial("ab")) && revoked.contains(&serial("cd")));
        assert!(!revoked.contains(&serial("ef")));
        assert_eq!(revoked.list().number, Some(1));
    }

    #[test]
    fn a_list_is_stale_when_it_was_not_confirmed_for_longer_than_max_age() {
        let start = Instant::now();
        let revoked = Revoked::new(HOUR, start);
        assert_eq!(revoked.standing(start + HOUR), Standing::Fresh);
        // One that was never heard too.
        let late = start + HOUR + Duration::from_millis(1);
        assert_eq!(revoked.standing(late), Standing::Stale);
        revoked.hear(1, [], late, Duration::ZERO).unwrap();
        assert_eq!(revoked.standing(late + HOUR), Standing::Fresh);
        revoked.confirm(late + HOUR, Duration::ZERO);
        assert_eq!(revoked.standing(late + 2 * HOUR), Standing::Fresh);
        // What is heard of an earlier moment makes it no older.
        revoked.hear(2, [], late + HOUR, HOUR).unwrap();
        revoked.confirm(late + HOUR, HOUR);
        assert_eq!(revoked.age(late + 2 * HOUR), HOUR);
        revoked.set_max_age(HOUR / 2);
        assert_eq!(revoked.standing(late + 2 * HOUR), Standing::Stale);
    }

    #[test]
    fn the_first_list_is_as_old_as_it_is_said_to_be() {
        let start = Instant::now();
        let revoked = Revoked::new(HOUR, start);
        revoked.hear(1, [], start, 2 * HOUR).unwrap();
        assert_eq!(revoked.age(start + HOUR), 3 * HOUR);
        assert_eq!(revoked.standing(start), Standing::Stale);
        revoked.confirm(start + HOUR, HOUR / 2);
        assert_eq!(revoked.age(start + HOUR), HOUR / 2);
    }

    #[test]
    fn a_distrusted_list_is_so_until_one_is_heard_again() {
        let now = Instant::now();
        let revoked = Revoked::new(HOUR, now);
        revoked
            .hear(1, [serial("ab")], now, Duration::ZERO)
            .unwrap();
        revoked.distrust();
        revoked.confirm(now + HOUR, Duration::ZERO);
        assert_eq!(revoked.standing(now), Standing::Distrusted);
        assert_eq!(revoked.age(now + HOUR), HOUR, "confirming it says nothing");
        assert!(revoked.contains(&serial("ab")));
        revoked.hear(1, [], now, Duration::ZERO).unwrap();
        assert_eq!(revoked.standing(now), Standing::Fresh);
    }

    #[test]
    fn more_certificates_than_can_be_kept_are_refused_whole() {
        let now = Instant::now();
        let revoked = Revoked::new(HOUR, now);
        let many = |count: usize| (0..count).map(|n| serial(&format!("1{n:07x}")));
        revoked
            .hear(1, many(MAX_REVOKED), now, Duration::ZERO)
            .unwrap();
        assert_eq!(
            revoked.hear(2, many(MAX_REVOKED + 1), now, Duration::ZERO),
            Err(TooManyRevoked)
        );
        assert_eq!(revoked.list().number, Some(1));
        assert_eq!(revoked.list().serials.len(), MAX_REVOKED);
    }

    #[tokio::test]
    async fn who_waits_for_one_certificate_hears_of_it_and_of_no_other() {
        let now = Instant::now();
        let revoked = Revoked::new(HOUR, now);
        let waits = revoked.clone();
        let waiting = tokio::spawn(async move { waits.revoked(&serial("ab")).await });
        revoked
            .hear(1, [serial("cd")], now, Duration::ZERO)
            .unwrap();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let known = revoked.list();
        revoked
            .hear(2, [serial("ab")], now, Duration::ZERO)
            .unwrap();
        waiting.await.unwrap();
        revoked.revoked(&serial("ab")).await;
        assert_eq!(revoked.changed(&known).await, revoked.list());
    }
}
