//! Which codes were used, and how many were wrong: each is good for one sign-in, and whoever has a password
//! and guesses codes does not get far.
//!
//! In memory alone: a restart forgets it, and a code may be used once more for as long as it is shown.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::totp::Step;
use crate::users::UserName;

/// Wrong codes of a user, each with the right password, that are looked at
const MAX_WRONG: u32 = 5;
/// until there was none for this time. Past that none is, right or wrong: of a million codes, three are right
/// at a time.
const WRONG_PERIOD: Duration = Duration::from_secs(10 * 60);

/// What was tried, by user. They are as many as the file has.
#[derive(Default)]
pub struct Codes(Mutex<HashMap<UserName, Tried>>);

#[derive(Default)]
struct Tried {
    used: Option<Step>,
    wrong: u32,
    /// When the last wrong one was looked at.
    since: Option<Instant>,
}

impl Codes {
    /// Whether a user whose password was right is let in with a code of this step; of none, where it is
    /// wrong. A code that is older than the last one that was used is not taken either.
    pub fn take(&self, user: &UserName, step: Option<Step>, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = all.entry(user.clone()).or_default();
        let is_over = |since: Instant| now.saturating_duration_since(since) >= WRONG_PERIOD;
        if tried.since.is_none_or(is_over) {
            tried.wrong = 0;
        }
        if tried.wrong >= MAX_WRONG {
            return false;
        }
        if step.is_some() && step > tried.used {
            tried.used = step;
            tried.wrong = 0;
            return true;
        }
        tried.since = Some(now);
        tried.wrong += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::totp::{Code, Secret};

    /// A step, by way of a code that is right: steps are not made otherwise.
    fn step(number: u64) -> Step {
        let secret = Secret::read("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        let at: SystemTime = UNIX_EPOCH + Duration::from_secs(30 * number);
        let code = ["755224", "287082", "359152", "969429", "338314"][number as usize];
        secret.step(&Code::typed(code), at).unwrap()
    }

    #[test]
    fn a_code_is_good_once_and_none_before_it_is_after_it() {
        let (codes, now) = (Codes::default(), Instant::now());
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let take = |user, number| codes.take(user, Some(step(number)), now);
        assert!(take(&alice, 2));
        assert!(!take(&alice, 2), "again");
        assert!(!take(&alice, 1), "an older one");
        assert!(take(&bob, 2));
        assert!(take(&alice, 3));
        assert!(!codes.take(&bob, None, now), "a wrong one");
    }

    #[test]
    fn after_some_wrong_codes_none_is_taken_for_a_while() {
        let (codes, now) = (Codes::default(), Instant::now());
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        for number in 1..=MAX_WRONG {
            assert!(!codes.take(&alice, None, now + Duration::from_secs(number.into())));
        }
        let end = now + Duration::from_secs(MAX_WRONG.into()) + WRONG_PERIOD;
        let before = end - Duration::from_millis(1);
        assert!(!codes.take(&alice, Some(step(1)), before));
        assert!(codes.take(&bob, Some(step(1)), before));
        assert!(codes.take(&alice, Some(step(2)), end));
    }

    #[test]
    fn a_right_code_forgives_the_wrong_ones() {
        let (codes, now) = (Codes::default(), Instant::now());
        let alice = "alice".parse().unwrap();
        for number in 1..=4 {
            for _ in 1..MAX_WRONG {
                assert!(!codes.take(&alice, None, now));
            }
            assert!(codes.take(&alice, Some(step(number)), now), "{number}");
        }
    }
}
