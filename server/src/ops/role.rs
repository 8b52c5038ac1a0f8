//! Whether a database behind this server is what is wanted, by what it said of itself last.

use control::DatabaseRole;

use crate::monitor::{Answer, Following};
use crate::shared::Shared;

use super::problem::Problem;
use super::ready;

/// What sessions are to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A database that takes writes.
    Primary,
    /// One that follows another.
    Replica,
    /// One or the other.
    Either,
}

/// The role in which sessions are to come here now, if it is wanted. A replica may be so many bytes behind,
/// `most`, if that is said.
///
/// # Errors
/// Why none are to come; of several databases, why not to the last that could be wanted.
pub fn found(shared: &Shared, wanted: Wanted, most: Option<u64>) -> Result<DatabaseRole, Problem> {
    ready::check(shared)?;
    let said = shared.databases.said().ok_or(Problem::NotWatched)?;
    let mut found = Err(Problem::NoAnswer);
    for (answer, _) in said {
        found = wanted.of(&answer, most);
        if found.is_ok() {
            break;
        }
    }
    found
}

impl Wanted {
    fn of(self, answer: &Answer, most: Option<u64>) -> Result<DatabaseRole, Problem> {
        match (answer.following, self) {
            (None, Self::Replica) => Err(Problem::IsPrimary),
            (None, Self::Primary | Self::Either) => Ok(DatabaseRole::Primary),
            (Some(_), Self::Primary) => Err(Problem::IsReplica),
            (Some(following), Self::Replica | Self::Either) => {
                if let Some(most) = most {
                    is_near(&following, answer.standing.position, most)?;
                }
                Ok(DatabaseRole::Replica)
            }
        }
    }
}

/// A replica is behind by what its primary has written, by its own last word, and the replica has not
/// replayed. What it has received says little: one that catches up has replayed nearly all of that.
fn is_near(following: &Following, replayed: u64, most: u64) -> Result<(), Problem> {
    let primary = match (following.receives, following.primary) {
        (Some(false), _) => return Err(Problem::CutOff),
        (_, None) => return Err(Problem::NotTold),
        (_, Some(primary)) => primary,
    };
    let behind = primary.saturating_sub(replayed);
    match behind <= most {
        true => Ok(()),
        false => Err(Problem::Behind { behind, most }),
    }
}

#[cfg(test)]
mod tests {
    use control::{DatabaseStanding, Lineage};

    use super::*;

    fn answer(role: DatabaseRole, following: Option<Following>) -> Answer {
        Answer {
            standing: DatabaseStanding {
                role,
                timeline: 1,
                position: 1000,
                delay_ms: None,
                lineage: Lineage::default(),
            },
            version: 150_013,
            following,
        }
    }

    const NEAR: Following = Following {
        received: Some(1000),
        paused: false,
        receives: Some(true),
        primary: Some(1100),
    };

    #[test]
    fn a_database_is_found_by_its_role() {
        use Wanted::{Either, Primary, Replica};
        let primary = answer(DatabaseRole::Primary, None);
        let replica = answer(DatabaseRole::Replica, Some(NEAR));
        for (wanted, of_primary, of_replica) in [
            (Primary, Ok(DatabaseRole::Primary), Err(Problem::IsReplica)),
            (Replica, Err(Problem::IsPrimary), Ok(DatabaseRole::Replica)),
            (Either, Ok(DatabaseRole::Primary), Ok(DatabaseRole::Replica)),
        ] {
            assert_eq!(wanted.of(&primary, None), of_primary, "{wanted:?}");
            assert_eq!(wanted.of(&replica, None), of_replica, "{wanted:?}");
        }
        // A primary is not behind.
        assert_eq!(Either.of(&primary, Some(0)), Ok(DatabaseRole::Primary));
    }

    #[test]
    fn a_replica_may_be_behind_its_primary_by_what_is_allowed() {
        let behind = |behind, most| Err(Problem::Behind { behind, most });
        let unplugged = Following {
            receives: Some(false),
            ..NEAR
        };
        let untold = Following {
            primary: None,
            ..NEAR
        };
        // A primary that told less than was replayed since.
        let ahead = Following {
            primary: Some(900),
            ..NEAR
        };
        for (following, most, found) in [
            (NEAR, Some(100), Ok(())),
            (NEAR, Some(99), behind(100, 99)),
            (NEAR, Some(u64::MAX), Ok(())),
            (ahead, Some(0), Ok(())),
            // What cannot be known is not said to be near.
            (unplugged, Some(u64::MAX), Err(Problem::CutOff)),
            (unplugged, None, Ok(())),
            (untold, Some(u64::MAX), Err(Problem::NotTold)),
            (untold, None, Ok(())),
        ] {
            let replica = answer(DatabaseRole::Replica, Some(following));
            for wanted in [Wanted::Replica, Wanted::Either] {
                let expected = found.clone().map(|()| DatabaseRole::Replica);
                assert_eq!(
                    wanted.of(&replica, most),
                    expected,
                    "{following:?} {most:?}"
                );
            }
        }
    }
}
