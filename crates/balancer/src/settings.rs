//! What an operator sets: endpoints, checks, and what each listener wants of them.

use std::time::Duration;

use crate::error::Error;
use crate::role::{MaxLag, Target};

/// The highest weight of an endpoint, as in HAProxy.
pub const MAX_WEIGHT: u32 = 256;

/// How endpoints are checked, in HAProxy's words (`inter`, `downinter`, `fall`, `rise`, `slowstart`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// From the start of one check to the next of an endpoint that is up and beyond doubt. Up to a tenth
    /// shorter, so that many balancers do not check in step.
    pub interval: Duration,
    /// The same for one that is down, or is up and has begun to fail.
    pub down_interval: Duration,
    /// A check without an answer for so long has failed.
    pub timeout: Duration,
    /// So many failures in a row put an endpoint down.
    pub fall: u32,
    /// So many successes in a row bring it up again.
    pub rise: u32,
    /// For so long after that its weight grows from nothing to what is configured.
    pub slow_start: Duration,
}

impl Default for Checks {
    /// An endpoint that hangs is down within a second and a half.
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            down_interval: Duration::from_millis(500),
            timeout: Duration::from_millis(500),
            fall: 2,
            rise: 2,
            slow_start: Duration::from_secs(10),
        }
    }
}

impl Checks {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let pauses = [
            ("interval", self.interval),
            ("down_interval", self.down_interval),
            ("timeout", self.timeout),
        ];
        let counts = [("fall", self.fall), ("rise", self.rise)];
        let zero = pauses
            .iter()
            .find(|(_, pause)| pause.is_zero())
            .map(|(setting, _)| *setting)
            .or_else(|| counts.iter().find(|(_, n)| *n == 0).map(|(name, _)| *name));
        zero.map_or(Ok(()), |setting| Err(Error::Zero { setting }))
    }

    /// For so long what an endpoint said of itself is believed. Silence of that length would have put it
    /// down; with a `fall` of 1 it is one more check, so that one lost answer forgets nothing.
    #[must_use]
    pub fn memory(&self) -> Duration {
        self.interval
            .saturating_add(self.timeout)
            .saturating_mul(self.fall.max(2))
    }
}

/// One member of the list that is balanced over: a server to a connector, a database to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Tells it from the others, and from one list to the next: its address, say.
    pub name: String,
    /// Its share of new sessions relative to the others', up to [`MAX_WEIGHT`]. At 0 it gets none.
    pub weight: u32,
    /// Gets sessions only while no endpoint that is not a backup can.
    pub backup: bool,
    /// The sessions it may have from this balancer at once; further ones queue.
    pub max_connections: Option<u32>,
}

impl Endpoint {
    /// With weight 1, no backup, without a limit.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            weight: 1,
            backup: false,
            max_connections: None,
        }
    }
}

/// How one is chosen among endpoints that serve equally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// In turn, evenly spread, as often as weights say.
    #[default]
    RoundRobin,
    /// The one with the fewest sessions for its weight; by its own count of all of them where each
    /// endpoint publishes that, by this balancer's otherwise.
    LeastConnections,
    /// Of two drawn by weight, the one that connects faster and has fewer sessions.
    PeakEwma,
}

/// What a listener wants of the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The role that its sessions need.
    pub target: Target,
    /// How far a replica may be behind to get them.
    pub max_lag: MaxLag,
    /// A primary serves `replica` too while no replica does.
    pub fallback_to_primary: bool,
    /// How one of those that serve is chosen.
    pub policy: Policy,
    /// So many sessions wait while every endpoint that serves has its `max_connections`.
    pub max_queue: usize,
    /// For so long each.
    pub queue_timeout: Duration,
}

impl Listener {
    /// In turn, however far behind, without a fallback, with a hundred that wait for ten seconds.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            max_lag: MaxLag::default(),
            fallback_to_primary: false,
            policy: Policy::default(),
            max_queue: 100,
            queue_timeout: Duration::from_secs(10),
        }
    }
}

/// Names are unique, weights in range.
pub(crate) fn validate(endpoints: &[Endpoint]) -> Result<(), Error> {
    let mut names: Vec<&str> = endpoints.iter().map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Duplicate {
            name: pair[0].to_owned(),
        });
    }
    match endpoints.iter().find(|e| e.weight > MAX_WEIGHT) {
        Some(endpoint) => Err(Error::Weight {
            name: endpoint.name.clone(),
            weight: endpoint.weight,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_above_zero_is_named() {
        let mut checks = Checks::default();
        assert_eq!(checks.validate(), Ok(()));
        checks.rise = 0;
        assert_eq!(checks.validate(), Err(Error::Zero { setting: "rise" }));
        checks.timeout = Duration::ZERO;
        let error = checks.validate().unwrap_err();
        assert_eq!(error.to_string(), "timeout is 0: set it above 0");
    }

    #[test]
    fn a_name_twice_and_a_weight_too_high_are_named() {
        let mut list = vec![Endpoint::new("a"), Endpoint::new("b"), Endpoint::new("a")];
        let error = validate(&list).unwrap_err();
        assert!(error.to_string().contains("endpoint a is listed twice"));
        list.pop();
        list[1].weight = 257;
        let error = validate(&list).unwrap_err();
        assert!(error.to_string().contains("b has weight 257"), "{error}");
        list[1].weight = 256;
        assert_eq!(validate(&list), Ok(()));
    }

    #[test]
    fn what_is_said_is_believed_past_one_lost_answer() {
        let mut checks = Checks::default();
        assert_eq!(checks.memory(), Duration::from_secs(2));
        checks.fall = 1;
        assert_eq!(checks.memory(), Duration::from_secs(2));
        checks.fall = 5;
        assert_eq!(checks.memory(), Duration::from_secs(5));
    }
}
