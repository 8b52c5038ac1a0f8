//! What may happen thousands of times a second is told at most once a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts what happens, and says when it is time to tell.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<SinceLast>);

#[derive(Debug, Default)]
struct SinceLast {
    told: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// Takes note of so many more. Gives how many there were since it was told last, if it is to be
    /// told now.
    pub fn note(&self, count: u64) -> Option<u64> {
        let mut since_last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since_last.count += count;
        let now = Instant::now();
        if since_last
            .told
            .is_some_and(|told| now.duration_since(told) < INTERVAL)
        {
            return None;
        }
        since_last.told = Some(now);
        Some(std::mem::take(&mut since_last.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_are_gathered() {
        let seldom = Seldom::default();
        assert_eq!(seldom.note(3), Some(3));
        assert_eq!(seldom.note(2), None);
        seldom.0.lock().unwrap().told = None;
        assert_eq!(seldom.note(1), Some(3));
    }
}
