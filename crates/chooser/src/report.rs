//! What endpoints say of themselves, in the balancer's words: a replica's lag in bytes is how far it
//! is behind the newest primary that was heard.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use balancer::{Availability, EndpointId, Lag, Report, Role};
use control::{DatabaseRole, DatabaseStanding, Standing};

/// The last word of each endpoint on its database.
#[derive(Debug)]
pub(crate) struct Databases<K = EndpointId>(HashMap<K, DatabaseStanding>);

impl<K: Hash + Eq> Databases<K> {
    /// What an endpoint says, for the balancer. One that says nothing of itself takes sessions, and its
    /// database is of unknown role.
    pub fn report(&mut self, endpoint: K, standing: Option<&Standing>) -> Report {
        let Some(standing) = standing else {
            return Report::default();
        };
        // What is not known now was known: a primary that is silent was still as far as it said.
        if let Some(database) = standing.database {
            self.0.insert(endpoint, database);
        }
        Report {
            role: standing
                .database
                .map_or(Role::Unknown, |database| self.role(&database)),
            availability: match standing.availability {
                control::Availability::Accepting => Availability::Accepting,
                control::Availability::Draining => Availability::Draining,
                control::Availability::Refusing => Availability::Refusing,
            },
            sessions: u32::try_from(standing.sessions).ok(),
        }
    }

    /// Forgets all but these.
    pub(crate) fn keep(&mut self, listed: &HashSet<K>) {
        self.0.retain(|endpoint, _| listed.contains(endpoint));
    }

    fn role(&self, database: &DatabaseStanding) -> Role {
        match database.role {
            DatabaseRole::Primary => Role::Primary {
                timeline: database.timeline,
            },
            DatabaseRole::Replica => Role::Replica {
                lag: Lag {
                    bytes: self
                        .primary()
                        .map(|position| position.saturating_sub(database.position)),
                    time: database.delay_ms.map(Duration::from_millis),
                },
            },
        }
    }

    /// How far the primary on the newest timeline was when it was last heard.
    fn primary(&self) -> Option<u64> {
        self.0
            .values()
            .filter(|database| database.role == DatabaseRole::Primary)
            .max_by_key(|database| (database.timeline, database.position))
            .map(|primary| primary.position)
    }
}

// Not derived: that would ask it of `K`.
impl<K> Default for Databases<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(role: DatabaseRole, timeline: u32, position: u64) -> Standing {
        Standing {
            database: Some(DatabaseStanding {
                role,
                timeline,
                position,
                delay_ms: Some(7),
            }),
            ..Standing::default()
        }
    }

    fn bytes(report: &Report) -> Option<u64> {
        match report.role {
            Role::Replica { lag } => lag.bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lag_is_counted_from_the_newest_primary_that_was_heard() {
        let mut databases = Databases::default();
        let replica = database(DatabaseRole::Replica, 1, 1000);
        assert_eq!(bytes(&databases.report(2, Some(&replica))), None);
        databases.report(0, Some(&database(DatabaseRole::Primary, 1, 9000)));
        assert_eq!(bytes(&databases.report(2, Some(&replica))), Some(8000));
        databases.report(1, Some(&database(DatabaseRole::Primary, 2, 1500)));
        let report = databases.report(2, Some(&replica));
        assert_eq!(bytes(&report), Some(500));
        // It is silent, and was there all the same.
        databases.report(1, Some(&Standing::default()));
        assert_eq!(bytes(&databases.report(2, Some(&replica))), Some(500));
        // A replica that is further than the primary's last word is not behind.
        let ahead = database(DatabaseRole::Replica, 2, 1600);
        assert_eq!(bytes(&databases.report(2, Some(&ahead))), Some(0));
        // The old primary has become a replica.
        databases.report(1, Some(&database(DatabaseRole::Replica, 3, 1500)));
        assert_eq!(bytes(&databases.report(2, Some(&replica))), Some(8000));
    }

    #[test]
    fn a_server_that_says_nothing_of_itself_takes_sessions() {
        let mut databases = Databases::default();
        assert_eq!(databases.report(0, None), Report::default());
        let draining = Standing {
            availability: control::Availability::Draining,
            sessions: 3,
            ..Standing::default()
        };
        let report = databases.report(0, Some(&draining));
        assert_eq!(report.availability, Availability::Draining);
        assert_eq!((report.role, report.sessions), (Role::Unknown, Some(3)));
    }
}
