//! Making and opening the SQLite file, and refusing what is no store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Sqlite, fault, identity, write};
use crate::durable::Part;
use crate::engine::{Edit, MAX_VALUE};
use crate::secret::check_mode;
use crate::{Error, durable};

/// SQLite's mark of the application a file belongs to: `pgse`.
const APPLICATION_ID: i64 = 0x7067_7365;
/// The version of the store's format, in SQLite's `user_version`.
const FORMAT: i64 = 1;
/// The tables, as they stand in `sqlite_schema`, in the order of their names.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE record (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, \
     revision INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX record_by_revision ON record (revision)",
    "CREATE TABLE revision (number INTEGER NOT NULL) STRICT",
];

impl Sqlite {
    /// Makes a new file with these values in it. It gets its name when it is complete.
    pub fn create(path: &Path, busy_timeout: Duration, values: &[Edit]) -> Result<Self, Error> {
        // A log that an earlier store left behind would become part of this one.
        let in_the_way = [path.to_owned()].into_iter().chain(companions(path));
        for taken in in_the_way {
            // A link that leads nowhere is in the way too.
            if fs::symlink_metadata(&taken).is_ok() {
                return Err(Error::Exists { path: taken });
            }
        }
        let part = Part::begin(path)?;
        let clean = || {
            let companions = companions(&part.path);
            companions.iter().for_each(|path| durable::remove(path));
        };
        clean();
        if let Err(error) = Self::fill(&part.path, path, busy_timeout, values) {
            clean();
            durable::remove(&part.path);
            return Err(error);
        }
        let part_path = part.path.clone();
        part.place_at(path)
            .inspect_err(|_| durable::remove(&part_path))?;
        Self::open(path, busy_timeout)
    }

    /// Opens a file that [`Sqlite::create`] made; another file is left as it is.
    pub fn open(path: &Path, busy_timeout: Duration) -> Result<Self, Error> {
        check_files(path)?;
        let engine = Self::connect(path, busy_timeout)?;
        engine.with(|connection| {
            let application: i64 = pragma(connection, "application_id")?;
            if application != APPLICATION_ID {
                return Ok(Err(Error::NotAStore { path: path.into() }));
            }
            let found = pragma(connection, "user_version")?;
            if found != FORMAT {
                return Ok(Err(if found > FORMAT {
                    Error::NewerFormat {
                        path: path.into(),
                        found,
                        known: FORMAT,
                    }
                } else {
                    engine.damaged(format!("format version {found}"))
                }));
            }
            // Triggers and views would run in our name.
            let schema = connection
                .prepare("SELECT sql FROM sqlite_schema ORDER BY name")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<Vec<String>, _>>()?;
            if schema != SCHEMA {
                return Ok(Err(engine.damaged("its tables are not those of a store")));
            }
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
            Ok(Ok(()))
        })??;
        Ok(engine)
    }

    fn connect(path: &Path, busy_timeout: Duration) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(busy_timeout)?;
            // The file may be somebody's work: nothing in its schema is trusted.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
            let longest = i32::try_from(2 * MAX_VALUE).expect("two MiB");
            connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
            connection.pragma_update(None, "cell_size_check", true)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "secure_delete", true)?;
            Ok(connection)
        };
        match connect() {
            Ok(connection) => Ok(Sqlite {
                connection: Mutex::new(connection),
                file: identity(path).ok_or_else(|| Error::NoStore { path: path.into() })?,
                path: path.into(),
                busy_timeout,
            }),
            Err(source) => Err(fault(path, busy_timeout, source)),
        }
    }

    /// Turns an empty file into a store, to be put at `path`.
    ///
    /// Nobody sees the file before it is complete and on the disk, so it needs no journal.
    fn fill(
        part: &Path,
        path: &Path,
        busy_timeout: Duration,
        values: &[Edit],
    ) -> Result<(), Error> {
        let engine = Self::connect(part, busy_timeout)?;
        let filled = engine.with(|connection| {
            connection.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "off")?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for table in SCHEMA {
                transaction.execute(table, [])?;
            }
            transaction.execute("INSERT INTO revision VALUES (0)", [])?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            write(&transaction, values)?;
            transaction.commit()
        });
        match filled {
            Err(Error::DiskFull { .. }) => Err(Error::DiskFull { path: path.into() }),
            filled => filled,
        }
    }
}

/// Refuses files that are not there, no files, or open to others.
///
/// Asked by name only: opening the file and closing it again would give up every lock that this
/// process holds on it through SQLite (POSIX `fcntl`).
fn check_files(path: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NoStore { path: path.into() },
        _ => Error::File {
            action: "open",
            path: path.into(),
            source,
        },
    })?;
    if !metadata.is_file() {
        return Err(Error::NotAStore { path: path.into() });
    }
    check_mode(path, &metadata)?;
    // SQLite keeps them beside the file itself, not beside a link to it.
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    for companion in companions(&resolved) {
        // They come and go with the processes that use the store.
        if let Ok(metadata) = fs::metadata(&companion) {
            check_mode(&companion, &metadata)?;
        }
    }
    Ok(())
}

/// The files that SQLite keeps beside a database.
fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
