//! What the document says that Patroni answers (`GET /patroni`): of its fields those that are needed here.

use std::time::{Duration, SystemTime};

use control::{DatabaseRole, DatabaseStanding, Lineage};
use serde::Deserialize;

use super::What;
use super::moment;
use crate::monitor::problem::bounded;
use crate::monitor::question::{Answer, Following};

/// Clocks that are kept in step may differ by this much.
const IN_STEP: Duration = Duration::from_secs(1);

/// The document. Patroni says more, and not all of this in every state.
#[derive(Debug, Deserialize)]
struct Status {
    state: String,
    role: String,
    server_version: Option<u32>,
    /// Of a replica absent until it is known.
    timeline: Option<u32>,
    xlog: Option<Xlog>,
    /// Of a replica. Patroni 3.0 does not tell it; others do not while nothing is received.
    replication_state: Option<String>,
    /// A number in digits.
    database_system_identifier: Option<String>,
    postmaster_start_time: Option<String>,
}

/// Positions in the write-ahead log, in bytes.
#[derive(Debug, Deserialize)]
struct Xlog {
    /// Of a primary.
    location: Option<u64>,
    received_location: Option<u64>,
    replayed_location: Option<u64>,
    replayed_timestamp: Option<String>,
    paused: Option<bool>,
}

/// What the document says at this moment.
///
/// # Errors
/// The database does not run, or the document is none of Patroni's.
pub fn parse(document: &[u8], now: SystemTime) -> Result<Answer, What> {
    let status: Status = serde_json::from_slice(document).map_err(|_| What::Garbled)?;
    let role = match (status.state.as_str(), status.role.as_str()) {
        // Its name to release 3, and since.
        ("running", "master" | "primary") => DatabaseRole::Primary,
        // The leader of a cluster that follows another takes no writes either.
        ("running", "replica" | "standby_leader") => DatabaseRole::Replica,
        (state, role) => {
            let words = format!("{state}, as {role}");
            return Err(What::NotRunning(bounded(&words)));
        }
    };
    let xlog = status.xlog.ok_or(What::Garbled)?;
    let version = status.server_version.ok_or(What::Garbled)?;
    let lineage = Lineage {
        system: number(status.database_system_identifier)?,
        started_ms: status.postmaster_start_time.and_then(|text| {
            let then = moment::parse(&text)?.duration_since(SystemTime::UNIX_EPOCH);
            u64::try_from(then.ok()?.as_millis()).ok()
        }),
        receives: status
            .timeline
            .filter(|timeline| role == DatabaseRole::Replica && *timeline > 0),
    };
    let (standing, following) = match role {
        DatabaseRole::Primary => {
            let standing = DatabaseStanding {
                role,
                timeline: status.timeline.ok_or(What::Garbled)?,
                position: xlog.location.ok_or(What::Garbled)?,
                delay_ms: None,
                lineage,
            };
            (standing, None)
        }
        DatabaseRole::Replica => {
            let replayed = xlog.replayed_location.ok_or(What::Garbled)?;
            let state = status.replication_state.as_deref();
            let following = Following {
                received: xlog.received_location,
                paused: xlog.paused.unwrap_or(false),
                receives: state.map(|state| state == "streaming"),
                primary: None,
            };
            let standing = DatabaseStanding {
                role,
                timeline: status.timeline.unwrap_or_default(),
                position: replayed,
                delay_ms: match xlog.received_location {
                    Some(received) if received <= replayed => Some(0),
                    _ => xlog
                        .replayed_timestamp
                        .as_deref()
                        .and_then(|text| age(text, now)),
                },
                lineage,
            };
            (standing, Some(following))
        }
    };
    Ok(Answer {
        standing,
        version,
        following,
    })
}

/// A number in digits, if there is one.
fn number(text: Option<String>) -> Result<Option<u64>, What> {
    let parsed = text.map(|text| text.parse());
    parsed.transpose().map_err(|_| What::Garbled)
}

