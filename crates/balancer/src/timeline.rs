//! Whom to believe when two endpoints claim to be primary: the one on the newer timeline. PostgreSQL
//! begins a new timeline with each promotion, so whoever is on an older one was replaced.
//!
//! A claim outlives its endpoint's silence: while the newest primary is down, an older one that comes back
//! is still an older one, and an older one that falls silent is no better for it. It ends when its endpoint
//! says something else, or is not listed any more. Equal timelines are no conflict: two servers may stand
//! before one database. What else speaks against a database its endpoint's report says, and it stays
//! until the next: who is of another cluster contradicts nobody.

use std::sync::Arc;

use crate::event::Change;
use crate::member::Member;
use crate::role::{Objection, Role};

/// Marks who is to be distrusted. `changed` is told when one of them claims to be primary in so many words,
/// and when that is over: a primary that went silent before it was replaced is no news.
pub(crate) fn judge(members: &mut [Member], mut changed: impl FnMut(&Member, Change)) {
    let newest = members
        .iter()
        .filter(|member| member.objection != Some(Objection::OtherCluster))
        .filter_map(|member| Some((member.claimed?, Arc::clone(&member.name))))
        .max_by_key(|(timeline, _)| *timeline);
    for member in members {
        let contradicted = newest
            .as_ref()
            .filter(|(newest, _)| member.claimed.is_some_and(|claimed| claimed < *newest));
        member.distrusted = contradicted.is_some() || member.objection.is_some();
        let charge = match (contradicted, member.role, member.objection) {
            (Some((newest, newer)), Role::Primary { timeline }, _) => Some(Change::Conflict {
                timeline,
                newest: *newest,
                newer: Arc::clone(newer),
            }),
            (_, _, objection) => objection.map(Change::Objected),
        };
        match charge {
            Some(charge) if !member.accused => {
                member.accused = true;
                changed(member, charge);
            }
            None if member.accused && !member.distrusted => {
                member.accused = false;
                changed(member, Change::ConflictOver);
            }
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::event::EndpointId;
    use crate::role::{Lag, Report};
    use crate::settings::Endpoint;

    const LAG: Lag = Lag {
        bytes: None,
        time: None,
    };

    fn fleet() -> Vec<Member> {
        ["a", "b", "c"]
            .into_iter()
            .zip(0..)
            .map(|(name, id)| Member::new(EndpointId(id), Endpoint::new(name), Moment::START))
            .collect()
    }

    fn says(member: &mut Member, role: Role) {
        member.role = role;
        let report = Report {
            role,
            ..Report::default()
        };
        member.note(Moment::START, &report);
    }

    fn judged(members: &mut [Member]) -> Vec<String> {
        let mut changes = Vec::new();
        judge(members, |member, change| {
            let what = match change {
                Change::Conflict { newer, .. } => format!("{} contradicts {newer}", member.name),
                Change::Objected(_) => format!("{} objected to", member.name),
                _ => format!("{} over", member.name),
            };
            changes.push(what);
        });
        changes
    }

    #[test]
    fn the_newer_timeline_wins_and_the_other_is_told_of_once() {
        let mut members = fleet();
        says(&mut members[0], Role::Primary { timeline: 1 });
        assert!(judged(&mut members).is_empty());
        says(&mut members[1], Role::Primary { timeline: 2 });
        assert_eq!(judged(&mut members), ["a contradicts b"]);
        assert!(members[0].distrusted && !members[1].distrusted);
        assert!(judged(&mut members).is_empty());
        // Silence is no other word.
        members[0].role = Role::Unknown;
        assert!(judged(&mut members).is_empty());
        assert!(members[0].distrusted);
        says(&mut members[0], Role::Replica { lag: LAG });
        assert_eq!(judged(&mut members), ["a over"]);
        assert!(!members[0].distrusted);
    }

    #[test]
    fn a_primary_that_was_silent_when_it_was_replaced_is_told_of_when_it_comes_back() {
        let mut members = fleet();
        says(&mut members[0], Role::Primary { timeline: 1 });
        members[0].role = Role::Unknown;
        says(&mut members[1], Role::Primary { timeline: 2 });
        assert!(judged(&mut members).is_empty());
        assert!(members[0].distrusted);
        says(&mut members[0], Role::Primary { timeline: 1 });
        assert_eq!(judged(&mut members), ["a contradicts b"]);
    }

    #[test]
    fn an_older_primary_is_not_believed_while_the_newest_is_silent() {
        let mut members = fleet();
        says(&mut members[1], Role::Primary { timeline: 2 });
        members[1].role = Role::Unknown;
        says(&mut members[0], Role::Primary { timeline: 1 });
        assert_eq!(judged(&mut members), ["a contradicts b"]);
    }

    #[test]
    fn what_speaks_against_an_endpoint_is_told_once_and_until_it_is_over() {
        let mut members = fleet();
        says(&mut members[0], Role::Primary { timeline: 1 });
        members[0].objection = Some(Objection::Twin { timeline: 1 });
        assert_eq!(judged(&mut members), ["a objected to"]);
        assert!(members[0].distrusted && !members[1].distrusted);
        // Silence is no other word.
        members[0].role = Role::Unknown;
        assert!(judged(&mut members).is_empty());
        assert!(members[0].distrusted);
        says(&mut members[0], Role::Primary { timeline: 1 });
        assert_eq!(judged(&mut members), ["a over"]);
    }

    #[test]
    fn who_is_of_another_cluster_contradicts_nobody() {
        let mut members = fleet();
        says(&mut members[0], Role::Primary { timeline: 1 });
        says(&mut members[1], Role::Primary { timeline: 9 });
        members[1].objection = Some(Objection::OtherCluster);
        assert_eq!(judged(&mut members), ["b objected to"]);
        assert!(!members[0].distrusted && members[1].distrusted);
    }

    #[test]
    fn a_claim_ends_with_another_word_of_whoever_made_it() {
        let mut members = fleet();
        says(&mut members[1], Role::Primary { timeline: 9 });
        says(&mut members[0], Role::Primary { timeline: 1 });
        assert_eq!(judged(&mut members), ["a contradicts b"]);
        says(&mut members[1], Role::Replica { lag: LAG });
        assert_eq!(judged(&mut members), ["a over"]);
        says(&mut members[1], Role::Primary { timeline: 1 });
        assert!(judged(&mut members).is_empty());
        assert!(!members[0].distrusted && !members[1].distrusted);
    }
}
