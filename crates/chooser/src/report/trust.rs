//! Whom to believe, by what all have said: a primary is none any more when a newer timeline is known, two
//! on one timeline are none either, and a replica is worth something as far as its past is the newest
//! primary's.
//!
//! A word counts until its endpoint says another, however long that takes: who is silent may serve others.

use std::hash::Hash;
use std::time::Instant;

use balancer::Objection;
use control::{DatabaseRole, DatabaseStanding};

use super::Databases;

/// The last word of one endpoint on its database.
#[derive(Debug)]
pub(super) struct Word {
    pub database: DatabaseStanding,
    pub at: Instant,
    /// It has not fallen silent since.
    pub is_current: bool,
    /// For how long it has been this process of PostgreSQL's, in this role, on this timeline.
    since: Instant,
    /// Of a replica: the timeline that it receives; or did, by its last word on that.
    receives: Option<u32>,
    /// Of a primary: what is known of where its timeline began.
    branch: Branch,
}

/// What is known of where a primary's timeline began, in bytes of the write-ahead log.
#[derive(Debug, Clone, Copy)]
struct Branch {
    /// Up to here, at least, it has all that the older timeline has: so far it had replayed it.
    shared: Option<u64>,
    /// Not later than here: it was primary there.
    first: u64,
    /// When that was heard.
    since: Instant,
}

/// How much of a replica's past is the newest primary's.
pub(super) enum Past {
    /// All, as far as is known.
    Shared,
    /// All of it; but it has not gone along since.
    SharedUntil(Instant),
    /// Not all, perhaps.
    Unknown,
}

impl Word {
    /// What an endpoint says now, after what it said before.
    pub fn after(before: Option<&Self>, database: DatabaseStanding, now: Instant) -> Self {
        let was = before.filter(|it| {
            (it.database.role, it.database.timeline) == (database.role, database.timeline)
        });
        // An endpoint may have several databases, and speak for another now.
        let is_same = |it: &&Self| it.started() == database.lineage.started_ms;
        let same = was.filter(is_same);
        let before = before.filter(is_same);
        let began = || Branch {
            shared: before
                .filter(|it| it.database.role == DatabaseRole::Replica)
                .map(|it| it.database.position),
            first: database.position,
            since: now,
        };
        let told = before.and_then(|it| it.receives);
        Self {
            database,
            at: now,
            is_current: true,
            since: same.map_or(now, |it| it.since),
            receives: database.lineage.receives.or(told),
            branch: was.map_or_else(began, |it| it.branch),
        }
    }

    fn started(&self) -> Option<u64> {
        self.database.lineage.started_ms
    }

    fn is_primary(&self) -> bool {
        self.database.role == DatabaseRole::Primary
    }
}

impl<K: Copy + Hash + Eq> Databases<K> {
    /// What speaks against the database of whom this word is.
    pub(super) fn objection(&self, word: &Word) -> Option<Objection> {
        if self.cluster.is_foreign(&word.database) {
            return Some(Objection::OtherCluster);
        }
        let timeline = word.database.timeline;
        if !word.is_primary() {
            let (newest, branch) = self.newest_branch()?;
            let received = word.receives.filter(|received| *received < newest)?;
            return (word.database.position > branch.first).then_some(Objection::Strayed {
                timeline: received,
                newest,
            });
        }
        let replicas = self.kin().filter(|it| !it.is_primary());
        let newest = replicas.map(|it| it.database.timeline).max();
        if let Some(newest) = newest.filter(|newest| *newest > timeline) {
            return Some(Objection::Superseded { timeline, newest });
        }
        let is_twin = self.kin().any(|other| self.are_twins(word, other));
        is_twin.then_some(Objection::Twin { timeline })
    }

    /// How much of this replica's past is the newest primary's, which it receives from or does not.
    pub(super) fn past(&self, now: Instant, word: &Word) -> Past {
        let Some((newest, branch)) = self.newest_branch() else {
            return Past::Shared;
        };
        match word.receives {
            Some(received) if received >= newest => Past::Shared,
            Some(_) => match branch.shared {
                Some(shared) if word.database.position <= shared => Past::SharedUntil(branch.since),
                _ => Past::Unknown,
            },
            // Nobody tells whom it follows: it may be the older one, while there is one.
            None => {
                let claims = |it: &Word| {
                    let silence = now.saturating_duration_since(it.at);
                    let is_old = it.is_primary() && it.database.timeline < newest;
                    is_old && it.is_current && silence < self.settled
                };
                match self.kin().any(claims) {
                    true => Past::Unknown,
                    false => Past::Shared,
                }
            }
        }
    }

    /// The last words of primaries on the newest timeline that a primary has claimed.
    pub(super) fn newest_primaries(&self) -> impl Iterator<Item = &Word> {
        let primaries = || self.kin().filter(|it| it.is_primary());
        let newest = primaries().map(|it| it.database.timeline).max();
        primaries().filter(move |it| Some(it.database.timeline) == newest)
    }

    fn newest_branch(&self) -> Option<(u32, Branch)> {
        let mut branch: Option<(u32, Branch)> = None;
        for word in self.newest_primaries() {
            let known = branch.map_or(word.branch, |(_, it)| Branch {
                shared: it.shared.max(word.branch.shared),
                first: it.first.min(word.branch.first),
                since: it.since.min(word.branch.since),
            });
            branch = Some((word.database.timeline, known));
        }
        branch
    }

    /// Two primaries on one timeline that are not one and the same database. After a restart one of its
    /// servers may not know of that yet.
    fn are_twins(&self, one: &Word, other: &Word) -> bool {
        let stood = |one: &Word, other: &Word| {
            let confirmed = other.at.saturating_duration_since(one.since);
            confirmed >= self.settled
        };
        let (Some(started), Some(others)) = (one.started(), other.started()) else {
            return false;
        };
        other.is_primary()
            && one.database.timeline == other.database.timeline
            && started != others
            && stood(one, other)
            && stood(other, one)
    }

    /// All words but those of another cluster.
    fn kin(&self) -> impl Iterator<Item = &Word> {
        let words = self.words.values();
        words.filter(|it| !self.cluster.is_foreign(&it.database))
    }
}

#[cfg(test)]
mod tests;
