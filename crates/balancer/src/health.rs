//! Whether one endpoint is up: what checks and real sessions have met, with hysteresis both ways. When
//! it is checked is `schedule`'s, what it says of itself `member`'s.

use std::time::Duration;

use crate::clock::Moment;
use crate::settings::Checks;

/// What the balancer takes an endpoint for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Just listed: the first answer decides, and it gets no sessions before.
    New,
    /// It answers.
    Up,
    /// It does not, and gets no sessions.
    Down,
}

/// What an endpoint failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A check was answered wrongly, or refused.
    Check,
    /// A check was not answered in time.
    TimeOut,
    /// A session could not be opened.
    Connect,
    /// A session was lost. It makes doubtful and is never the last straw: a session is lost for many
    /// reasons, and to call its endpoint down would end all the others.
    Lost,
}

/// An endpoint's health. Each step says whether the state has changed.
#[derive(Debug)]
pub(crate) struct Health {
    state: State,
    since: Moment,
    /// It was down before it was up.
    recovered: bool,
    /// In a row, each ended by its own opposite, so that checks that pass do not hide connects that fail.
    failed_checks: u32,
    failed_connects: u32,
    lost: u32,
    passed: u32,
    counted: Moment,
    relapses: u32,
}

impl Health {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            state: State::New,
            since: now,
            recovered: false,
            failed_checks: 0,
            failed_connects: 0,
            lost: 0,
            passed: 0,
            counted: now,
            relapses: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn since(&self) -> Moment {
        self.since
    }

    /// Up, and nothing has failed since that was last refuted.
    pub(crate) fn is_beyond_doubt(&self) -> bool {
        self.state == State::Up && self.refused() == 0 && self.lost == 0
    }

    /// A check was answered.
    pub(crate) fn passed(&mut self, now: Moment, checks: &Checks) -> bool {
        self.counted = now;
        self.passed = self.passed.saturating_add(1);
        self.failed_checks = 0;
        self.lost = 0;
        if self.passed >= checks.rise {
            self.failed_connects = 0;
        }
        match self.state {
            State::New => self.become_up(now),
            State::Down if self.passed >= checks.rise.saturating_mul(1 << self.relapses) => {
                self.recovered = true;
                self.become_up(now)
            }
            State::Down | State::Up => false,
        }
    }

    /// It spoke without being asked. While it is down, what is said within `down_interval` of what counted
    /// last does not count, or an endpoint that flaps could talk itself up.
    pub(crate) fn spoke(&mut self, now: Moment, checks: &Checks) -> bool {
        if self.state == State::Down && now.since(self.counted) < checks.down_interval {
            return false;
        }
        self.passed(now, checks)
    }

    /// A session was opened.
    pub(crate) fn connected(&mut self) {
        self.failed_connects = 0;
    }

    /// What sessions meet while it is down is no news: they may have been sent there long ago, or as a
    /// last resort, and would hold it there however well it answers now.
    pub(crate) fn failed(&mut self, now: Moment, checks: &Checks, failure: Failure) -> bool {
        if self.state == State::Down && matches!(failure, Failure::Connect | Failure::Lost) {
            return false;
        }
        self.passed = 0;
        self.counted = now;
        match self.state {
            State::New => failure != Failure::Lost && self.become_down(now),
            State::Up => {
                let count = match failure {
                    Failure::Check | Failure::TimeOut => &mut self.failed_checks,
                    Failure::Connect => &mut self.failed_connects,
                    Failure::Lost => &mut self.lost,
                };
                *count = count.saturating_add(1);
                self.refused() > 0
                    && self.refused().saturating_add(self.lost) >= checks.fall
                    && self.become_down(now)
            }
            State::Down => false,
        }
    }

    /// The share of its weight that it gets, in [`FULL`](Self::FULL) parts: grows during slow start.
    pub(crate) fn share(&self, now: Moment, slow_start: Duration) -> u64 {
        if !self.recovered {
            return Self::FULL;
        }
        let up_for = now.since(self.since);
        if up_for >= slow_start {
            return Self::FULL;
        }
        let parts = up_for.as_nanos() * u128::from(Self::FULL) / slow_start.as_nanos();
        u64::try_from(parts).unwrap_or(Self::FULL).max(1)
    }

    pub(crate) const FULL: u64 = 256;
    /// Who goes down within this time of coming up has relapsed.
    const SETTLED: Duration = Duration::from_secs(60);
    /// Each relapse doubles `rise`, so often.
    const MAX_RELAPSES: u32 = 3;

    fn refused(&self) -> u32 {
        self.failed_checks.saturating_add(self.failed_connects)
    }

    fn become_up(&mut self, now: Moment) -> bool {
        self.state = State::Up;
        self.since = now;
        self.failed_connects = 0;
        true
    }

