//! When one endpoint is checked next, and which answer still counts. What the answer means is
//! `health`'s.

use std::time::Duration;

use crate::clock::Moment;
use crate::random::Random;
use crate::settings::Checks;

/// Checks of one endpoint: at most one runs.
#[derive(Debug)]
pub(crate) struct Schedule {
    next: Moment,
    last: Moment,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    serial: u64,
    deadline: Moment,
}

/// What it is time for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Check,
    TimeOut,
}

impl Schedule {
    /// The first check is due at once.
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            next: now,
            last: now,
            running: None,
        }
    }

    /// When there is something to do next.
    pub(crate) fn next_due(&self) -> Moment {
        self.running
            .as_ref()
            .map_or(self.next, |running| running.deadline)
    }

    pub(crate) fn due(&self, now: Moment) -> Due {
        match &self.running {
            Some(running) if running.deadline <= now => Due::TimeOut,
            None if self.next <= now => Due::Check,
            Some(_) | None => Due::Nothing,
        }
    }

    pub(crate) fn start(&mut self, now: Moment, serial: u64, timeout: Duration) {
        self.last = now;
        self.running = Some(Running {
            serial,
            deadline: now.after(timeout),
        });
    }

    /// Whether `serial` is the check that runs. If so it does not any more.
    pub(crate) fn finish(&mut self, serial: u64) -> bool {
        self.running.take_if(|r| r.serial == serial).is_some()
    }

    /// Ends whatever runs.
    pub(crate) fn give_up(&mut self) {
        self.running = None;
    }

    /// After an answer or a failure: the next check an interval after the start of the last one.
    pub(crate) fn plan(&mut self, now: Moment, checks: &Checks, calm: bool, random: &mut Random) {
        let interval = if calm {
            checks.interval
        } else {
            checks.interval.min(checks.down_interval)
        };
        let tenths_of_percent = u32::try_from(random.below(100)).expect("below 100");
        let early = interval / 1000 * tenths_of_percent;
        self.next = self.last.after(interval - early).max(now);
    }

    /// It spoke by itself: no need to ask for an interval.
    pub(crate) fn postpone(
        &mut self,
        now: Moment,
        checks: &Checks,
        calm: bool,
        random: &mut Random,
    ) {
        self.last = now;
        self.plan(now, checks, calm, random);
    }

    /// Something has failed: asks at once.
    pub(crate) fn hasten(&mut self, now: Moment) {
        self.next = self.next.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKS: Checks = Checks {
        interval: Duration::from_secs(10),
        down_interval: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        fall: 3,
        rise: 2,
        slow_start: Duration::ZERO,
    };

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn an_answer_counts_once_and_only_in_time() {
        let mut schedule = Schedule::new(at(0));
        assert_eq!(schedule.due(at(0)), Due::Check);
        schedule.start(at(0), 1, CHECKS.timeout);
        assert_eq!(schedule.due(at(2)), Due::Nothing);
        assert_eq!(schedule.due(at(3)), Due::TimeOut);
        assert!(!schedule.finish(2));
        assert!(schedule.finish(1));
        assert!(!schedule.finish(1));
        schedule.start(at(4), 2, CHECKS.timeout);
        schedule.give_up();
        assert!(!schedule.finish(2));
    }

    #[test]
    fn checks_are_an_interval_apart_or_up_to_a_tenth_less_and_closer_in_doubt() {
        let mut random = Random::new(1);
        for serial in 0..1000 {
            let mut schedule = Schedule::new(at(0));
            schedule.start(at(0), serial, CHECKS.timeout);
            schedule.finish(serial);
            schedule.plan(at(0), &CHECKS, true, &mut random);
            assert!((at(9)..=at(10)).contains(&schedule.next_due()));
            schedule.plan(at(0), &CHECKS, false, &mut random);
            assert!(schedule.next_due() <= at(1));
        }
    }

    #[test]
    fn a_check_that_took_longer_than_the_interval_is_followed_at_once() {
        let mut schedule = Schedule::new(at(0));
        schedule.start(at(0), 1, CHECKS.timeout);
        schedule.give_up();
        schedule.plan(at(3), &CHECKS, false, &mut Random::new(1));
        assert_eq!(schedule.next_due(), at(3));
    }

    #[test]
    fn who_speaks_is_not_asked_and_who_fails_is_asked_at_once() {
        let mut schedule = Schedule::new(at(0));
        schedule.postpone(at(5), &CHECKS, true, &mut Random::new(1));
        assert!(schedule.next_due() >= at(14));
        schedule.hasten(at(6));
        assert_eq!(schedule.due(at(6)), Due::Check);
    }
}
