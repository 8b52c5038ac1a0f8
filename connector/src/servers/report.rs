//! What servers say of themselves, in the balancer's words: a replica's lag in bytes is how far it
//! is behind the newest primary that was heard.

use balancer::{Availability, Lag, Report, Role};
use control::{DatabaseRole, DatabaseStanding, Standing};
use std::time::Duration;

/// The last word of each server on its database.
#[derive(Debug)]
pub struct Databases(Vec<Option<DatabaseStanding>>);

impl Databases {
    /// Of so many servers, nothing heard yet.
    pub fn new(servers: usize) -> Self {
        Self(vec![None; servers])
    }

    /// What the server at `place` says, for the balancer. A server that says nothing of itself takes
    /// sessions, and its database is of unknown role.
    pub fn report(&mut self, place: usize, standing: Option<&Standing>) -> Report {
        let Some(standing) = standing else {
            return Report::default();
        };
        // What is not known now was known: a primary that is silent was still as far as it said.
        if let (Some(known), Some(database)) = (self.0.get_mut(place), standing.database) {
            *known = Some(database);
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
            .iter()
            .flatten()
            .filter(|database| database.role == DatabaseRole::Primary)
            .max_by_key(|database| (database.timeline, database.position))
            .map(|primary| primary.position)
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
        let mut databases = Databases::new(3);
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
        let mut databases = Databases::new(1);
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
