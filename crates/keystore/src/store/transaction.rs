//! Changes: what was read, what is written, and what the audit log says of it, as one commit.
//!
//! A change is a closure that reads and writes through a [`Transaction`]. If anything it has read
//! was written by somebody else before it is committed, nothing is written and it runs once more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{Ring, Store, json};
use crate::Error;
use crate::engine::{Commit, Condition, Edit, MAX_COMMIT, MAX_VALUE, Named};
use crate::name::RecordName;
use crate::record::{AuditBody, Entry, Event, HeadBody, Timestamp};
use crate::seal;

/// How often a change is begun anew before it is given up.
const ATTEMPTS: u32 = 64;
/// How much longer the wait is before each further attempt, at most.
const BACKOFF: Duration = Duration::from_millis(2);

/// Changes a store in somebody's name, which the audit log keeps.
pub struct Author<'a> {
    pub(super) store: &'a Store,
    by: String,
}

impl Store {
    /// Changes in the name of `by`: `operator <user>@<host>`, `client <id> through server <id>`, or
    /// `admin <id> for <user> through server <id>`.
    pub fn by(&self, by: impl Into<String>) -> Author<'_> {
        Author {
            store: self,
            by: by.into(),
        }
    }

    /// A change that the audit log does not mention: of what servers note for themselves.
    pub(super) fn quietly<T>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        Ok(self.by(String::new()).change(work)?.0)
    }
}

impl<'a> Author<'a> {
    /// In whose name it changes the store.
    pub(super) fn name(&self) -> &str {
        &self.by
    }

    /// Runs a change and commits it. Answers what it returned, and the revision it made.
    pub(super) fn change<T>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, i64), Error> {
        self.run(Transaction::begin, work)
    }

    /// The same in a store that is marked as moved, to take that back.
    pub(super) fn change_where_it_was<T>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, i64), Error> {
        self.run(|store| Ok(Transaction::over(store, store.ring())), work)
    }

    fn run<T>(
        &self,
        begin: impl Fn(&'a Store) -> Result<Transaction<'a>, Error>,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, i64), Error> {
        for attempt in 0..ATTEMPTS {
            let mut transaction = begin(self.store)?;
            match work(&mut transaction) {
                Ok(answer) => {
                    if let Some(revision) = transaction.commit(&self.by)? {
                        return Ok((answer, revision));
                    }
                }
                // What was read one after the other may not belong together.
                Err(_) if transaction.is_overtaken() => {}
                Err(error) => return Err(error),
            }
            // Perhaps the master key, or the store's place, was what changed.
            self.store.reload()?;
            thread::sleep(jitter(attempt)?);
        }
        // An older head that was put back has entries after it, which are never written over.
        self.store.check_audit_head()?;
        Err(Error::Contended {
            path: self.store.path().into(),
            attempts: ATTEMPTS,
        })
    }
}

/// A random wait, so that those who collided do not do so again.
fn jitter(attempt: u32) -> Result<Duration, Error> {
    let mut byte = [0];
    getrandom::fill(&mut byte).map_err(|_| Error::NoRandom)?;
    let most = BACKOFF * attempt.min(20);
    Ok(most.mul_f64(f64::from(byte[0]) / 255.0))
}

/// A change under way.
pub(super) struct Transaction<'a> {
    store: &'a Store,
    ring: Arc<Ring>,
    at: Timestamp,
    conditions: BTreeMap<String, i64>,
    edits: Vec<Edit>,
    events: Vec<Event>,
}

impl<'a> Transaction<'a> {
    fn begin(store: &'a Store) -> Result<Self, Error> {
        let ring = store.ring();
        if let Some(to) = &ring.header.moved {
            return Err(Error::Moved {
                path: store.path().into(),
                to: to.clone(),
            });
        }
        Ok(Self::over(store, ring))
    }