/// How long ago that was, in milliseconds; nothing where it cannot be read, or lies in the future: then this
/// host's clock or the primary's is wrong, and by how much more than that nobody knows.
fn age(text: &str, now: SystemTime) -> Option<u64> {
    let then = moment::parse(text)?;
    let age = match now.duration_since(then) {
        Ok(age) => age,
        Err(ahead) if ahead.duration() <= IN_STEP => Duration::ZERO,
        Err(_) => return None,
    };
    u64::try_from(age.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// 2026-11-22 15:00:00 UTC.
    const NOW: Duration = Duration::from_secs(1_795_359_600);

    fn read(document: &Value) -> Result<Answer, String> {
        let parsed = parse(
            &serde_json::to_vec(document).unwrap(),
            SystemTime::UNIX_EPOCH + NOW,
        );
        parsed.map_err(|what| what.to_string())
    }

    fn replica() -> Value {
        json!({
            "state": "running", "postmaster_start_time": "2026-11-22 14:57:12.412+00:00",
            "role": "replica", "server_version": 150_013, "timeline": 3, "dcs_last_seen": 1,
            "xlog": {
                "received_location": 900, "replayed_location": 800, "paused": true,
                "replayed_timestamp": "2026-11-22 15:59:58.500+01:00",
            },
            "database_system_identifier": "7", "patroni": { "version": "3.0.2", "scope": "x" },
        })
    }

    fn with(mut document: Value, pointer: &str, value: Value) -> Value {
        *document.pointer_mut(pointer).unwrap() = value;
        document
    }

    #[test]
    fn a_primary_is_told_by_either_of_its_names() {
        for role in ["master", "primary"] {
            let document = json!({
                "state": "running", "role": role, "server_version": 170_002, "timeline": 7,
                "xlog": { "location": u64::MAX }, "replication": [{ "state": "streaming" }],
                "database_system_identifier": u64::MAX.to_string(),
            });
            let answer = Answer {
                standing: DatabaseStanding {
                    role: DatabaseRole::Primary,
                    timeline: 7,
                    position: u64::MAX,
                    delay_ms: None,
                    lineage: Lineage {
                        system: Some(u64::MAX),
                        ..Lineage::default()
                    },
                },
                version: 170_002,
                following: None,
            };
            assert_eq!(read(&document), Ok(answer));
            for pointer in ["/timeline", "/server_version", "/xlog", "/xlog/location"] {
                let less = with(document.clone(), pointer, Value::Null);
                assert!(
                    read(&less).unwrap_err().contains("as Patroni does"),
                    "{less}"
                );
            }
        }
    }

    #[test]
    fn a_replica_is_told_with_how_it_follows() {
        let answer = Answer {
            standing: DatabaseStanding {
                role: DatabaseRole::Replica,
                timeline: 3,
                position: 800,
                delay_ms: Some(1500),
                lineage: Lineage {
                    system: Some(7),
                    started_ms: Some(1_795_359_432_412),
                    receives: Some(3),
                },
            },
            version: 150_013,
            following: Some(Following {
                received: Some(900),
                paused: true,
                receives: None,
                primary: None,
            }),
        };
        assert_eq!(read(&replica()), Ok(answer));
        assert_eq!(
            read(&with(replica(), "/role", json!("standby_leader"))),
            Ok(answer)
        );
        // What it does not know yet.
        let answer = read(&with(replica(), "/timeline", Value::Null)).unwrap();
        assert_eq!(answer.standing.timeline, 0);
        assert_eq!(answer.standing.lineage.receives, None);
        for (state, receives) in [("streaming", true), ("in archive recovery", false)] {
            let mut document = replica();
            document["replication_state"] = json!(state);
            let following = read(&document).unwrap().following.unwrap();
            assert_eq!(following.receives, Some(receives), "{state}");
        }
    }

    #[test]
    fn a_replicas_delay_is_the_age_of_what_it_replayed_unless_it_has_replayed_all() {
        let stamp = "/xlog/replayed_timestamp";
        let ahead = json!("2026-11-22 15:00:01+00:00");
        let far_ahead = json!("2026-11-22 15:00:01.001+00:00");
        for (pointer, value, delay) in [
            (stamp, Value::Null, None),
            (stamp, json!("yesterday"), None),
            (stamp, ahead, Some(0)),
            (stamp, far_ahead, None),
            ("/xlog/received_location", json!(800), Some(0)),
            ("/xlog/received_location", Value::Null, Some(1500)),
        ] {
            let answer = read(&with(replica(), pointer, value.clone())).unwrap();
            assert_eq!(answer.standing.delay_ms, delay, "{pointer} {value}");
        }
    }

    #[test]
    fn a_database_that_does_not_run_is_told_in_one_line_of_bounded_length() {
        for (state, role, says) in [
            ("stopped", "replica", "the database is stopped, as replica"),
            ("running", "demoted", "the database is running, as demoted"),
            ("a\nb\u{1b}", "c", "the database is ab, as c"),
        ] {
            let error = read(&json!({ "state": state, "role": role })).unwrap_err();
            assert!(error.ends_with(says), "{error}");
        }
        let long = json!({ "state": "x".repeat(1000), "role": "replica" });
        assert!(read(&long).unwrap_err().len() < 300);
    }

    #[test]
    fn what_is_no_document_of_patronis_is_garbled() {
        for document in [
            json!(null),
            json!([]),
            json!({ "state": "running" }),
            json!({ "role": "replica" }),
            json!({ "state": 1, "role": "replica" }),
            with(replica(), "/xlog/replayed_location", json!(-1)),
            with(replica(), "/xlog/replayed_location", json!("0/800")),
            with(replica(), "/xlog/replayed_location", Value::Null),
            with(replica(), "/xlog/paused", json!("f")),
            with(replica(), "/timeline", json!(1_u64 << 32)),
            with(replica(), "/server_version", json!(15.13)),
            with(replica(), "/database_system_identifier", json!("-1")),
            with(replica(), "/database_system_identifier", json!(7)),
        ] {
            assert!(
                read(&document).unwrap_err().contains("as Patroni does"),
                "{document}"
            );
        }
        assert!(matches!(
            parse(b"<html>", SystemTime::UNIX_EPOCH),
            Err(What::Garbled)
        ));
    }
}
