//! What endpoints say of themselves, in the balancer's words: a replica's lag in bytes is how far it
//! is behind the newest primary's last word, while that is worth something. Whom to believe of several is
//! `report/trust`'s, and whose cluster it is `report/cluster`'s.

mod cluster;
mod trust;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::{Duration, Instant};

use balancer::{Availability, EndpointId, Lag, Report, Role};
use control::{DatabaseRole, DatabaseStanding, Standing};

use cluster::Cluster;
use trust::{Past, Word};

/// The last word of each endpoint on its database.
#[derive(Debug)]
pub(crate) struct Databases<K = EndpointId> {
    words: HashMap<K, Word>,
    cluster: Cluster,
    memory: Duration,
    settled: Duration,
}

impl<K: Copy + Hash + Eq> Databases<K> {
    /// Nothing was said yet. A primary that is silent is taken to be where it was for as long as
    /// `memory`: it may have died, and a failover goes on. After that it may as well be the network to
    /// it that has, and it goes on writing, and whoever is cut off with us looks as near as ever.
    /// Two that contradict each other for as long as `settled` do not speak of different times.
    pub fn new(memory: Duration, settled: Duration) -> Self {
        Self {
            words: HashMap::new(),
            cluster: Cluster::new(settled),
            memory,
            settled,
        }
    }

    /// What an endpoint says, for the balancer. One that says nothing of itself takes sessions, and its
    /// database is of unknown role.
    pub fn report(&mut self, now: Instant, endpoint: K, standing: Option<&Standing>) -> Report {
        let said = standing.and_then(|standing| standing.database);
        // What is not known now was known: a primary that is silent was still as far as it said.
        if let Some(database) = said {
            let word = Word::after(self.words.get(&endpoint), database, now);
            self.words.insert(endpoint, word);
            self.cluster.hear(now, &self.words);
        } else {
            self.fell_silent(endpoint);
        }
        let word = self.words.get(&endpoint);
        let objection = word.and_then(|word| self.objection(word));
        let Some(standing) = standing else {
            return Report {
                objection,
                ..Report::default()
            };
        };
        let role = match (said, word) {
            (Some(database), Some(word)) => self.role(now, &database, word),
            _ => Role::Unknown,
        };
        Report {
            role,
            availability: match standing.availability {
                control::Availability::Accepting => Availability::Accepting,
                control::Availability::Draining => Availability::Draining,
                control::Availability::Refusing => Availability::Refusing,
            },
            sessions: u32::try_from(standing.sessions).ok(),
            objection,
        }
    }

    /// An endpoint says nothing now. What it said last counts as before, but not as what is so.
    pub(crate) fn fell_silent(&mut self, endpoint: K) {
        if let Some(word) = self.words.get_mut(&endpoint) {
            word.is_current = false;
        }
    }

    /// Forgets all but these.
    pub(crate) fn keep(&mut self, now: Instant, listed: &HashSet<K>) {
        self.words.retain(|endpoint, _| listed.contains(endpoint));
        self.cluster.hear(now, &self.words);
    }

    fn role(&self, now: Instant, database: &DatabaseStanding, word: &Word) -> Role {
        match database.role {
            DatabaseRole::Primary => Role::Primary {
                timeline: database.timeline,
            },
            DatabaseRole::Replica => Role::Replica {
                lag: self.lag(now, database, word),
            },
        }
    }

    fn lag(&self, now: Instant, database: &DatabaseStanding, word: &Word) -> Lag {
        let delay = database.delay_ms.map(Duration::from_millis);
        match self.past(now, word) {
            Past::Shared => Lag {
                bytes: self.behind(now, database),
                time: delay,
            },
            Past::SharedUntil(parted) => {
                let since = now.saturating_duration_since(parted);
                Lag {
                    bytes: self.behind(now, database),
                    time: delay.map(|delay| delay.saturating_add(since)),
                }
            }
            Past::Unknown => Lag::default(),
        }
    }

    fn behind(&self, now: Instant, database: &DatabaseStanding) -> Option<u64> {
        let position = self.primary(now)?;
        Some(position.saturating_sub(database.position))
    }

