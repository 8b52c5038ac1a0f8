//! Values opened and refused per second, of the last minute.

use std::collections::VecDeque;
use std::time::Instant;

use control::Values;

/// How many samples are kept: one a second.
pub const SAMPLES: usize = 60;

/// The last minute.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    last: Option<(Values, Instant)>,
    opened: VecDeque<f64>,
    refused: VecDeque<f64>,
}

impl Rates {
    /// Takes note of the counts at a moment. A server that was restarted counts from nothing.
    pub fn note(&mut self, values: Values, at: Instant) {
        let before = self.last.replace((values, at));
        let Some((before, then)) = before else { return };
        let seconds = at.saturating_duration_since(then).as_secs_f64();
        let rate = |before: u64, now: u64| match now.checked_sub(before) {
            Some(count) if seconds > 0.0 => count_as_f64(count) / seconds,
            _ => 0.0,
        };
        push(&mut self.opened, rate(before.opened, values.opened));
        push(&mut self.refused, rate(before.refused, values.refused));
    }

    /// The server was asked, and did not answer: nothing is known of that second.
    pub fn missed(&mut self) {
        self.last = None;
        push(&mut self.opened, 0.0);
        push(&mut self.refused, 0.0);
    }

    /// Values opened per second, the newest last.
    #[must_use]
    pub fn opened(&self) -> Vec<f64> {
        self.opened.iter().copied().collect()
    }

    /// Values refused per second, the newest last.
    #[must_use]
    pub fn refused(&self) -> Vec<f64> {
        self.refused.iter().copied().collect()
    }
}

/// A count that is shown as a rate; beyond four thousand million a second it is shown as that.
pub fn count_as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn push(samples: &mut VecDeque<f64>, sample: f64) {
    if samples.len() >= SAMPLES {
        samples.pop_front();
    }
    samples.push_back(sample);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rates_are_per_second_and_begin_anew_after_a_restart_or_a_silence() {
        let (mut rates, begun) = (Rates::default(), Instant::now());
        let mut note = |opened, refused, after| {
            rates.note(
                Values { opened, refused },
                begun + Duration::from_millis(after),
            );
        };
        note(100, 10, 0);
        note(300, 11, 2000);
        note(5, 0, 3000);
        note(10, 0, 3500);
        assert_eq!(rates.opened(), [100.0, 0.0, 10.0]);
        assert_eq!(rates.refused(), [0.5, 0.0, 0.0]);
        rates.missed();
        let values = Values {
            opened: 1000,
            refused: 0,
        };
        rates.note(values, begun + Duration::from_secs(9));
        assert_eq!(rates.opened(), [100.0, 0.0, 10.0, 0.0]);
        for _ in 0..2 * SAMPLES {
            rates.missed();
        }
        assert_eq!(rates.opened().len(), SAMPLES);
    }
}
