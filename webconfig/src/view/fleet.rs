//! The fleet: each server, and what `problems` finds wrong.

use std::time::{Instant, SystemTime};

use askama::Template;
use control::{Availability, DatabaseRole, DatabaseStanding};

use super::Frame;
use super::connectors::{self, ConnectorRow, connectors};
use super::problems::{Kind, Problem, QUIET, problems};
use super::spark::Spark;
use super::words::{count, number, period, size};
use crate::fleet::{SAMPLES, Seen};

/// The page.
#[derive(Template)]
#[template(path = "fleet.html")]
pub struct FleetPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What changes by itself.
    pub part: FleetPart,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "fleet-part.html")]
pub struct FleetPart {
    /// The whole in a few words,
    pub summary: String,
    /// and as a colour.
    pub kind: Kind,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// The servers, in the order of the configuration.
    pub servers: Vec<Row>,
    /// The connectors that listen to them,
    pub connectors: Vec<ConnectorRow>,
    /// and how many there are beside those.
    pub more_connectors: usize,
}

/// One server.
pub struct Row {
    pub address: String,
    pub id: Option<String>,
    pub kind: Kind,
    pub word: String,
    pub role: String,
    pub place: String,
    pub lag: String,
    pub zone_mode: String,
    pub on_refused: String,
    pub settings: String,
    pub sessions: String,
    pub version: String,
    pub expires: Option<String>,
    /// Values opened and refused per second.
    pub sparks: [(&'static str, Spark); 2],
    pub age: Option<String>,
}

impl FleetPart {
    /// As it is at `now`.
    pub fn new(seen: &[Seen], now: Instant) -> Self {
        let problems = problems(seen, now, SystemTime::now());
        let kind = problems.first().map_or(Kind::Good, |it| it.kind);
        let well = seen.iter().filter(|it| is_well(it, &problems)).count();
        let all = count(seen.len(), "server", "servers");
        let summary = match kind {
            Kind::Good => format!("{all}, all well"),
            _ => format!("{well} of {all} well"),
        };
        let mut connectors = connectors(seen);
        let more_connectors = connectors.len().saturating_sub(connectors::LISTED);
        connectors.truncate(connectors::LISTED);
        Self {
            connectors,
            more_connectors,
            summary,
            kind,
            servers: seen
                .iter()
                .map(|it| row(it, seen, &problems, now))
                .collect(),
            problems,
        }
    }
}

fn is_well(seen: &Seen, problems: &[Problem]) -> bool {
    !problems
        .iter()
        .any(|it| it.server.as_ref() == Some(&seen.address))
}

const UNKNOWN: &str = "not known";

fn row(seen: &Seen, all: &[Seen], problems: &[Problem], now: Instant) -> Row {
    let known = &seen.known;
    let (status, standing) = (known.status.as_ref(), known.standing.as_ref());
    let database = standing.and_then(|it| it.database);
    let own = problems
        .iter()
        .filter(|it| it.server.as_ref() == Some(&seen.address));
    let kind = own.map(|it| it.kind).min().unwrap_or(Kind::Good);
    let word = match (
        &known.silent,
        known.heard,
        standing.map(|it| it.availability),
    ) {
        (Some(_), _, _) => "not heard",
        (None, None, _) => "new",
        (None, Some(_), Some(Availability::Refusing)) => "refusing",
        (None, Some(_), Some(Availability::Draining)) => "draining",
        _ => match kind {
            Kind::Good => "well",
            _ => "look",
        },
    };
    let age = known
        .heard
        .map(|heard| now.saturating_duration_since(heard));
    let text = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.into());
    Row {
        address: seen.address.clone(),
        id: status.map(|it| it.server.clone()),
        kind,
        word: word.into(),
        role: match database {
            Some(database) => format!("{}, timeline {}", database.role, database.timeline),
            None => "role not watched".into(),
        },
        place: text(status.map(|it| it.database.clone())),
        lag: match database {
            Some(database) if database.role == DatabaseRole::Replica => lag(database, all),
            Some(_) => "none: it is the primary".into(),
            None => UNKNOWN.into(),
        },
        zone_mode: text(status.map(|it| it.zone_mode.to_string())),
        on_refused: text(status.map(|it| it.on_refused.to_string())),
        settings: text(standing.map(|it| it.settings.to_string())),
        sessions: text(standing.map(|it| number(it.sessions))),
        version: text(status.map(|it| it.version.clone())),
        expires: status.map(|it| it.certificates.expires.clone()),
        sparks: [
            ("Opened", Spark::new(&known.rates.opened(), SAMPLES)),
            ("Refused", Spark::new(&known.rates.refused(), SAMPLES)),
        ],
        age: age.filter(|age| *age >= QUIET).map(period),
    }
}

/// Behind the primary that is furthest, of those that are watched on its timeline.
fn lag(replica: DatabaseStanding, all: &[Seen]) -> String {
    let databases = all
        .iter()
        .filter_map(|it| it.known.standing.as_ref()?.database);
    let furthest = databases
        .filter(|it| it.role == DatabaseRole::Primary && it.timeline == replica.timeline)
        .map(|it| it.position)
        .max();
    let bytes = furthest.map(|position| size(position.saturating_sub(replica.position)));
    let time = replica.delay_ms.map(|ms| match ms {
        0 => "up to date".to_owned(),
        _ => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    });
    match (bytes, time) {
        (Some(bytes), Some(time)) => format!("{bytes}, {time}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => UNKNOWN.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Known;
    use control::{Lineage, Standing};

    fn database(role: DatabaseRole, timeline: u32, position: u64) -> DatabaseStanding {
        DatabaseStanding {
            role,
            timeline,
            position,
            delay_ms: None,
            lineage: Lineage::default(),
        }
    }

    fn seen(address: &str, database: Option<DatabaseStanding>) -> Seen {
        let mut known = Known::default();
        known.heard = Some(Instant::now());
        known.standing = Some(Standing {
            database,
            ..Standing::default()
        });
        Seen {
            address: address.into(),
            known,
        }
    }

    #[test]
    fn a_replica_is_behind_the_primary_of_its_own_timeline() {
        let primary = |timeline, position| {
            let database = database(DatabaseRole::Primary, timeline, position);
            seen("p", Some(database))
        };
        let replica = database(DatabaseRole::Replica, 2, 1000);
        let fleet = [primary(1, 9000), primary(2, 3048), primary(2, 2000)];
        assert_eq!(lag(replica, &fleet), "2.0 KiB");
        assert_eq!(lag(replica, &fleet[..1]), UNKNOWN);
        let delayed = DatabaseStanding {
            delay_ms: Some(1250),
            ..replica
        };
        assert_eq!(lag(delayed, &fleet), "2.0 KiB, 1.2 s");
        assert_eq!(lag(delayed, &[]), "1.2 s");
    }

    #[test]
    fn the_worst_is_first_and_a_server_without_a_problem_is_well() {
        let (now, today) = (Instant::now(), SystemTime::now());
        let (mut draining, mut lost) = (seen("a:1", None), seen("b:1", None));
        let standing = draining.known.standing.as_mut().unwrap();
        standing.availability = Availability::Draining;
        lost.known.silent = Some("refused".into());
        let fleet = [draining, lost, seen("c:1", None)];
        let found = problems(&fleet, now, today);
        let told: Vec<_> = found.iter().map(|it| it.what.as_str()).collect();
        let draining = "Takes no new sessions: it is draining.";
        assert_eq!(told, ["Not heard: refused", draining]);
        assert_eq!(found[0].server.as_deref(), Some("b:1"));
        let part = FleetPart::new(&fleet, now);
        assert_eq!(
            (part.summary.as_str(), part.kind),
            ("1 of 3 servers well", Kind::Bad)
        );
        let later = problems(&fleet[2..], Instant::now() + QUIET, today);
        assert_eq!(later[0].what, "Says nothing any more.");
    }
}