    fn become_down(&mut self, now: Moment) -> bool {
        let relapsed = self.recovered && now.since(self.since) < Self::SETTLED;
        self.relapses = if relapsed {
            (self.relapses + 1).min(Self::MAX_RELAPSES)
        } else {
            0
        };
        self.state = State::Down;
        self.since = now;
        self.failed_checks = 0;
        self.failed_connects = 0;
        self.lost = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKS: Checks = Checks {
        interval: Duration::from_secs(1),
        down_interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        fall: 3,
        rise: 2,
        slow_start: Duration::from_secs(10),
    };

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    fn up() -> Health {
        let mut health = Health::new(at(0));
        assert!(health.passed(at(0), &CHECKS));
        health
    }

    fn down() -> Health {
        let mut health = up();
        for _ in 0..3 {
            health.failed(at(1), &CHECKS, Failure::Check);
        }
        assert_eq!(health.state(), State::Down);
        health
    }

    #[test]
    fn the_first_answer_decides() {
        assert_eq!(up().state(), State::Up);
        assert_eq!(up().share(at(0), CHECKS.slow_start), Health::FULL);
        let mut health = Health::new(at(0));
        assert!(!health.failed(at(0), &CHECKS, Failure::Lost));
        assert!(health.failed(at(0), &CHECKS, Failure::TimeOut));
        assert_eq!(health.state(), State::Down);
    }

    #[test]
    fn fall_failures_in_a_row_put_it_down_and_one_success_between_does_not() {
        let mut health = up();
        for _ in 0..10 {
            assert!(!health.failed(at(1), &CHECKS, Failure::Check));
            assert!(!health.failed(at(1), &CHECKS, Failure::TimeOut));
            assert!(!health.is_beyond_doubt());
            health.passed(at(1), &CHECKS);
            assert!(health.is_beyond_doubt());
        }
        assert!(!health.failed(at(2), &CHECKS, Failure::Check));
        assert!(!health.failed(at(2), &CHECKS, Failure::Check));
        assert!(health.failed(at(2), &CHECKS, Failure::Check));
        assert!(!health.failed(at(2), &CHECKS, Failure::Check));
    }

    #[test]
    fn rise_successes_in_a_row_bring_it_up_and_one_failure_between_does_not() {
        let mut health = down();
        for _ in 0..10 {
            assert!(!health.passed(at(2), &CHECKS));
            assert!(!health.failed(at(2), &CHECKS, Failure::Check));
        }
        assert!(!health.passed(at(3), &CHECKS));
        assert!(health.passed(at(3), &CHECKS));
    }

    #[test]
    fn what_sessions_meet_while_it_is_down_does_not_hold_it_there() {
        let mut health = down();
        assert!(!health.passed(at(2), &CHECKS));
        for failure in [Failure::Connect, Failure::Lost] {
            assert!(!health.failed(at(3), &CHECKS, failure));
        }
        assert!(health.spoke(at(3), &CHECKS));
        assert!(health.is_beyond_doubt());
    }

    #[test]
    fn failed_connects_count_although_checks_pass() {
        let mut health = up();
        assert!(!health.failed(at(1), &CHECKS, Failure::Connect));
        health.passed(at(1), &CHECKS);
        assert!(!health.failed(at(1), &CHECKS, Failure::Connect));
        health.connected();
        assert!(!health.failed(at(2), &CHECKS, Failure::Connect));
        assert!(!health.failed(at(2), &CHECKS, Failure::Connect));
        assert!(health.failed(at(2), &CHECKS, Failure::Connect));
    }

    #[test]
    fn failed_connects_are_forgotten_after_rise_checks_without_another() {
        let mut health = up();
        health.failed(at(1), &CHECKS, Failure::Connect);
        health.passed(at(2), &CHECKS);
        assert!(!health.is_beyond_doubt());
        health.passed(at(3), &CHECKS);
        assert!(health.is_beyond_doubt());
    }

    #[test]
    fn lost_sessions_alone_never_put_it_down_but_one_failure_more_does() {
        let mut health = up();
        for _ in 0..1000 {
            assert!(!health.failed(at(1), &CHECKS, Failure::Lost));
        }
        assert!(health.failed(at(1), &CHECKS, Failure::Check));
    }

    #[test]
    fn a_check_that_passes_clears_whom_lost_sessions_made_doubtful() {
        let mut health = up();
        for _ in 0..1000 {
            health.failed(at(1), &CHECKS, Failure::Lost);
        }
        health.passed(at(1), &CHECKS);
        assert!(health.is_beyond_doubt());
        assert!(!health.failed(at(1), &CHECKS, Failure::Check));
    }

    #[test]
    fn its_share_grows_after_it_was_down() {
        let mut health = down();
        health.passed(at(10), &CHECKS);
        health.passed(at(10), &CHECKS);
        let shares = [10, 15, 20, 1000].map(|s| health.share(at(s), CHECKS.slow_start));
        assert_eq!(shares, [1, 128, 256, 256]);
        assert_eq!(health.share(at(10), Duration::ZERO), Health::FULL);
    }

    #[test]
    fn each_relapse_doubles_what_it_takes_to_come_back_up_to_eightfold() {
        let mut health = down();
        let mut now = 10;
        let mut needed = Vec::new();
        for _ in 0..5 {
            let mut passes = 1;
            while !health.passed(at(now), &CHECKS) {
                passes += 1;
            }
            needed.push(passes);
            now += 59;
            while !health.failed(at(now), &CHECKS, Failure::Check) {}
        }
        assert_eq!(needed, [2, 4, 8, 16, 16]);
        while !health.passed(at(now), &CHECKS) {}
        now += 60;
        while !health.failed(at(now), &CHECKS, Failure::Check) {}
        assert!(!health.passed(at(now), &CHECKS));
        assert!(health.passed(at(now), &CHECKS));
    }

    #[test]
    fn what_it_says_unasked_counts_no_oftener_than_a_check_while_it_is_down() {
        let mut health = down();
        for _ in 0..100 {
            assert!(!health.spoke(at(1), &CHECKS));
        }
        assert!(!health.spoke(at(2), &CHECKS));
        assert!(!health.spoke(at(2), &CHECKS));
        assert!(health.spoke(at(3), &CHECKS));
    }
}