    fn over(store: &'a Store, ring: Arc<Ring>) -> Self {
        Transaction {
            // What is sealed under a key that was replaced meanwhile must not be written.
            conditions: [(RecordName::Header.to_string(), ring.revision)].into(),
            store,
            ring,
            at: Timestamp::now(),
            edits: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The store it changes, to read what it need not depend on.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The master keys under which it runs.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// When it is made, as its entries of the audit log say.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// A record, which must not change before the commit; `None` if there is none, which must stay
    /// so.
    pub fn read(&mut self, name: &RecordName) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let record = self.store.read(name)?;
        let revision = record.as_ref().map_or(0, |record| record.revision);
        // Read twice, the first answer counts too.
        self.conditions.entry(name.to_string()).or_insert(revision);
        Ok(record.map(|record| record.body))
    }

    /// As [`Transaction::read`], a JSON body.
    pub fn read_json<T: DeserializeOwned>(
        &mut self,
        name: &RecordName,
    ) -> Result<Option<T>, Error> {
        let body = self.read(name)?;
        body.map(|body| self.store.parse(name, &body)).transpose()
    }

    /// As [`Transaction::read_json`], of a record that must be there.
    pub fn require<T: DeserializeOwned>(&mut self, name: &RecordName) -> Result<T, Error> {
        self.read_json(name)?
            .ok_or_else(|| self.store.missing(name))
    }

    /// True if there is a record of this name, which must not change before the commit, or this
    /// change writes one.
    pub fn is_taken(&mut self, name: &RecordName) -> Result<bool, Error> {
        let text = name.to_string();
        let writes = |edit: &Edit| matches!(edit, Edit::Put(named) if named.name == text);
        Ok(self.edits.iter().any(writes) || self.read(name)?.is_some())
    }

    /// The revision at which a record was read that the change depends on; 0 if there was none.
    pub fn revision_of(&self, name: &RecordName) -> i64 {
        self.conditions
            .get(&name.to_string())
            .copied()
            .unwrap_or_default()
    }

    /// Writes a body as it is.
    pub fn put(&mut self, name: &RecordName, body: &[u8]) -> Result<(), Error> {
        let most = MAX_VALUE - seal::OVERHEAD;
        if body.len() > most {
            return Err(Error::TooLarge {
                what: name.to_string(),
                found: body.len(),
                most,
            });
        }
        let value = self.ring.seal(name, body)?;
        self.put_value(name, value);
        Ok(())
    }

    /// Writes a JSON body.
    pub fn put_json(&mut self, name: &RecordName, body: &impl Serialize) -> Result<(), Error> {
        self.put(name, &json(body))
    }

    /// Writes a value that is sealed already.
    pub fn put_value(&mut self, name: &RecordName, value: Vec<u8>) {
        self.edits.push(Edit::Put(Named {
            name: name.to_string(),
            value,
        }));
    }

    /// Removes a record.
    pub fn remove(&mut self, name: &RecordName) {
        self.edits.push(Edit::Remove(name.to_string()));
    }

    /// Has the audit log say this.
    pub fn log(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Whether something that was read has been written since. If that cannot be told, it has not:
    /// the error that it is asked for says why.
    fn is_overtaken(&self) -> bool {
        let is_other = |(name, revision): (&String, &i64)| match self.store.engine.get(name) {
            Ok(found) => found.map_or(0, |found| found.revision) != *revision,
            Err(_) => false,
        };
        self.conditions.iter().any(is_other)
    }

    /// The revision made; `None` if something it depends on has changed. A change that writes
    /// nothing is none.
    fn commit(mut self, by: &str) -> Result<Option<i64>, Error> {
        self.write_events(by)?;
        if self.edits.is_empty() {
            return Ok(Some(0));
        }
        let conditions: Vec<_> = self
            .conditions
            .into_iter()
            .map(|(name, revision)| Condition { name, revision })
            .collect();
        debug_assert!(
            conditions.len().max(self.edits.len()) <= MAX_COMMIT,
            "an engine may take no more at once"
        );
        match self.store.engine.commit(&conditions, &self.edits)? {
            Commit::Done(revision) => Ok(Some(revision)),
            Commit::Conflict => Ok(None),
        }
    }

    /// Adds what happened to the audit log, each entry with the hash of the one before.
    fn write_events(&mut self, by: &str) -> Result<(), Error> {
        if self.events.is_empty() {
            return Ok(());
        }
        let mut head: HeadBody = self.require(&RecordName::AuditHead)?;
        for event in std::mem::take(&mut self.events) {
            head.count += 1;
            let body = json(&AuditBody {
                number: head.count,
                at: self.at,
                by: by.into(),
                event,
                previous: head.hash,
            });
            head.hash = Entry::hash_of(&body);
            let name = RecordName::Audit(head.count);
            self.conditions.insert(name.to_string(), 0);
            self.put(&name, &body)?;
        }
        self.put_json(&RecordName::AuditHead, &head)
    }
}

#[cfg(test)]
mod tests;
