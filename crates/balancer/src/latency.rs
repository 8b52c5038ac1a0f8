//! How long connecting to an endpoint takes, remembered so that a peak shows at once and is forgotten
//! slowly.

use std::time::Duration;

use crate::clock::Moment;

/// A moving average that jumps up to each higher value and falls to lower ones with time.
#[derive(Debug, Default)]
pub(crate) struct PeakEwma {
    nanos: f64,
    at: Option<Moment>,
}

impl PeakEwma {
    pub(crate) fn observe(&mut self, now: Moment, latency: Duration) {
        let latency = latency.as_secs_f64() * 1e9;
        let remembered = self.at.map_or(0.0, |at| fade(now.since(at)));
        self.nanos = if latency > self.nanos {
            latency
        } else {
            latency + (self.nanos - latency) * remembered
        };
        self.at = Some(now);
    }

    /// Nanoseconds. Without new values it falls to [`FLOOR`], so that an endpoint that was slow once is
    /// tried again.
    pub(crate) fn estimate(&self, now: Moment) -> f64 {
        let remembered = self.at.map_or(0.0, |at| fade(now.since(at)));
        (self.nanos * remembered).max(FLOOR)
    }

    /// What it is known to have been last.
    pub(crate) fn latest(&self) -> Option<Duration> {
        self.at.map(|_| Duration::from_secs_f64(self.nanos / 1e9))
    }
}

/// Below a millisecond, differences are noise.
const FLOOR: f64 = 1e6;

/// After this time half is remembered.
const HALF: Duration = Duration::from_secs(10);

/// By a fraction, not by e: it serves as well, and comes out the same on every machine.
fn fade(pause: Duration) -> f64 {
    let half = HALF.as_secs_f64();
    half / (half + pause.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_peak_shows_at_once_and_is_forgotten_slowly() {
        let mut latency = PeakEwma::default();
        assert_eq!(latency.latest(), None);
        latency.observe(at(0), Duration::from_millis(10));
        latency.observe(at(0), Duration::from_millis(100));
        assert_eq!(latency.latest(), Some(Duration::from_millis(100)));
        latency.observe(at(10), Duration::from_millis(10));
        assert_eq!(latency.latest(), Some(Duration::from_millis(55)));
    }

    #[test]
    fn an_endpoint_not_tried_for_long_is_taken_for_quick() {
        let mut latency = PeakEwma::default();
        assert!((latency.estimate(at(0)) - FLOOR).abs() < 1.0);
        latency.observe(at(0), Duration::from_millis(100));
        assert!((latency.estimate(at(0)) - 100e6).abs() < 1.0);
        assert!((latency.estimate(at(10)) - 50e6).abs() < 1.0);
        assert!((latency.estimate(at(10_000)) - FLOOR).abs() < 1.0);
    }

    #[test]
    fn below_a_millisecond_all_are_alike() {
        let mut latency = PeakEwma::default();
        latency.observe(at(0), Duration::from_micros(30));
        assert!((latency.estimate(at(0)) - FLOOR).abs() < 1.0);
    }
}
