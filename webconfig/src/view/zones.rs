//! Zones: those that are looked for, and one with all that is to be said of it.

use std::time::Instant;

use askama::Template;
use control::{KeyView, OpenedBy, ZoneDetail, ZoneFate, ZoneView};
use tunnel::rfc3339;

use super::{Frame, Search};
use crate::destructions::{Destructions, Wanted};

/// The graces that can be chosen, in days.
const GRACES: [u64; 4] = [1, 7, 30, 90];
/// The one that is chosen where nobody chooses.
const USUAL_GRACE: u64 = 7;

/// Those that are looked for.
#[derive(Template)]
#[template(path = "zones.html")]
pub struct ZonesPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What is looked for, and where in it this page is.
    pub search: Search,
    pub zones: Vec<Row>,
    /// Zones whose destruction waits for a second operator.
    pub waiting: Vec<Waiting>,
}

/// A zone in a list.
pub struct Row {
    pub id: String,
    pub opened_by: String,
    pub version: u32,
    pub created: String,
    pub fate: ZoneFate,
}

/// What waits for a second operator.
pub struct Waiting {
    pub zone: String,
    /// Tells it from what is asked for later.
    pub number: u64,
    /// Who has asked for it, and when.
    pub by: String,
    pub at: String,
    pub days: u64,
    /// It was whoever looks at it now.
    pub is_own: bool,
}

/// One zone.
#[derive(Template)]
#[template(path = "zone.html")]
pub struct ZonePage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    pub zone: ZoneView,
    /// Clients that may open it, and are not shown.
    pub unshown: usize,
    pub keys: Vec<KeyView>,
    pub waiting: Option<Waiting>,
    /// Whether destruction takes two operators.
    pub takes_two: bool,
    /// Days, and whether they are what is usual.
    pub graces: Vec<(u64, bool)>,
}

impl Waiting {
    fn new(zone: String, wanted: &Wanted, user: &str) -> Self {
        Self {
            zone,
            number: wanted.number,
            at: rfc3339(wanted.at),
            days: wanted.grace_seconds / 86_400,
            is_own: wanted.by.as_str() == user,
            by: wanted.by.to_string(),
        }
    }
}

impl<'a> ZonesPage<'a> {
    /// A page of what was found.
    pub fn new(
        frame: Frame<'a>,
        search: Search,
        zones: Vec<ZoneView>,
        destructions: &Destructions,
    ) -> Self {
        let waiting = destructions.waiting(Instant::now()).into_iter();
        let waiting = waiting.map(|(zone, it)| Waiting::new(zone, &it, &frame.user));
        Self {
            waiting: waiting.collect(),
            zones: zones.into_iter().map(row).collect(),
            search,
            frame,
        }
    }
}

impl<'a> ZonePage<'a> {
    /// As it is now.
    pub fn new(
        frame: Frame<'a>,
        ZoneDetail { zone, keys }: ZoneDetail,
        destructions: &Destructions,
        takes_two: bool,
    ) -> Self {
        let wanted = destructions.of(&zone.id, Instant::now());
        let listed = &zone.opened_by;
        Self {
            unshown: listed.count.saturating_sub(listed.clients.len()),
            waiting: wanted.map(|it| Waiting::new(zone.id.clone(), &it, &frame.user)),
            graces: GRACES.map(|days| (days, days == USUAL_GRACE)).into(),
            takes_two,
            keys,
            zone,
            frame,
        }
    }
}

fn row(zone: ZoneView) -> Row {
    Row {
        opened_by: opened_by(&zone.opened_by),
        id: zone.id,
        version: zone.active_version,
        created: zone.created,
        fate: zone.fate,
    }
}

/// Who may open a zone, in a line.
pub fn opened_by(by: &OpenedBy) -> String {
    let others = by.count.saturating_sub(by.clients.len());
    match (by.all, by.clients.join(", ")) {
        (true, _) => "every client".into(),
        (false, listed) if listed.is_empty() => "nobody".into(),
        (false, listed) if others == 0 => listed,
        (false, listed) => format!("{listed} and {others} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_open_a_zone_is_told_in_a_line() {
        let told = |all, count, clients: &[&str]| {
            let clients = clients.iter().map(|it| (*it).to_owned()).collect();
            opened_by(&OpenedBy {
                all,
                count,
                clients,
            })
        };
        assert_eq!(told(true, 0, &[]), "every client");
        assert_eq!(told(false, 0, &[]), "nobody");
        assert_eq!(told(false, 2, &["a", "b"]), "a, b");
        assert_eq!(told(false, 7, &["a", "b"]), "a, b and 5 more");
    }
}
