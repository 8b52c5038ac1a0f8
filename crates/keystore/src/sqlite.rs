//! The engine: named values in one SQLite file, changed by compare-and-set.
//!
//! All SQL is here and in `sqlite/open`, which makes and opens the file; nothing else knows of
//! SQLite. What the values are, and their sealing, is `store`'s business. Another engine (etcd) has
//! to offer the same four operations: [`Sqlite::get`], [`Sqlite::scan`], [`Sqlite::commit`] and
//! [`Sqlite::revision`].

mod open;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};

use crate::Error;

/// The longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 1 << 20;
/// The most values that one scan returns.
pub(crate) const MAX_PAGE: usize = 1000;

/// A value, and when it was last written.
pub(crate) struct Found {
    pub value: Vec<u8>,
    pub revision: i64,
}

/// A named value.
pub(crate) struct Named {
    pub name: String,
    pub value: Vec<u8>,
}

/// What a commit depends on: that a value is of this revision; 0 that there is none.
#[derive(Clone)]
pub(crate) struct Condition {
    pub name: String,
    pub revision: i64,
}

/// What became of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// All was written.
    Done,
    /// Nothing was: the condition of this place in the list does not hold.
    Conflict(usize),
}

/// An open SQLite file; shared by threads, and its file by processes of one host.
pub(crate) struct Sqlite {
    connection: Mutex<Connection>,
    path: PathBuf,
    busy_timeout: Duration,
}

impl Sqlite {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Result<Option<Found>, Error> {
        let found = |row: &Row<'_>| {
            Ok(Found {
                value: row.get(0)?,
                revision: row.get(1)?,
            })
        };
        self.with(|connection| {
            connection
                .prepare_cached("SELECT value, revision FROM record WHERE name = ?1")?
                .query_row([name], found)
                .optional()
        })
    }

    /// The values whose names begin with `prefix` and follow `after`, sorted by name; at most
    /// `limit`, and at most [`MAX_PAGE`]. `prefix` ends with `/`.
    pub fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Named>, Error> {
        let limit = i64::try_from(limit.min(MAX_PAGE)).expect("a page is short");
        // `0` follows `/` in ASCII: the end of all names that begin with the prefix.
        let end = format!("{}0", prefix.trim_end_matches('/'));
        let named = |row: &Row<'_>| {
            Ok(Named {
                name: row.get(0)?,
                value: row.get(1)?,
            })
        };
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT name, value FROM record WHERE name > ?1 AND name < ?2 \
                     ORDER BY name LIMIT ?3",
                )?
                .query_map(params![after.unwrap_or(prefix), end, limit], named)?
                .collect()
        })
    }

    /// Writes all values as one change if every condition holds, and nothing if not.
    pub fn commit(&self, conditions: &[Condition], writes: &[Named]) -> Result<Commit, Error> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (place, condition) in conditions.iter().enumerate() {
                let found: Option<i64> = transaction
                    .prepare_cached("SELECT revision FROM record WHERE name = ?1")?
                    .query_row([&condition.name], |row| row.get(0))
                    .optional()?;
                if found.unwrap_or(0) != condition.revision {
                    return Ok(Commit::Conflict(place));
                }
            }
            write(&transaction, writes)?;
            transaction.commit()?;
            Ok(Commit::Done)
        })
    }

    /// How many changes were committed, by whatever process.
    pub fn revision(&self) -> Result<i64, Error> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT number FROM revision")?
                .query_row([], |row| row.get(0))
        })
    }

    /// The error of a file whose structure is broken.
    pub fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            what: what.into(),
        }
    }

    /// Runs `work` on the connection, alone among the threads of this process.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        work(&mut self.lock()).map_err(|source| fault(&self.path, self.busy_timeout, source))
    }

    /// A thread that panicked has rolled its transaction back: the connection is as good as new.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one change, and writes its values.
fn write(transaction: &Transaction<'_>, values: &[Named]) -> rusqlite::Result<()> {
    let revision: i64 = transaction.query_row(
        "UPDATE revision SET number = number + 1 RETURNING number",
        [],
        |row| row.get(0),
    )?;
    let mut write =
        transaction.prepare_cached("INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3)")?;
    for Named { name, value } in values {
        write.execute(params![name, value, revision])?;
    }
    Ok(())
}

