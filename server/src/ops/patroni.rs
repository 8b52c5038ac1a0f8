//! All that is known of the database and the server, in the form of Patroni's `GET /patroni`: of its
//! fields those that this server knows, under the names and in the units that Patroni has.

use std::time::Instant;

use control::DatabaseRole;
use serde::Serialize;

use crate::monitor::Answer;
use crate::shared::Shared;

use super::problem::Problem;

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    state: State,
    #[serde(flatten)]
    database: Option<Database>,
    pgseal: Own<'a>,
}

/// Of Patroni's states those that can be told from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It answers.
    Running,
    /// It does not, or is not asked.
    Unknown,
}

/// What the database said.
#[derive(Debug, Serialize)]
struct Database {
    role: DatabaseRole,
    server_version: u32,
    xlog: Xlog,
    timeline: u32,
}

/// Positions in the write-ahead log, in bytes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Xlog {
    Primary {
        location: u64,
    },
    Replica {
        received_location: Option<u64>,
        replayed_location: u64,
        paused: bool,
    },
}

/// What Patroni does not have: the server's own part, in place of Patroni's object `patroni`.
#[derive(Debug, Serialize)]
struct Own<'a> {
    version: &'static str,
    /// The server's id.
    name: &'a str,
    /// Why no new sessions are to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// How long ago the database said what stands here, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u128>,
}

impl<'a> Status<'a> {
    /// As it is now; `problem` is why no new sessions are to come.
    pub fn new(shared: &'a Shared, problem: Option<&Problem>, now: Instant) -> Self {
        // Of several, the one that is best.
        let heard = shared.databases.said().unwrap_or_default();
        Self::of(heard.first().copied(), &shared.id, problem, now)
    }

    fn of(
        heard: Option<(Answer, Instant)>,
        name: &'a str,
        problem: Option<&Problem>,
        now: Instant,
    ) -> Self {
        let (answer, when) = heard.unzip();
        Self {
            state: match answer {
                Some(_) => State::Running,
                None => State::Unknown,
            },
            database: answer.map(Database::from),
            pgseal: Own {
                version: env!("CARGO_PKG_VERSION"),
                name,
                problem: problem.map(ToString::to_string),
                age_ms: when.map(|when| now.saturating_duration_since(when).as_millis()),
            },
        }
    }
}

impl From<Answer> for Database {
    fn from(answer: Answer) -> Self {
        let standing = answer.standing;
        Self {
            role: standing.role,
            server_version: answer.version,
            xlog: match answer.following {
                None => Xlog::Primary {
                    location: standing.position,
                },
                Some(following) => Xlog::Replica {
                    received_location: following.received,
                    replayed_location: standing.position,
                    paused: following.paused,
                },
            },
            timeline: standing.timeline,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use control::{DatabaseStanding, Lineage};
    use serde_json::{Value, json};

    use super::*;
    use crate::monitor::Following;

    fn document(heard: Option<Answer>, problem: Option<&Problem>) -> Value {
        let when = Instant::now();
        let heard = heard.map(|answer| (answer, when));
        let now = when + Duration::from_millis(42);
        let mut document =
            serde_json::to_value(Status::of(heard, "server-1", problem, now)).unwrap();
        assert!(document["pgseal"]["version"].take().is_string());
        document
    }

    #[test]
    fn what_is_known_stands_where_patroni_has_it_and_nothing_else() {
        let standing = DatabaseStanding {
            role: DatabaseRole::Primary,
            timeline: 3,
            position: 67_395_656,
            delay_ms: None,
            lineage: Lineage::default(),
        };
        let primary = Answer {
            standing,
            version: 150_013,
            following: None,
        };
        assert_eq!(
            document(Some(primary), Some(&Problem::Draining)),
            json!({
                "state": "running", "role": "primary", "server_version": 150_013, "timeline": 3,
                "xlog": { "location": 67_395_656 },
                "pgseal": {
                    "version": null, "name": "server-1", "problem": "draining", "age_ms": 42
                },
            })
        );
        let replica = Answer {
            standing: DatabaseStanding {
                role: DatabaseRole::Replica,
                delay_ms: Some(0),
                ..standing
            },
            following: Some(Following {
                received: None,
                paused: true,
                receives: Some(false),
                primary: None,
            }),
            ..primary
        };
        assert_eq!(
            document(Some(replica), None),
            json!({
                "state": "running", "role": "replica", "server_version": 150_013, "timeline": 3,
                "xlog": {
                    "received_location": null, "replayed_location": 67_395_656, "paused": true
                },
                "pgseal": { "version": null, "name": "server-1", "age_ms": 42 },
            })
        );
        assert_eq!(
            document(None, Some(&Problem::NoAnswer)),
            json!({
                "state": "unknown",
                "pgseal": {
                    "version": null, "name": "server-1", "problem": "the database does not answer"
                },
            })
        );
    }
}
