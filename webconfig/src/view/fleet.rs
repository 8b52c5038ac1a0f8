//! The fleet: what is wrong, and each server.

use std::time::{Duration, Instant, SystemTime};

use askama::Template;
use control::{Availability, DatabaseRole, DatabaseStanding};
use serde::Serialize;

use super::Frame;
use super::connectors::{self, ConnectorRow, connectors};
use super::spark::Spark;
use super::words::{count, number, period, size};
use crate::fleet::{Known, SAMPLES, Seen};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A server that said nothing for so long is told of: it says something four times a second.
const QUIET: Duration = Duration::from_secs(3);

/// A store that did not answer for so long is told of: it is asked five times a second.
const STORE_QUIET_SECONDS: u64 = 5;

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

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something does not work.
    Bad,
    /// Something needs a look.
    Warn,
    /// Nothing.
    Good,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub kind: Kind,
    /// With which server; that of all is with none.
    pub server: Option<String>,
    /// What.
    pub what: String,
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

impl Kind {
    /// The name of its colour.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Good => "good",
        }
    }
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

/// What is wrong, the worst first.
pub fn problems(seen: &[Seen], now: Instant, today: SystemTime) -> Vec<Problem> {
    let mut found = Vec::new();
    let modes = |it: &Seen| it.known.status.as_ref().map(|status| status.zone_mode);
    let mut heard = seen
        .iter()
        .filter(|it| it.known.silent.is_none())
        .filter_map(modes);
    if let Some(first) = heard.next()
        && heard.any(|mode| mode != first)
    {
        found.push(Problem {
            kind: Kind::Bad,
            server: None,
            what: "The servers are not all in the same zone mode.".into(),
        });
    }
    for it in seen {
        let mut say = |kind, what: String| {
            found.push(Problem {
                kind,
                server: Some(it.address.clone()),
                what,
            });
        };
        of_server(&it.known, now, today, &mut say);
    }
    found.extend(connectors::problems(seen));
    found.sort_by_key(|problem| problem.kind);
    found
}

fn of_server(known: &Known, now: Instant, today: SystemTime, say: &mut impl FnMut(Kind, String)) {
    if let Some(why) = &known.silent {
        return say(Kind::Bad, format!("Not heard: {why}"));
    }
    let Some(heard) = known.heard else {
        return say(Kind::Warn, "Not heard yet.".into());
    };
    if now.saturating_duration_since(heard) >= QUIET {
        say(Kind::Bad, "Says nothing any more.".into());
    }
    if let Some(why) = &known.unanswered {
        say(Kind::Bad, format!("Does not say how it is: {why}"));
    }
    match known.standing.as_ref().map(|it| it.availability) {
        Some(Availability::Refusing) => say(Kind::Bad, "Takes no sessions: it cannot.".into()),
        Some(Availability::Draining) => {
            say(Kind::Warn, "Takes no new sessions: it is draining.".into());
        }
        Some(Availability::Accepting) | None => {}
    }
    let Some(status) = &known.status else { return };
    if let Some(why) = &status.settings.problem {
        say(Kind::Bad, format!("Does not take over the settings: {why}"));
    }
    if status.store.age_seconds >= STORE_QUIET_SECONDS {
        let age = period(Duration::from_secs(status.store.age_seconds));
        say(Kind::Bad, format!("Its store has not answered for {age}."));
    }
    if let Some(place) = &status.store.moved_to {
        say(Kind::Warn, format!("Its store has moved to {place}."));
    }
    if status.master_key_outdated {
        let what = "Needs the new master key before it is started again.";
        say(Kind::Warn, what.into());
    }
    if status.revocations.standing != "fresh" {
        let standing = &status.revocations.standing;
        say(
            Kind::Bad,
            format!("Its list of revoked certificates is {standing}."),
        );
    }
    for (whose, expires) in [
        ("Its certificate", &status.certificates.expires),
        ("Its CA's certificate", &status.certificates.ca_expires),
    ] {
        if let Some((kind, what)) = expiry(whose, expires, today) {
            say(kind, what);
        }
    }
}

fn expiry(whose: &str, expires: &str, today: SystemTime) -> Option<(Kind, String)> {
    let at = humantime::parse_rfc3339(expires).ok()?;
    match at.duration_since(today) {
        Err(_) => Some((Kind::Bad, format!("{whose} has expired."))),
        Ok(left) if left <= 30 * DAY => {
            let kind = if left <= 7 * DAY {
                Kind::Bad
            } else {
                Kind::Warn
            };
            let days = count(
                usize::try_from(left.as_secs() / DAY.as_secs()).unwrap_or(0),
                "day",
                "days",
            );
            Some((kind, format!("{whose} expires in {days}.")))
        }
        Ok(_) => None,
    }
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
    use control::Standing;

    fn database(role: DatabaseRole, timeline: u32, position: u64) -> DatabaseStanding {
        DatabaseStanding {
            role,
            timeline,
            position,
            delay_ms: None,
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

    #[test]
    fn a_certificate_is_told_of_a_month_before_its_end_and_urgently_a_week_before() {
        let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let told = |days| {
            let expires = tunnel::rfc3339(today + days * DAY);
            expiry("It", &expires, today)
        };
        assert_eq!(told(31), None);
        assert_eq!(
            told(30),
            Some((Kind::Warn, "It expires in 30 days.".into()))
        );
        assert_eq!(told(1), Some((Kind::Bad, "It expires in 1 day.".into())));
        let expired = expiry("It", &tunnel::rfc3339(today - DAY), today);
        assert_eq!(expired, Some((Kind::Bad, "It has expired.".into())));
    }
}