    /// How far the primary on the newest timeline was when it was last heard, if that is not too long
    /// ago. An older one says nothing of where the newest is.
    fn primary(&self, now: Instant) -> Option<u64> {
        let is_fresh = |it: &&Word| now.saturating_duration_since(it.at) <= self.memory;
        self.newest_primaries()
            .filter(is_fresh)
            .map(|it| it.database.position)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use control::Lineage;

    use super::*;

    const MEMORY: Duration = Duration::from_secs(10);
    const SETTLED: Duration = Duration::from_secs(2);

    fn database(role: DatabaseRole, timeline: u32, position: u64) -> Standing {
        Standing {
            database: Some(DatabaseStanding {
                role,
                timeline,
                position,
                delay_ms: Some(7),
                lineage: Lineage {
                    receives: (role == DatabaseRole::Replica).then_some(timeline),
                    ..Lineage::default()
                },
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
        let now = Instant::now();
        let mut databases = Databases::new(MEMORY, SETTLED);
        let replica = database(DatabaseRole::Replica, 2, 1000);
        assert_eq!(bytes(&databases.report(now, 2, Some(&replica))), None);
        databases.report(now, 0, Some(&database(DatabaseRole::Primary, 1, 9000)));
        assert_eq!(bytes(&databases.report(now, 2, Some(&replica))), Some(8000));
        databases.report(now, 1, Some(&database(DatabaseRole::Primary, 2, 1500)));
        let report = databases.report(now, 2, Some(&replica));
        assert_eq!(bytes(&report), Some(500));
        // It is silent, and was there all the same.
        databases.report(now, 1, Some(&Standing::default()));
        assert_eq!(bytes(&databases.report(now, 2, Some(&replica))), Some(500));
        // A replica that is further than the primary's last word is not behind.
        let ahead = database(DatabaseRole::Replica, 2, 1600);
        assert_eq!(bytes(&databases.report(now, 2, Some(&ahead))), Some(0));
        // The old primary has become a replica.
        databases.report(now, 1, Some(&database(DatabaseRole::Replica, 3, 1500)));
        assert_eq!(bytes(&databases.report(now, 2, Some(&replica))), Some(8000));
    }

    #[test]
    fn a_primary_that_is_silent_for_long_is_nothing_to_be_near_to() {
        let start = Instant::now();
        let mut databases = Databases::new(MEMORY, SETTLED);
        let [old, new] = [(1, 20_000), (2, 9000)];
        let primary = |(timeline, position)| database(DatabaseRole::Primary, timeline, position);
        let replica = database(DatabaseRole::Replica, 3, 9000);
        databases.report(start, 1, Some(&primary(new)));
        let mut lag_at = |seconds, said: Option<(u8, Standing)>| {
            let now = start + Duration::from_secs(seconds);
            if let Some((endpoint, said)) = said {
                databases.report(now, endpoint, Some(&said));
            }
            let report = databases.report(now, 2, Some(&replica));
            assert!(matches!(report.role, Role::Replica { .. }));
            bytes(&report)
        };
        // A failover may go on, and the replica may be the next primary.
        assert_eq!(lag_at(10, None), Some(0));
        // Who cannot be reached may write for hours, and a replica that is cut off from it stays near.
        assert_eq!(lag_at(11, None), None);
        // Neither a server that does not know of its database nor an older primary tells how far it is.
        assert_eq!(lag_at(11, Some((1, Standing::default()))), None);
        assert_eq!(lag_at(11, Some((0, primary(old)))), None);
        // Of two servers before it one is enough, whichever was further when it was heard.
        assert_eq!(lag_at(12, Some((3, primary((2, 9000))))), Some(0));
        assert_eq!(lag_at(30, None), None);
        // Promoted, another is what replicas are near to.
        assert_eq!(lag_at(31, Some((0, primary((3, 9500))))), Some(500));
    }

    #[test]
    fn a_server_that_says_nothing_of_itself_takes_sessions() {
        let now = Instant::now();
        let mut databases = Databases::new(MEMORY, SETTLED);
        assert_eq!(databases.report(now, 0, None), Report::default());
        let draining = Standing {
            availability: control::Availability::Draining,
            sessions: 3,
            ..Standing::default()
        };
        let report = databases.report(now, 0, Some(&draining));
        assert_eq!(report.availability, Availability::Draining);
        assert_eq!((report.role, report.sessions), (Role::Unknown, Some(3)));
    }
}
