//! What is wrong with a fleet: with a server, its store, its certificates, or with all of them together.

use std::time::{Duration, Instant, SystemTime};

use control::Availability;
use serde::Serialize;

use super::connectors;
use super::words::{count, period};
use crate::fleet::{Known, Seen};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A server that said nothing for so long is told of: it says something four times a second.
pub const QUIET: Duration = Duration::from_secs(3);

/// A store that did not answer for so long is told of: it is asked five times a second.
const STORE_QUIET_SECONDS: u64 = 5;

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

#[cfg(test)]
mod tests {
    use super::*;

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
