//! Slows down who guesses passwords: the more attempts failed, for a name and from a network, the longer
//! the next one waits.
//!
//! Nobody is refused for good: by name an attempt waits for two seconds at most, so that whoever knows a
//! name does not keep its owner out. A network that has many attempts waiting is told to come back.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use daemon::Network;

/// So many may fail without a wait: people mistype.
const FREE: u32 = 3;

/// The first wait; each further one is twice as long,
const FIRST: Duration = Duration::from_millis(250);
/// up to this one for a name,
const LONGEST_BY_NAME: Duration = Duration::from_secs(2);
/// and this one for a network.
const LONGEST_BY_NETWORK: Duration = Duration::from_secs(15);

/// Failures are forgotten when there was none for so long.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);

/// Attempts of one network that wait at once. Everybody who comes through one proxy is of one network:
/// somebody who guesses there is not to take up all of them easily.
const MAX_WAITING: u32 = 128;

/// Names and networks that are remembered. When there are more, the one that failed longest ago is
/// forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// The longest part of a name that is told apart.
const MAX_NAME: usize = 64;

/// The attempts there were.
#[derive(Default)]
pub struct Throttle(Mutex<Attempts>);

#[derive(Default)]
struct Attempts {
    names: Failures<String>,
    networks: Failures<Network>,
    waiting: HashMap<Network, u32>,
}

/// An attempt that is under way. Ends when dropped.
pub struct Attempt {
    throttle: Arc<Throttle>,
    name: String,
    network: Network,
    /// How long it is to wait before the password is looked at, right or wrong.
    pub wait: Duration,
}

impl Throttle {
    /// An attempt to sign in with a name, whether there is such a user or not. `None` where too many of
    /// its network wait.
    pub fn attempt(
        self: &Arc<Self>,
        name: &str,
        network: Network,
        now: Instant,
    ) -> Option<Attempt> {
        let name: String = name.chars().take(MAX_NAME).collect();
        let mut attempts = self.lock();
        let by_name = attempts.names.wait(&name, LONGEST_BY_NAME, now);
        let by_network = attempts.networks.wait(&network, LONGEST_BY_NETWORK, now);
        let waiting = attempts.waiting.entry(network).or_default();
        if *waiting >= MAX_WAITING {
            return None;
        }
        *waiting += 1;
        Some(Attempt {
            throttle: self.clone(),
            name,
            network,
            wait: by_name.max(by_network),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// It has failed.
    pub fn failed(self, now: Instant) {
        let mut attempts = self.throttle.lock();
        attempts.names.note(self.name.clone(), now);
        attempts.networks.note(self.network, now);
    }

    /// It was right. Of the network nothing is forgotten: it may have an account of its own and guess
    /// at others.
    pub fn succeeded(self) {
        self.throttle.lock().names.0.remove(&self.name);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut attempts = self.throttle.lock();
        if let Some(waiting) = attempts.waiting.get_mut(&self.network) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                attempts.waiting.remove(&self.network);
            }
        }
    }
}

/// How often each failed, and when last.
struct Failures<K>(HashMap<K, (u32, Instant)>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Failures<K> {
    fn count(&self, of: &K, now: Instant) -> u32 {
        match self.0.get(of) {
            Some((count, last)) if now.saturating_duration_since(*last) < FORGOTTEN => *count,
            _ => 0,
        }
    }

    fn wait(&self, of: &K, longest: Duration, now: Instant) -> Duration {
        match self.count(of, now).checked_sub(FREE) {
            None => Duration::ZERO,
            Some(more) => longest.min(FIRST.saturating_mul(2_u32.saturating_pow(more))),
        }
    }

    fn note(&mut self, of: K, now: Instant) {
        let count = self.count(&of, now).saturating_add(1);
        if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&of) {
            let oldest = self.0.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(of, (count, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn network(last: u8) -> Network {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn fail(throttle: &Arc<Throttle>, name: &str, from: u8, now: Instant) -> Duration {
        let attempt = throttle.attempt(name, network(from), now).unwrap();
        let wait = attempt.wait;
        attempt.failed(now);
        wait
    }

    #[test]
    fn failures_from_one_network_wait_longer_and_longer_whatever_the_name() {
        let (throttle, now) = (Arc::default(), Instant::now());
        let wait = |number: usize| fail(&throttle, &format!("user{number}"), 1, now).as_millis();
        let waits: Vec<_> = (0..12).map(wait).collect();
        let expected = [
            0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000,
        ];
        assert_eq!(waits, expected);
        assert_eq!(fail(&throttle, "user0", 2, now), Duration::ZERO);
    }

    #[test]
    fn whoever_guesses_at_a_name_from_everywhere_makes_its_owner_wait_two_seconds_and_not_more() {
        let (throttle, now) = (Arc::default(), Instant::now());
        for from in 0..200 {
            fail(&throttle, "alice", from, now);
        }
        let attempt = throttle.attempt("alice", network(250), now).unwrap();
        assert_eq!(attempt.wait, LONGEST_BY_NAME);
        attempt.succeeded();
        let attempt = throttle.attempt("alice", network(251), now).unwrap();
        assert_eq!(attempt.wait, Duration::ZERO, "after a success");
    }

    #[test]
    fn a_success_takes_nothing_back_of_what_failed_from_its_network() {
        let (throttle, now) = (Arc::default(), Instant::now());
        for _ in 0..5 {
            fail(&throttle, "alice", 1, now);
        }
        let attempt = throttle.attempt("mallory", network(1), now).unwrap();
        attempt.succeeded();
        assert_eq!(fail(&throttle, "alice", 1, now).as_millis(), 1000);
    }

    #[test]
    fn failures_are_forgotten_after_a_while() {
        let (throttle, now) = (Arc::default(), Instant::now());
        for _ in 0..9 {
            fail(&throttle, "alice", 1, now);
        }
        let later = now + FORGOTTEN;
        assert_eq!(fail(&throttle, "alice", 1, later), Duration::ZERO);
    }

    #[test]
    fn a_network_with_many_attempts_under_way_gets_no_more_until_one_ends() {
        let (throttle, now): (Arc<Throttle>, _) = (Arc::default(), Instant::now());
        let attempt = |from| throttle.attempt("alice", network(from), now);
        let mut waiting: Vec<_> = (0..MAX_WAITING).filter_map(|_| attempt(1)).collect();
        assert!(attempt(1).is_none());
        assert!(attempt(2).is_some());
        waiting.pop();
        assert!(attempt(1).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (throttle, now): (Arc<Throttle>, _) = (Arc::default(), Instant::now());
        for number in 0..=MAX_REMEMBERED as u64 {
            let at = now + Duration::from_millis(number);
            throttle.lock().names.note(number.to_string(), at);
        }
        let attempts = throttle.lock();
        assert_eq!(attempts.names.0.len(), MAX_REMEMBERED);
        assert!(!attempts.names.0.contains_key("0"));
    }
}
