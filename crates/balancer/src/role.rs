//! What an endpoint says of itself, and whether that serves what a listener wants. Whom to believe when
//! two contradict each other is `timeline`'s.

use std::time::Duration;

/// What the database behind an endpoint is, in PostgreSQL's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary {
        /// Counts promotions: of two primaries the one on the higher timeline is the newer.
        timeline: u32,
    },
    /// It follows a primary.
    Replica {
        /// How far it is behind.
        lag: Lag,
    },
    /// Not known, or not any more.
    #[default]
    Unknown,
}

impl Role {
    /// Equal but for the lag, which changes all the time.
    pub(crate) fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Replica { .. }, Self::Replica { .. })) || self == other
    }
}

/// How far a replica is behind its primary; of what is not known, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Of WAL not replayed yet.
    pub bytes: Option<u64>,
    /// Since the commit of what was replayed last.
    pub time: Option<Duration>,
}

/// How far a replica may be behind. What is not set is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxLag {
    /// Of WAL not replayed yet.
    pub bytes: Option<u64>,
    /// Since the commit of what was replayed last.
    pub time: Option<Duration>,
}

impl MaxLag {
    fn is_set(self) -> bool {
        self.bytes.is_some() || self.time.is_some()
    }

    /// A lag that is limited and not known is too long.
    fn allows(self, lag: Lag) -> bool {
        let within = |max: Option<u64>, bytes: Option<u64>| {
            max.is_none_or(|max| bytes.is_some_and(|bytes| bytes <= max))
        };
        within(self.bytes, lag.bytes)
            && self
                .time
                .is_none_or(|max| lag.time.is_some_and(|time| time <= max))
    }
}

/// What a listener's sessions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// They write.
    Primary,
    /// They read, and may read what is a little old.
    Replica,
    /// They do not care, even for a role that is not known.
    Any,
}

/// Whether an endpoint takes new sessions, as it says or as an operator has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    #[default]
    Accepting,
    /// It finishes those it has, to go away or to rest.
    Draining,
    /// It cannot: its store is locked, its database does not answer.
    Refusing,
}

/// What an endpoint publishes of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What its database is.
    pub role: Role,
    /// Whether it takes new sessions.
    pub availability: Availability,
    /// The sessions it has, from everybody, if it says so.
    pub sessions: Option<u32>,
    /// What speaks against its database, by what all of them said.
    pub objection: Option<Objection>,
}

/// What speaks against a database whatever it says of itself: it gets no sessions at all, whatever their
/// target, and those it has end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Its system identifier is not that of the others: it was never a copy of them.
    OtherCluster,
    /// Another was promoted to the same timeline, and each has a history of its own.
    Twin {
        /// On which both are primary.
        timeline: u32,
    },
    /// It claims to be primary, and a replica has come to a newer timeline.
    Superseded {
        /// On which it is.
        timeline: u32,
        /// On which the replica is.
        newest: u32,
    },
    /// A replica that went on on its timeline behind the point where a newer one began.
    Strayed {
        /// On which it is.
        timeline: u32,
        /// On which the newest primary is.
        newest: u32,
    },
}

/// How well a role serves a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    Wanted,
    Fallback,
}

/// What `target` and its conditions make of `role`; nothing if it does not serve.
pub(crate) fn fit(
    role: Role,
    target: Target,
    max_lag: MaxLag,
    fallback_to_primary: bool,
) -> Option<Fit> {
    match (target, role) {
        (Target::Primary | Target::Any, Role::Primary { .. }) => Some(Fit::Wanted),
        (Target::Replica, Role::Primary { .. }) => fallback_to_primary.then_some(Fit::Fallback),
        (Target::Replica | Target::Any, Role::Replica { lag }) => {
            max_lag.allows(lag).then_some(Fit::Wanted)
        }
        (Target::Any, Role::Unknown) => (!max_lag.is_set()).then_some(Fit::Wanted),
        (Target::Primary, Role::Replica { .. })
        | (Target::Primary | Target::Replica, Role::Unknown) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: Role = Role::Primary { timeline: 1 };

    fn replica(bytes: Option<u64>, seconds: Option<u64>) -> Role {
        Role::Replica {
            lag: Lag {
                bytes,
                time: seconds.map(Duration::from_secs),
            },
        }
    }

    #[test]
    fn each_target_takes_the_roles_that_serve_it() {
        let lags = MaxLag::default();
        let follower = replica(None, None);
        let table = [
            (Target::Primary, PRIMARY, Some(Fit::Wanted)),
            (Target::Primary, follower, None),
            (Target::Primary, Role::Unknown, None),
            (Target::Replica, PRIMARY, None),
            (Target::Replica, follower, Some(Fit::Wanted)),
            (Target::Replica, Role::Unknown, None),
            (Target::Any, PRIMARY, Some(Fit::Wanted)),
            (Target::Any, follower, Some(Fit::Wanted)),
            (Target::Any, Role::Unknown, Some(Fit::Wanted)),
        ];
        for (target, role, expected) in table {
            assert_eq!(
                fit(role, target, lags, false),
                expected,
                "{target:?} {role:?}"
            );
        }
    }

    #[test]
    fn a_primary_falls_in_for_replicas_where_that_is_wished() {
        let max_lag = MaxLag::default();
        assert_eq!(
            fit(PRIMARY, Target::Replica, max_lag, true),
            Some(Fit::Fallback)
        );
        assert_eq!(fit(Role::Unknown, Target::Replica, max_lag, true), None);
    }

    #[test]
    fn each_limit_of_lag_holds_for_itself_and_a_lag_not_known_is_too_long() {
        let max_lag = MaxLag {
            bytes: Some(1000),
            time: Some(Duration::from_secs(5)),
        };
        for target in [Target::Replica, Target::Any] {
            let serves = |role| fit(role, target, max_lag, false).is_some();
            assert!(serves(replica(Some(1000), Some(5))));
            assert!(!serves(replica(Some(1001), Some(5))));
            assert!(!serves(replica(Some(1000), Some(6))));
            assert!(!serves(replica(None, Some(1))));
            assert!(!serves(replica(Some(1), None)));
            assert!(!serves(Role::Unknown));
        }
        let bytes_only = MaxLag {
            time: None,
            ..max_lag
        };
        let role = replica(Some(1), None);
        assert!(fit(role, Target::Replica, bytes_only, false).is_some());
    }
}
