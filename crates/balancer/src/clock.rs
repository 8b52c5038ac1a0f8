//! The balancer's own time, which never goes back and never leaps. It is made of the instants that the
//! caller passes in; everything else in this crate knows only this time.

use std::time::{Duration, Instant};

/// A moment of the balancer's own time: nanoseconds since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const START: Self = Self(0);

    pub(crate) fn after(self, pause: Duration) -> Self {
        Self(self.0.saturating_add(nanos(pause)))
    }

    /// Nothing, if `earlier` is in fact later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Turns the caller's instants into moments.
///
/// - A little back (two threads that came out of order): time stands still.
/// - Far back: the clock was set; time stands still for that one step and goes on from there.
/// - Far ahead: nobody asked for a while, or the clock was set. What endpoints did meanwhile is not
///   known, so their silence is not held against them: time goes on to what was due next, and the grace.
#[derive(Debug)]
pub(crate) struct Clock {
    caller: Instant,
    own: Moment,
    grace: Duration,
}

impl Clock {
    /// Steps that are late, or go back, by no more than `grace` are taken for ordinary.
    pub(crate) fn new(now: Instant, grace: Duration) -> Self {
        Self {
            caller: now,
            own: Moment::START,
            grace,
        }
    }

    /// Goes on to `now`, with `due` being the next moment at which something was to happen.
    pub(crate) fn advance(&mut self, now: Instant, due: Option<Moment>) -> Moment {
        if let Some(step) = now.checked_duration_since(self.caller) {
            let believed = match due {
                Some(due) => step.min(due.since(self.own).saturating_add(self.grace)),
                None => step,
            };
            self.own = self.own.after(believed);
            self.caller = now;
        } else if self.caller.duration_since(now) > self.grace {
            self.caller = now;
        }
        self.own
    }

    /// The latest moment so far.
    pub(crate) fn own(&self) -> Moment {
        self.own
    }

    /// When the caller's clock shows `moment`, as far as is known now.
    pub(crate) fn in_callers_time(&self, moment: Moment) -> Instant {
        // An instant out of the system's range is never reached, and neither is one a year ahead.
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let pause = moment.since(self.own).min(YEAR);
        self.caller.checked_add(pause).unwrap_or(self.caller)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(500);
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);

    fn clock() -> (Clock, Instant) {
        // Far enough from the system's epoch to go back an hour.
        let now = Instant::now() + 2 * HOUR;
        (Clock::new(now, GRACE), now)
    }

    #[test]
    fn ordinary_steps_count_in_full() {
        let (mut clock, start) = clock();
        let due = Some(Moment::START.after(SECOND));
        let now = clock.advance(start + SECOND + GRACE, due);
        assert_eq!(now.since(Moment::START), SECOND + GRACE);
    }

    #[test]
    fn a_leap_ahead_counts_until_what_was_due_and_the_grace() {
        let (mut clock, start) = clock();
        let due = Moment::START.after(SECOND);
        let now = clock.advance(start + HOUR, Some(due));
        assert_eq!(now, due.after(GRACE));
        assert_eq!(
            clock.advance(start + HOUR + SECOND, None).since(now),
            SECOND
        );
    }

    #[test]
    fn instants_out_of_order_add_no_time() {
        let (mut clock, start) = clock();
        for step in 1..=100 {
            clock.advance(start + Duration::from_millis(step), None);
            clock.advance(start + Duration::from_millis(step - 1), None);
        }
        assert_eq!(clock.own().since(Moment::START), Duration::from_millis(100));
    }

    #[test]
    fn a_clock_set_back_costs_one_step() {
        let (mut clock, start) = clock();
        clock.advance(start - HOUR, None);
        assert_eq!(clock.own(), Moment::START);
        let due = Moment::START.after(SECOND);
        assert_eq!(clock.in_callers_time(due), start - HOUR + SECOND);
        assert_eq!(clock.advance(start - HOUR + SECOND, Some(due)), due);
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let (clock, start) = clock();
        let never = Moment::START.after(Duration::MAX);
        assert!(clock.in_callers_time(never) > start + HOUR);
        assert_eq!(never.after(Duration::MAX), never);
    }
}
