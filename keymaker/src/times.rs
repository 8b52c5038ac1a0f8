//! Times as people give and read them: periods, points in time, ages.

use std::str::FromStr;
use std::time::Duration;

use keystore::Timestamp;

/// The longest period: ten years.
const MAX_PERIOD: Duration = Duration::from_secs(3650 * DAY);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A length of time such as `7d`, from a second to ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text)
            .ok()
            .filter(|period| (Duration::from_secs(1)..=MAX_PERIOD).contains(period))
            .map(Period)
            .ok_or("it is a period of a second to ten years, such as `7d` or `36h`")
    }
}

/// A point in time: RFC 3339, a day (UTC), or a period before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since(pub Timestamp);

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(Period(period)) = text.parse() {
            let seconds = Timestamp::now().seconds().saturating_sub(period.as_secs());
            return Timestamp::from_seconds(seconds).map(Since).ok_or(SINCE);
        }
        humantime::parse_rfc3339(text)
            .or_else(|_| humantime::parse_rfc3339(&format!("{text}T00:00:00Z")))
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| Timestamp::from_seconds(since.as_secs()))
            .map(Since)
            .ok_or(SINCE)
    }
}

const SINCE: &str = "it is a time such as `2026-11-22T10:00:00Z`, a day such as `2026-11-22`, or a \
                     period before now such as `7d`";

/// A length of time in its largest unit, rounded down: `3 days`.
pub fn roughly(period: Duration) -> String {
    let seconds = period.as_secs();
    let (count, unit) = match seconds {
        0..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ => (seconds / DAY, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_between_a_second_and_ten_years() {
        for (text, seconds) in [
            ("1s", 1),
            ("36h", 36 * HOUR),
            ("7d", 7 * DAY),
            ("3650d", 3650 * DAY),
        ] {
            assert_eq!(text.parse(), Ok(Period(Duration::from_secs(seconds))));
        }
        for text in [
            "",
            "7",
            "0s",
            "900ms",
            "-1d",
            "3651d",
            "99999999999999999999d",
            "soon",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_given_as_time_day_or_period() {
        for text in ["2026-12-01T00:00:00Z", "2026-12-01"] {
            let time = text.parse::<Since>().unwrap().0;
            assert_eq!(time.to_string(), "2026-12-01T00:00:00Z");
        }
        let hour_ago = "1h".parse::<Since>().unwrap().0;
        let age = Timestamp::now().since(hour_ago).as_secs();
        assert!((HOUR..HOUR + MINUTE).contains(&age));
        for text in ["", "yesterday", "2026-13-01", "1960-01-01", "12:00"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let told = [0, 1, 59, 60, 3599, 3600, 86_399, 86_400, 40 * DAY];
        let told = told.map(|seconds| roughly(Duration::from_secs(seconds)));
        assert_eq!(
            told,
            [
                "0 seconds",
                "1 second",
                "59 seconds",
                "1 minute",
                "59 minutes",
                "1 hour",
                "23 hours",
                "1 day",
                "40 days"
            ]
        );
    }
}
