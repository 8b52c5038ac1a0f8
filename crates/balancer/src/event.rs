//! What a balancer hands out: checks to run, places given to those that queued, and what its caller's log
//! and metrics should know. It logs nothing itself.

use std::fmt;
use std::sync::Arc;

use crate::health::Failure;
use crate::queue::Ticket;
use crate::role::{Availability, Objection, Role};

/// An endpoint for as long as it is listed; one that is listed anew gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub(crate) u64);

/// What the caller does or notes next.
#[derive(Debug)]
pub enum Output {
    /// Check this endpoint now, and hand the result to [`checked`](crate::Balancer::checked).
    Check(Check),
    /// A session that queued may connect.
    Granted(Ticket, Lease),
    /// A session has queued for `queue_timeout`, and does not any more.
    Expired(Ticket),
    /// Nobody serves a session that queued, so it does not any more: it asks again, and hears what others
    /// hear now.
    Deserted(Ticket),
    /// Something has changed. Sessions that wait for a primary should try again.
    Event(Event),
}

/// One check of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Of whom.
    pub endpoint: EndpointId,
    /// Its name.
    pub name: Arc<str>,
    pub(crate) serial: u64,
}

/// The permission to open one session on one endpoint. It counts against `max_connections` until it is
/// handed back, to [`failed`](crate::Balancer::failed) or [`ended`](crate::Balancer::ended).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease that is not handed back keeps its place for ever"]
pub struct Lease {
    pub(crate) endpoint: EndpointId,
    pub(crate) name: Arc<str>,
}

impl Lease {
    /// Where.
    #[must_use]
    pub fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// One endpoint has changed. Its text is a line for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub endpoint: EndpointId,
    /// Its name.
    pub name: Arc<str>,
    /// How.
    pub change: Change,
}

/// What has become of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It answers, and gets sessions if it takes them.
    Up,
    /// It gets no sessions.
    Down {
        /// The last straw.
        failure: Failure,
    },
    /// It takes sessions again, or none any more.
    Availability(Availability),
    /// Its database is something else now; a new timeline counts, a lag does not.
    Role {
        /// What it was.
        from: Role,
        /// What it is.
        to: Role,
    },
    /// It claims to be primary although a newer one was promoted. It gets no sessions at all, whatever
    /// their target.
    Conflict {
        /// On this timeline.
        timeline: u32,
        /// The newest that an endpoint has claimed.
        newest: u32,
        /// Which endpoint.
        newer: Arc<str>,
    },
    /// This speaks against its database. It gets no sessions either.
    Objected(Objection),
    /// Nothing speaks against it any more: it claims something else, or nobody contradicts.
    ConflictOver,
    /// It is not listed any more.
    Removed,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.change {
            Change::Up => write!(f, "{name} is up"),
            Change::Down { failure } => write!(f, "{name} is down: {failure}"),
            Change::Availability(Availability::Accepting) => write!(f, "{name} takes sessions"),
            Change::Availability(Availability::Draining) => write!(f, "{name} is draining"),
            Change::Availability(Availability::Refusing) => write!(f, "{name} refuses sessions"),
            Change::Role { from, to } => write!(f, "{name} was {from}, and is {to}"),
            Change::Conflict {
                timeline,
                newest,
                newer,
            } => write!(
                f,
                "{name} claims to be primary on timeline {timeline}, but {newer} is on {newest}: \
                 {name} gets no sessions until it is shut down or follows"
            ),
            Change::Objected(objection) => write!(f, "{name} {objection}"),
            Change::ConflictOver => write!(f, "{name} is not distrusted any more"),
            Change::Removed => write!(f, "{name} is not listed any more"),
        }
    }
}

/// To be read behind the name.
impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCluster => f.write_str(
                "has a database of another cluster (another system identifier): it gets no sessions",
            ),
            Self::Twin { timeline } => write!(
                f,
                "claims to be primary on timeline {timeline}, and so does another database: neither \
                 gets sessions until one of them follows"
            ),
            Self::Superseded { timeline, newest } => write!(
                f,
                "claims to be primary on timeline {timeline}, but a replica is on {newest}: it gets no \
                 sessions until it is shut down or follows"
            ),
            Self::Strayed { timeline, newest } => write!(
                f,
                "has a replica that went on on timeline {timeline} behind where {newest} began: it gets \
                 no sessions until it follows the newest primary"
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "a check failed",
            Self::TimeOut => "a check was not answered in time",
            Self::Connect => "a session could not be opened",
            Self::Lost => "a session was lost",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary { timeline } => write!(f, "primary on timeline {timeline}"),
            Self::Replica { .. } => f.write_str("replica"),
            Self::Unknown => f.write_str("of unknown role"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Lag;

    #[test]
    fn each_event_is_a_line_for_an_operator() {
        let line = |change| {
            Event {
                endpoint: EndpointId(1),
                name: Arc::from("db-1"),
                change,
            }
            .to_string()
        };
        let lag = Lag::default();
        assert_eq!(
            line(Change::Down {
                failure: Failure::TimeOut
            }),
            "db-1 is down: a check was not answered in time"
        );
        assert_eq!(
            line(Change::Role {
                from: Role::Replica { lag },
                to: Role::Primary { timeline: 3 }
            }),
            "db-1 was replica, and is primary on timeline 3"
        );
        let conflict = line(Change::Conflict {
            timeline: 3,
            newest: 4,
            newer: Arc::from("db-2"),
        });
        assert_eq!(
            line(Change::Objected(Objection::Superseded {
                timeline: 1,
                newest: 2
            })),
            "db-1 claims to be primary on timeline 1, but a replica is on 2: it gets no sessions until \
             it is shut down or follows"
        );
        assert!(conflict.starts_with(
            "db-1 claims to be primary on timeline 3, but db-2 is on 4: db-1 gets no sessions"
        ));
    }
}
