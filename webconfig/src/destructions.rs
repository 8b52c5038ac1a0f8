//! Zones that one operator wants destroyed, and another has to confirm. In memory alone: a restart
//! forgets what was asked for, and nothing is destroyed for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::users::{Role, UserName, Users};

/// For how long it can be confirmed.
pub const LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// The most that wait at once.
const MAX: usize = 100;

/// A zone whose destruction somebody wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Tells it from what is asked for later.
    pub number: u64,
    /// Who does.
    pub by: UserName,
    /// When it was asked for.
    pub at: SystemTime,
    /// With which grace.
    pub grace_seconds: u64,
    since: Instant,
}

/// All of them, by zone.
#[derive(Default)]
pub struct Destructions(Mutex<All>);

#[derive(Default)]
struct All {
    last: u64,
    waiting: BTreeMap<String, Wanted>,
}

/// Why nothing was asked for or confirmed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWanted {
    /// It waits already.
    #[error("{0} has asked for it already")]
    Already(UserName),
    /// Too many wait.
    #[error("{MAX} zones wait to be confirmed already")]
    TooMany,
    /// It was withdrawn, is too old, or is another one by now.
    #[error("nobody asks for that any more")]
    Gone,
    /// One cannot be both.
    #[error("whoever has asked for it cannot confirm it: another operator has to")]
    Own,
    /// The one that asked has lost the right to.
    #[error("{0}, who asked for it, is no operator any more")]
    NoOperator(UserName),
}

/// Whether destruction takes two: there is more than one operator.
#[must_use]
pub fn takes_two(users: &Users) -> bool {
    let operators = users.values().filter(|user| user.role == Role::Operator);
    operators.count() > 1
}

impl Destructions {
    /// Asks for a zone's destruction.
    ///
    /// # Errors
    /// Somebody has already, or too many wait.
    pub fn want(
        &self,
        zone: &str,
        by: &UserName,
        grace_seconds: u64,
        now: Instant,
    ) -> Result<(), NotWanted> {
        let mut all = self.lock(now);
        if let Some(wanted) = all.waiting.get(zone) {
            return Err(NotWanted::Already(wanted.by.clone()));
        }
        if all.waiting.len() >= MAX {
            return Err(NotWanted::TooMany);
        }
        all.last += 1;
        let wanted = Wanted {
            number: all.last,
            by: by.clone(),
            at: SystemTime::now(),
            grace_seconds,
            since: now,
        };
        all.waiting.insert(zone.to_owned(), wanted);
        Ok(())
    }

    /// What may be ordered now that another operator confirms it. It goes on waiting until it is
    /// [forgotten](Self::forget).
    ///
    /// # Errors
    /// It does not wait, or not for this one.
    pub fn confirmed(
        &self,
        zone: &str,
        number: u64,
        by: &UserName,
        users: &Users,
        now: Instant,
    ) -> Result<Wanted, NotWanted> {
        let wanted = self.of(zone, now).filter(|it| it.number == number);
        let wanted = wanted.ok_or(NotWanted::Gone)?;
        let asker = users.get(&wanted.by).map(|user| user.role);
        match () {
            () if wanted.by == *by => Err(NotWanted::Own),
            () if asker != Some(Role::Operator) => Err(NotWanted::NoOperator(wanted.by)),
            () => Ok(wanted),
        }
    }

    /// It was done, or withdrawn.
    ///
    /// # Errors
    /// It does not wait.
    pub fn forget(&self, zone: &str, number: u64, now: Instant) -> Result<(), NotWanted> {
        let mut all = self.lock(now);
        match all.waiting.get(zone) {
            Some(wanted) if wanted.number == number => {
                all.waiting.remove(zone);
                Ok(())
            }
            _ => Err(NotWanted::Gone),
        }
    }

    /// What waits for this zone.
    #[must_use]
    pub fn of(&self, zone: &str, now: Instant) -> Option<Wanted> {
        self.lock(now).waiting.get(zone).cloned()
    }

    /// All that wait, by zone.
    #[must_use]
    pub fn waiting(&self, now: Instant) -> Vec<(String, Wanted)> {
        let all = self.lock(now);
        let waiting = all.waiting.iter();
        waiting
            .map(|(zone, it)| (zone.clone(), it.clone()))
            .collect()
    }

    /// Those that still wait at this moment.
    fn lock(&self, now: Instant) -> MutexGuard<'_, All> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.waiting
            .retain(|_, it| now.saturating_duration_since(it.since) < LASTS);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Kept;
    use crate::users::User;

    const ZONE: &str = "tenant-1";
    const DAY: u64 = 86_400;

    fn name(name: &str) -> UserName {
        name.parse().unwrap()
    }

    fn users(all: &[(&str, Role)]) -> Users {
        let phc = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$Q2hhbmdlbWVDaGFuZ2VtZQ";
        let user = |(user, role): &(&str, Role)| {
            let password = Kept::read(phc).unwrap();
            (
                name(user),
                User {
                    role: *role,
                    password,
                    secret: None,
                },
            )
        };
        all.iter().map(user).collect()
    }

    #[test]
    fn another_operator_confirms_what_one_has_asked_for_while_both_are_operators() {
        let (all, now) = (Destructions::default(), Instant::now());
        let two = users(&[("alice", Role::Operator), ("bob", Role::Operator)]);
        assert!(takes_two(&two));
        assert!(!takes_two(&users(&[
            ("alice", Role::Operator),
            ("bob", Role::Viewer)
        ])));
        let (alice, bob) = (name("alice"), name("bob"));
        all.want(ZONE, &alice, DAY, now).unwrap();
        let again = all.want(ZONE, &bob, DAY, now).unwrap_err();
        assert_eq!(again, NotWanted::Already(alice.clone()));
        let number = all.of(ZONE, now).unwrap().number;
        let confirm = |by: &UserName, number: u64, users: &Users| {
            let confirmed = all.confirmed(ZONE, number, by, users, now);
            confirmed.map(|it| it.grace_seconds)
        };
        assert_eq!(confirm(&alice, number, &two), Err(NotWanted::Own));
        assert_eq!(confirm(&bob, number + 1, &two), Err(NotWanted::Gone));
        let without = users(&[("alice", Role::Viewer), ("bob", Role::Operator)]);
        let lost = NotWanted::NoOperator(alice.clone());
        assert_eq!(confirm(&bob, number, &without), Err(lost));
        assert_eq!(confirm(&bob, number, &two), Ok(DAY));
        all.forget(ZONE, number, now).unwrap();
        assert_eq!(confirm(&bob, number, &two), Err(NotWanted::Gone));
        // Asked for anew, it is another one.
        all.want(ZONE, &alice, DAY, now).unwrap();
        assert_eq!(confirm(&bob, number, &two), Err(NotWanted::Gone));
        assert_eq!(all.forget(ZONE, number, now), Err(NotWanted::Gone));
    }

    #[test]
    fn it_waits_for_a_day_and_not_for_too_many() {
        let (all, now) = (Destructions::default(), Instant::now());
        for number in 0..MAX {
            let zone = format!("tenant-{number}");
            all.want(&zone, &name("alice"), DAY, now).unwrap();
        }
        let more = all.want("tenant-x", &name("alice"), DAY, now);
        assert_eq!(more, Err(NotWanted::TooMany));
        let second = Duration::from_secs(1);
        assert_eq!(all.waiting(now + LASTS - second).len(), MAX);
        assert_eq!(all.waiting(now + LASTS).len(), 0);
    }
}
