//! The engine for one host: named values in one SQLite file.
//!
//! All SQL is here and in `sqlite/open`, which makes and opens the file; nothing else knows of
//! SQLite. A removed value leaves an empty one behind, which says when it was removed.

mod open;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, ffi, params,
};

use crate::Error;
use crate::engine::{
    Changes, Commit, Condition, Edit, Engine, Found, Listed, MAX_PAGE, Named, end_of,
};

/// Changed names that are told one by one.
const MAX_CHANGES: usize = 10_000;

/// An open SQLite file; shared by threads, and its file by processes of one host.
pub(crate) struct Sqlite {
    connection: Mutex<Connection>,
    path: PathBuf,
    /// Which file it is, by device and inode.
    file: (u64, u64),
    busy_timeout: Duration,
}

impl Engine for Sqlite {
    fn place(&self) -> &Path {
        &self.path
    }

    fn get(&self, name: &str) -> Result<Option<Found>, Error> {
        let found = |row: &Row<'_>| {
            Ok(Found {
                value: row.get(0)?,
                revision: row.get(1)?,
            })
        };
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT value, revision FROM record WHERE name = ?1 AND value <> x''",
                )?
                .query_row([name], found)
                .optional()
        })
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, Error> {
        let limit = i64::try_from(limit.min(MAX_PAGE)).expect("a page is short");
        let (follows, start) = match after.unwrap_or("") {
            seen if seen < prefix => (">=", prefix),
            seen => (">", seen),
        };
        let end = end_of(prefix);
        self.with(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT name, value, revision FROM record WHERE name {follows} ?1 AND name < ?2 \
                     AND value <> x'' ORDER BY name LIMIT ?3",
                ))?
                .query_map(params![start, end, limit], listed)?
                .collect()
        })
    }

    fn commit(&self, conditions: &[Condition], edits: &[Edit]) -> Result<Commit, Error> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for condition in conditions {
                let found: Option<i64> = transaction
                    .prepare_cached("SELECT revision FROM record WHERE name = ?1 AND value <> x''")?
                    .query_row([&condition.name], |row| row.get(0))
                    .optional()?;
                if found.unwrap_or(0) != condition.revision {
                    return Ok(Commit::Conflict);
                }
            }
            let revision = write(&transaction, edits)?;
            transaction.commit()?;
            Ok(Commit::Done(revision))
        })
    }

    fn changes(&self, since: i64) -> Result<Changes, Error> {
        self.check_place()?;
        self.with(|connection| {
            // One transaction, so that names and revision belong together.
            let transaction = connection.transaction()?;
            let revision: i64 = transaction
                .prepare_cached("SELECT number FROM revision")?
                .query_row([], |row| row.get(0))?;
            let names = if revision == since {
                Some(Vec::new())
            } else if since == 0 || revision < since {
                // Nothing is known yet, or an older file was put in the place of this one.
                None
            } else {
                let limit = i64::try_from(MAX_CHANGES + 1).expect("not many");
                let names = transaction
                    .prepare_cached("SELECT name FROM record WHERE revision > ?1 LIMIT ?2")?
                    .query_map([since, limit], |row| row.get(0))?
                    .collect::<Result<Vec<String>, _>>()?;
                (names.len() <= MAX_CHANGES).then_some(names)
            };
            Ok(Changes { revision, names })
        })
    }

    /// On a connection of its own, so that others go on meanwhile.
    fn read_all(&self, each: &mut dyn FnMut(Listed) -> Result<(), Error>) -> Result<i64, Error> {
        let reader = Self::open(&self.path, self.busy_timeout)?;
        if reader.file != self.file {
            return Err(self.replaced());
        }
        let mut failed = None;
        let read = reader.with(|connection| {
            let transaction = connection.transaction()?;
            let revision: i64 =
                transaction.query_row("SELECT number FROM revision", [], |row| row.get(0))?;
            let mut all = transaction.prepare(
                "SELECT name, value, revision FROM record WHERE value <> x'' ORDER BY name",
            )?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = each(listed(row)?) {
                    failed = Some(error);
                    break;
                }
            }
            Ok(revision)
        });
        failed.map_or(read, Err)
    }

    /// Freed pages are overwritten as they are freed (`secure_delete`); what is left of them is in
    /// the log, which is written back and cut to nothing.
    fn purge(&self) -> Result<(), Error> {
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            let busy: i64 = self.with(|connection| {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            })?;
            if busy == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::Locked {
                    path: self.path.clone(),
                    waited: self.busy_timeout,
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Sqlite {
    /// An error if another file stands at the path.
    fn check_place(&self) -> Result<(), Error> {
        if identity(&self.path).is_some_and(|file| file == self.file) {
            Ok(())
        } else {
            Err(self.replaced())
        }
    }

    fn replaced(&self) -> Error {
        Error::Replaced {
            path: self.path.clone(),
        }
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

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        name: row.get(0)?,
        value: row.get(1)?,
        revision: row.get(2)?,
    })
}

/// Counts one change, and makes its edits.
fn write(transaction: &Transaction<'_>, edits: &[Edit]) -> rusqlite::Result<i64> {
    let revision: i64 = transaction.query_row(
        "UPDATE revision SET number = number + 1 RETURNING number",
        [],
        |row| row.get(0),
    )?;
    let mut put =
        transaction.prepare_cached("INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3)")?;
    let mut remove = transaction
        .prepare_cached("UPDATE record SET value = x'', revision = ?2 WHERE name = ?1")?;
    for edit in edits {
        match edit {
            Edit::Put(Named { name, value }) => put.execute(params![name, value, revision])?,
            Edit::Remove(name) => remove.execute(params![name, revision])?,
        };
    }
    Ok(revision)
}

/// Which file stands at the path, by device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
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
            ErrorCode::DiskFull => Error::DiskFull { path },
            // Its shared memory is a file too.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Error::DiskFull { path },
            // A directory where SQLite cannot make its log is one too.
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Error::ReadOnly { path, source }
            }
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
mod tests;
