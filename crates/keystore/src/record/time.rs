//! Points in time, as records hold them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const DAY: u64 = 24 * 60 * 60;

/// A point in time, in whole seconds since 1970-01-01 UTC; shown after RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last second of the year 9999, beyond which RFC 3339 does not reach.
    const LAST: u64 = 253_402_300_799;

    /// The present time; 1970 on a clock set before it.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| since.as_secs().min(Self::LAST)))
    }

    /// The time this many seconds after 1970-01-01 UTC; `None` beyond the year 9999.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        (seconds <= Self::LAST).then_some(Timestamp(seconds))
    }

    /// This many days later, or the last second that can be shown.
    pub fn plus_days(self, days: u16) -> Self {
        Timestamp((self.0 + u64::from(days) * DAY).min(Self::LAST))
    }

    /// This much later, in whole seconds, or the last second that can be shown.
    #[must_use]
    pub fn plus(self, period: Duration) -> Self {
        Timestamp(self.0.saturating_add(period.as_secs()).min(Self::LAST))
    }

    /// How long after `earlier` it is; nothing if it is before it.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// The day it is in, counted from 1970-01-01 UTC.
    pub(crate) const fn day(self) -> u64 {
        self.0 / DAY
    }

    /// Seconds since 1970-01-01 UTC.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Timestamp {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        Self::from_seconds(seconds).ok_or("a time beyond the year 9999")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_secs(self.0);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_after_rfc_3339() {
        let shown = [0, 1_796_083_200, Timestamp::LAST].map(|time| Timestamp(time).to_string());
        assert_eq!(
            shown,
            [
                "1970-01-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
                "9999-12-31T23:59:59Z"
            ]
        );
        assert_eq!(Timestamp::from_seconds(Timestamp::LAST + 1), None);
        assert_eq!(Timestamp(5).plus_days(2), Timestamp(172_805));
        assert_eq!(
            Timestamp(Timestamp::LAST - 5).plus_days(1).0,
            Timestamp::LAST
        );
    }
}
