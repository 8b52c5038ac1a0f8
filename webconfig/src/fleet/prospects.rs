//! What each zone mode would make of the values of the last minute, per second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use control::{ByZoneMode, Values, ZoneMode};

use super::rates::count_as_f64;

const MINUTE: Duration = Duration::from_secs(60);

/// What a server counted, each time that it was asked in the last minute.
#[derive(Debug, Clone, Default)]
pub struct Prospects(VecDeque<(Instant, ByZoneMode)>);

/// Values per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flow {
    /// Opened.
    pub opened: f64,
    /// Refused.
    pub refused: f64,
}

impl Prospects {
    /// Takes note of what a server has counted. One that was restarted counts from nothing, and one of
    /// an older version counts nothing.
    pub fn note(&mut self, counted: Option<ByZoneMode>, at: Instant) {
        let Some(counted) = counted else {
            return self.0.clear();
        };
        let total = |of: &ByZoneMode| of.mixed.opened + of.mixed.refused;
        if self
            .0
            .back()
            .is_some_and(|(_, last)| total(last) > total(&counted))
        {
            self.0.clear();
        }
        self.0.push_back((at, counted));
        // The first is the one before the minute, so that all of the minute counts.
        while self
            .0
            .get(1)
            .is_some_and(|(then, _)| at.saturating_duration_since(*then) >= MINUTE)
        {
            self.0.pop_front();
        }
    }

    /// What a mode would have made of the values that came by meanwhile; `None` before two answers.
    #[must_use]
    pub fn of(&self, mode: ZoneMode) -> Option<Flow> {
        let ((then, before), (now, after)) = (self.0.front()?, self.0.back()?);
        let seconds = now.saturating_duration_since(*then).as_secs_f64();
        let (before, after) = (of(before, mode), of(after, mode));
        let rate = |before: u64, after| count_as_f64(u64::saturating_sub(after, before)) / seconds;
        (seconds > 0.0).then(|| Flow {
            opened: rate(before.opened, after.opened),
            refused: rate(before.refused, after.refused),
        })
    }
}

impl std::iter::Sum for Flow {
    fn sum<I: Iterator<Item = Self>>(flows: I) -> Self {
        flows.fold(Self::default(), |sum, flow| Self {
            opened: sum.opened + flow.opened,
            refused: sum.refused + flow.refused,
        })
    }
}

fn of(counted: &ByZoneMode, mode: ZoneMode) -> Values {
    match mode {
        ZoneMode::Off => counted.off,
        ZoneMode::On => counted.on,
        ZoneMode::Mixed => counted.mixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts after so many values of a client, and of a zone, and others.
    fn counts(client: u64, zone: u64, never: u64) -> Option<ByZoneMode> {
        let values = |opened, refused| Values { opened, refused };
        Some(ByZoneMode {
            off: values(client, zone + never),
            on: values(zone, client + never),
            mixed: values(client + zone, never),
        })
    }

    fn flow(opened: f64, refused: f64) -> Option<Flow> {
        Some(Flow { opened, refused })
    }

    #[test]
    fn rates_are_of_the_last_minute_and_no_longer() {
        let (mut prospects, begun) = (Prospects::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        prospects.note(counts(100, 100, 0), begun);
        assert_eq!(prospects.of(ZoneMode::Off), None);
        prospects.note(counts(120, 105, 1), after(10));
        assert_eq!(prospects.of(ZoneMode::Off), flow(2.0, 0.6));
        assert_eq!(prospects.of(ZoneMode::On), flow(0.5, 2.1));
        assert_eq!(prospects.of(ZoneMode::Mixed), flow(2.5, 0.1));
        for second in 11..=70 {
            prospects.note(counts(120, 105, 1), after(second));
        }
        assert_eq!(prospects.of(ZoneMode::Mixed), flow(0.0, 0.0));
        assert!(prospects.0.len() <= 61, "{}", prospects.0.len());
    }

    #[test]
    fn a_server_that_was_restarted_begins_anew_and_one_that_does_not_count_is_not_known() {
        let (mut prospects, begun) = (Prospects::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        prospects.note(counts(100, 0, 0), begun);
        prospects.note(counts(1, 0, 0), after(1));
        assert_eq!(prospects.of(ZoneMode::Off), None);
        prospects.note(counts(3, 0, 0), after(2));
        assert_eq!(prospects.of(ZoneMode::Off), flow(2.0, 0.0));
        prospects.note(None, after(3));
        assert_eq!(prospects.of(ZoneMode::Off), None);
    }
}
