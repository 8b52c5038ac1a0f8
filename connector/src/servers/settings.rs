//! What an operator says of the choice between servers, as it is written in the configuration. What
//! it means is `balancer`'s.

use std::time::Duration;

use balancer::MaxLag;
use control::{ByteSize, Count, Period};
use serde::{Deserialize, Serialize};

/// What the database behind a listener's servers must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Whatever it is.
    #[default]
    Any,
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

impl From<Target> for balancer::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::Any => Self::Any,
            Target::Primary => Self::Primary,
            Target::Replica => Self::Replica,
        }
    }
}

/// How one is chosen of those that serve equally well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// In turn.
    #[default]
    RoundRobin,
    /// The one with the fewest sessions.
    LeastConnections,
    /// Of two drawn by lot, the one that connects faster and has fewer sessions.
    PeakEwma,
}

impl From<Policy> for balancer::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::RoundRobin => Self::RoundRobin,
            Policy::LeastConnections => Self::LeastConnections,
            Policy::PeakEwma => Self::PeakEwma,
        }
    }
}

/// What becomes of sessions whose database is something else than they need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRoleChange {
    /// They end with an error, and their applications connect again.
    #[default]
    Close,
    /// They go on where they are.
    Keep,
}

/// `max_lag`: a size of WAL, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LagLimit {
    /// So many bytes behind.
    Bytes(ByteSize),
    /// So long behind.
    Time(Period),
}

impl TryFrom<String> for LagLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let size = text.parse().map(Self::Bytes);
        size.or_else(|_| text.parse().map(Self::Time)).map_err(|_| {
            format!("`{text}` is neither a size nor a period of time; write it like 16MiB or 10s")
        })
    }
}

impl From<LagLimit> for String {
    fn from(limit: LagLimit) -> Self {
        match limit {
            LagLimit::Bytes(size) => size.into(),
            LagLimit::Time(period) => period.into(),
        }
    }
}

impl From<LagLimit> for MaxLag {
    fn from(limit: LagLimit) -> Self {
        match limit {
            LagLimit::Bytes(size) => Self {
                bytes: u64::try_from(size.0).ok(),
                time: None,
            },
            LagLimit::Time(period) => Self {
                bytes: None,
                time: Some(period.0),
            },
        }
    }
}

/// `checks`: how it is found out whether a server is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// `checks.interval`
    pub interval: Period,
    /// `checks.down_interval`
    pub down_interval: Period,
    /// `checks.timeout`
    pub timeout: Period,
    /// `checks.fall`
    pub fall: Count,
    /// `checks.rise`
    pub rise: Count,
    /// `checks.slow_start`
    pub slow_start: Period,
}

impl Default for Checks {
    fn default() -> Self {
        let checks = balancer::Checks::default();
        let count = |count: u32| Count(usize::try_from(count).unwrap_or(usize::MAX));
        Self {
            interval: Period(checks.interval),
            down_interval: Period(checks.down_interval),
            timeout: Period(checks.timeout),
            fall: count(checks.fall),
            rise: count(checks.rise),
            slow_start: Period(checks.slow_start),
        }
    }
}

impl From<&Checks> for balancer::Checks {
    fn from(checks: &Checks) -> Self {
        Self {
            interval: checks.interval.0,
            down_interval: checks.down_interval.0,
            timeout: checks.timeout.0,
            fall: number(checks.fall),
            rise: number(checks.rise),
            slow_start: checks.slow_start.0,
        }
    }
}

/// As the balancer counts; more than that is as good as no limit.
pub(super) fn number(count: Count) -> u32 {
    u32::try_from(count.0).unwrap_or(u32::MAX)
}

/// How long after its last word a server counts as speaking.
pub(super) fn hearing(checks: &balancer::Checks) -> Duration {
    checks.interval.saturating_add(checks.timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_limited_in_bytes_or_in_time() {
        let limit = |text: &str| LagLimit::try_from(text.to_owned()).map(MaxLag::from);
        let bytes = limit("16MiB").unwrap();
        assert_eq!((bytes.bytes, bytes.time), (Some(16 << 20), None));
        let time = limit("10s").unwrap();
        assert_eq!(
            (time.bytes, time.time),
            (None, Some(Duration::from_secs(10)))
        );
        assert!(limit("soon").unwrap_err().contains("16MiB or 10s"));
    }
}