/// What SQLite's error means for a store.
fn fault(path: &Path, waited: Duration, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    let damaged = |what: String| Error::Damaged {
        path: path.clone(),
        what,
    };
    match &source {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Locked { path, waited },
            ErrorCode::NotADatabase => Error::NotAStore { path },
            ErrorCode::DatabaseCorrupt | ErrorCode::TooBig => damaged(source.to_string()),
            _ => Error::Engine { path, source },
        },
        rusqlite::Error::QueryReturnedNoRows => damaged("a row that must be there is not".into()),
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::InvalidColumnType(..) => damaged(source.to_string()),
        _ => Error::Engine { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine with the values `a/1` to `a/3` and `b/1`, written as one change.
    fn engine(directory: &tempfile::TempDir) -> Sqlite {
        let path = directory.path().join("store.db");
        let values = ["a/1", "a/2", "a/3", "b/1"].map(|name| named(name, "old"));
        Sqlite::create(&path, Duration::from_millis(50), &values).unwrap()
    }

    fn named(name: &str, value: &str) -> Named {
        Named {
            name: name.into(),
            value: value.into(),
        }
    }

    fn condition(name: &str, revision: i64) -> Condition {
        Condition {
            name: name.into(),
            revision,
        }
    }

    fn value(engine: &Sqlite, name: &str) -> Option<(Vec<u8>, i64)> {
        let found = engine.get(name).unwrap()?;
        Some((found.value, found.revision))
    }

    #[test]
    fn a_connection_syncs_every_commit_wipes_what_it_overwrites_and_trusts_no_schema() {
        let directory = tempfile::tempdir().unwrap();
        let made = engine(&directory);
        let opened = Sqlite::open(made.path(), Duration::from_millis(50)).unwrap();
        for engine in [made, opened] {
            let number = |pragma| {
                engine
                    .with(|connection| {
                        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
                    })
                    .unwrap()
            };
            let full = 2;
            assert_eq!(number("synchronous"), full);
            assert_eq!(number("secure_delete"), 1);
            assert_eq!(number("trusted_schema"), 0);
            let journal: String = engine
                .with(|connection| {
                    connection.pragma_query_value(None, "journal_mode", |row| row.get(0))
                })
                .unwrap();
            assert_eq!(journal, "wal");
        }
    }

    #[test]
    fn a_commit_writes_all_its_values_at_the_next_revision() {
        let directory = tempfile::tempdir().unwrap();
        let engine = engine(&directory);
        assert_eq!(engine.revision().unwrap(), 1);
        let conditions = [condition("a/1", 1), condition("c/1", 0)];
        let writes = [named("a/1", "new"), named("c/1", "new")];
        assert_eq!(engine.commit(&conditions, &writes).unwrap(), Commit::Done);
        assert_eq!(engine.revision().unwrap(), 2);
        assert_eq!(value(&engine, "a/1"), Some((b"new".into(), 2)));
        assert_eq!(value(&engine, "c/1"), Some((b"new".into(), 2)));
        assert_eq!(value(&engine, "a/2"), Some((b"old".into(), 1)));
    }

    #[test]
    fn a_condition_that_does_not_hold_is_named_and_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let engine = engine(&directory);
        let writes = [named("c/1", "new"), named("a/2", "new")];
        // A value that was written since, one that must not be there, one that must.
        for broken in [
            condition("a/1", 2),
            condition("a/1", 0),
            condition("c/1", 1),
        ] {
            let conditions = [condition("b/1", 1), broken];
            let commit = engine.commit(&conditions, &writes).unwrap();
            assert_eq!(commit, Commit::Conflict(1));
            assert_eq!(engine.revision().unwrap(), 1);
            assert_eq!(value(&engine, "c/1"), None);
            assert_eq!(value(&engine, "a/2"), Some((b"old".into(), 1)));
        }
    }

    #[test]
    fn of_two_writers_that_read_the_same_revision_one_must_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let one = engine(&directory);
        let other = Sqlite::open(one.path(), Duration::from_millis(50)).unwrap();
        let read = [condition("a/1", one.get("a/1").unwrap().unwrap().revision)];
        assert_eq!(
            one.commit(&read, &[named("a/1", "one")]).unwrap(),
            Commit::Done
        );
        let late = other.commit(&read, &[named("a/1", "other")]).unwrap();
        assert_eq!(late, Commit::Conflict(0));
        assert_eq!(value(&other, "a/1"), Some((b"one".into(), 2)));
    }

    #[test]
    fn a_scan_keeps_to_its_prefix_its_start_and_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let engine = engine(&directory);
        let names = |after, limit| -> Vec<String> {
            let found = engine.scan("a/", after, limit).unwrap();
            found.into_iter().map(|found| found.name).collect()
        };
        assert_eq!(names(None, 10), ["a/1", "a/2", "a/3"]);
        assert_eq!(names(None, 2), ["a/1", "a/2"]);
        assert_eq!(names(Some("a/2"), 2), ["a/3"]);
        assert!(names(Some("a/3"), 2).is_empty());
        assert!(names(None, 0).is_empty());
    }
}
