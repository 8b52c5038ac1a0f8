//! Backups: all records of a store at one revision, in one encrypted file; and restoring one.
//!
//! The file's form (`docs/keystore-format.md` has it with a test vector):
//!
//! ```text
//! backup  = magic (16) ‖ store id (16) ‖ master key id (8) ‖ salt (32) ‖ chunk…
//! chunk i = AES-256-GCM(key, nonce = i (11) ‖ last (1), aad = the 72 bytes before, 64 KiB) ‖ tag (16)
//! key     = HKDF-SHA256(salt, ikm = master key, "pgseal backup v1" ‖ 00 ‖ store id, 32)
//! plain   = (name length (2) ‖ name ‖ value length (4) ‖ value)…, sorted by name
//! ```
//!
//! Numbers are big-endian; `last` is 1 in the last chunk, which alone may be shorter (the STREAM
//! construction of Hoang, Reyhanitabar, Rogaway and Vizár). So a chunk that is missing, moved or
//! altered is noticed where it stands.

mod file;
pub(crate) mod fuzzing;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::Store;
use super::copy::{Batch, Values, become_store, of_one_revision, unfinished};
use crate::engine::{Edit, Engine, Named};
use crate::master_key::MasterKey;
use crate::name::RecordName;
use crate::place::Place;
use crate::record::Event;
use crate::{Error, durable};
use file::{Head, Reader, Writer};

/// What was backed up or restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// How many records the backup holds.
    pub records: u64,
}

impl Store {
    /// Writes a backup of the store, as it is at one revision, to a new file of mode 0600, and to the
    /// disk. It is encrypted under the store's present master key.
    ///
    /// A file that exists is left as it is; one that cannot be written to its end is removed.
    pub fn back_up(&self, path: &Path, mut progress: impl FnMut(u64)) -> Result<Backup, Error> {
        of_one_revision(|| self.back_up_once(path, &mut progress))
    }

    fn back_up_once(&self, path: &Path, progress: &mut impl FnMut(u64)) -> Result<Backup, Error> {
        let ring = self.reload()?;
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|_| Error::NoRandom)?;
        let head = Head {
            store: ring.store,
            master: ring.current.id(),
            salt,
        };
        let mut new = durable::NewFile::begin(path, 0o600)?;
        let mut writer = Writer::begin(&mut new, &head, &ring.current)
            .map_err(|error| durable::not_made(path, error))?;
        let mut records = 0;
        self.engine.read_all(&mut |record| {
            self.check_sealed(&record)?;
            writer
                .record(&record.name, &record.value)
                .map_err(|error| durable::not_made(path, error))?;
            records += 1;
            progress(records);
            Ok(())
        })?;
        writer
            .finish()
            .map_err(|error| durable::not_made(path, error))?;
        new.keep()?;
        Ok(Backup { records })
    }

    /// Makes a store of a backup, in a place that holds nothing, and compares every record with the
    /// backup before it becomes a store. `master` is the key that was the store's when it was backed
    /// up.
    ///
    /// What has happened since is undone in it: revocations, grants, destroyed keys.
    pub fn restore(
        path: &Path,
        to: &Place,
        master: MasterKey,
        by: &str,
        mut progress: impl FnMut(u64),
    ) -> Result<Backup, Error> {
        // To its end once, before anything is made.
        let mut header = None;
        let mut records = 0;
        let head = each(path, &master, &mut |record| {
            if record.name == RecordName::Header.to_string() {
                header = Some(record.value);
            }
            records += 1;
            progress(records);
            Ok(())
        })?;
        let header = header.ok_or_else(|| damaged(path, "it has no header"))?;
        let target = unfinished(to, head.store)?;
        let mut batch = Batch::new(&*target);
        let mut left = Values::of(&*target);
        while let Some(found) = left.next()? {
            // Of an attempt that broke off.
            batch.add(Edit::Remove(found.name))?;
        }
        let again = each(path, &master, &mut |Named { name, value }| {
            if name == RecordName::Header.to_string() {
                return Ok(());
            }
            batch.add(Edit::Put(Named { name, value }))
        })?;
        batch.write()?;
        let compared = compare(path, &master, &*target)?;
        if [again.salt, compared.salt] != [head.salt; 2] {
            return Err(damaged(path, "another one was put in its place"));
        }
        become_store(&*target, header)?;
        let store = Store::over(target, master)?;
        store.take_up(path, by)?;
        Ok(Backup { records })
    }

    /// The first change of a restored store says what it is, and that it is the store again if the
    /// backup was made of one that had moved.
    fn take_up(&self, path: &Path, by: &str) -> Result<(), Error> {
        let event = Event::StoreRestored {
            from: path.display().to_string(),
        };
        if self.moved_to().is_some() {
            return self.go_on(by, event);
        }
        self.by(by).change(|tx| {
            tx.log(event.clone());
            Ok(())
        })?;
        Ok(())
    }
}

/// Reads a backup: calls `each` with its records, and answers what it begins with. An error after the
/// last one says that the whole is not to be trusted.
fn each(
    path: &Path,
    master: &MasterKey,
    each: &mut dyn FnMut(Named) -> Result<(), Error>,
) -> Result<Head, Error> {
    let failed = |source| Error::File {
        action: "read",
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let (head, mut reader) = Reader::begin(path, BufReader::new(file), master)?;
    let mut last: Option<String> = None;
    while let Some(record) = reader.record()? {
        if last.as_ref().is_some_and(|last| *last >= record.name) {
            return Err(damaged(path, "its records are not in order"));
        }
        last = Some(record.name.clone());
        each(record)?;
    }
    Ok(head)
}

/// Compares what was restored with the backup, record by record.
fn compare(path: &Path, master: &MasterKey, target: &dyn Engine) -> Result<Head, Error> {
    let differs = || damaged(path, "what was restored differs from it");
    let mut there = Values::of(target);
    let head = each(path, master, &mut |record| {
        if record.name == RecordName::Header.to_string() {
            return Ok(());
        }
        match there.next()? {
            Some(found) if found.name == record.name && found.value == record.value => Ok(()),
            _ => Err(differs()),
        }
    })?;
    match there.next()? {
        None => Ok(head),
        Some(_) => Err(differs()),
    }
}

fn damaged(path: &Path, what: &'static str) -> Error {
    Error::BackupDamaged {
        path: path.into(),
        what,
    }
}
