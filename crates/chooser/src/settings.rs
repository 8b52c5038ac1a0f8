//! What an operator says of the choice between endpoints, as it is written in the configuration. What
//! it means is `balancer`'s.

mod keys;
mod needs;
mod share;
mod written;

use balancer::MaxLag;
use control::{ByteSize, Count, Period};
use serde::{Deserialize, Serialize};

use crate::chooser::Listener;
pub use keys::KEYS;
pub use needs::{Bind, Needs};
pub use share::Share;
pub use written::{OneOrSeveral, Written, twice, value};

/// A choice is written as one of a few words.
macro_rules! words {
    ($choice:ident: $($variant:ident = $word:literal),+) => {
        impl TryFrom<String> for $choice {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                match text.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is none of {}", [$($word),+].join(", "))),
                }
            }
        }

        impl From<$choice> for String {
            fn from(choice: $choice) -> Self {
                match choice {
                    $($choice::$variant => $word.to_owned(),)+
                }
            }
        }
    };
}

/// What the database behind a listener's endpoints must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Whatever it is.
    #[default]
    Any,
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

words!(Target: Any = "any", Primary = "primary", Replica = "replica");

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
#[serde(try_from = "String", into = "String")]
pub enum Policy {
    /// In turn.
    #[default]
    RoundRobin,
    /// The one with the fewest sessions.
    LeastConnections,
    /// Of two drawn by lot, the one that connects faster and has fewer sessions.
    PeakEwma,
}

words!(
    Policy: RoundRobin = "round-robin", LeastConnections = "least-connections", PeakEwma = "peak-ewma"
);

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
#[serde(try_from = "String", into = "String")]
pub enum OnRoleChange {
    /// They end with an error, and their applications connect again.
    #[default]
    Close,
    /// They go on where they are.
    Keep,
}

words!(OnRoleChange: Close = "close", Keep = "keep");

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
fn number(count: Count) -> u32 {
    u32::try_from(count.0).unwrap_or(u32::MAX)
}

/// `balance`: what sessions need of the endpoints there are, and how long they wait for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Balance {
    /// `balance.target`
    pub target: Target,
    /// `balance.policy`
    pub policy: Policy,
    /// `balance.max_lag`
    pub max_lag: Option<LagLimit>,
    /// `balance.fallback_to_primary`
    pub fallback_to_primary: bool,
    /// `balance.wait_for_primary`
    pub wait_for_primary: Period,
    /// `balance.on_role_change`
    pub on_role_change: OnRoleChange,
    /// `balance.max_connections`
    pub max_connections: Option<Count>,
    /// `balance.max_queue`
    pub max_queue: Count,
    /// `balance.queue_timeout`
    pub queue_timeout: Period,
}

impl Default for Balance {
    fn default() -> Self {
        Self {
            target: Target::default(),
            policy: Policy::default(),
            max_lag: None,
            fallback_to_primary: false,
            wait_for_primary: Period::seconds(10),
            on_role_change: OnRoleChange::default(),
            max_connections: None,
            max_queue: Count(100),
            queue_timeout: Period::seconds(10),
        }
    }
}

impl Balance {
    /// What the sessions of a listener need that says this of them: that, and else what holds for all.
    #[must_use]
    pub fn listener(&self, needs: &Needs) -> Listener {
        Listener {
            choice: balancer::Listener {
                target: needs.target.unwrap_or(self.target).into(),
                max_lag: needs
                    .max_lag
                    .or(self.max_lag)
                    .map(Into::into)
                    .unwrap_or_default(),
                fallback_to_primary: needs
                    .fallback_to_primary
                    .unwrap_or(self.fallback_to_primary),
                policy: needs.policy.unwrap_or(self.policy).into(),
                max_queue: self.max_queue.0,
                queue_timeout: self.queue_timeout.0,
            },
            wait_for_primary: self.wait_for_primary.0,
            on_role_change: needs.on_role_change.unwrap_or(self.on_role_change),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn what_a_listener_does_not_say_holds_as_for_all() {
        let balance = Balance {
            target: Target::Primary,
            fallback_to_primary: true,
            ..Balance::default()
        };
        let needs = Needs {
            target: Some(Target::Replica),
            policy: Some(Policy::PeakEwma),
            ..Needs::default()
        };
        let listener = balance.listener(&needs).choice;
        assert_eq!(listener.target, balancer::Target::Replica);
        assert_eq!(listener.policy, balancer::Policy::PeakEwma);
        assert!(listener.fallback_to_primary);
        let without = Needs {
            fallback_to_primary: Some(false),
            ..needs
        };
        assert!(!balance.listener(&without).choice.fallback_to_primary);
        let plain = balance.listener(&Needs::default()).choice;
        assert_eq!(plain.target, balancer::Target::Primary);
        assert_eq!(plain.policy, balancer::Policy::RoundRobin);
    }

    #[test]
    fn the_table_of_keys_and_the_settings_agree() {
        let defaults = serde_json::json!({
            "balance": Balance::default(),
            "checks": Checks::default(),
        });
        assert_eq!(daemon::differences(KEYS, &defaults), Vec::<String>::new());
    }
}
