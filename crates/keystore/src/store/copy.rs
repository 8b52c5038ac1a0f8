//! Copying a store to another place, value by value as they are, while it is used; and moving it.
//!
//! A copy holds the mark `copy` and no header until it is complete, so nobody takes it for a store. It
//! is made by comparing both sides, so one that broke off is gone on from. What changes meanwhile is
//! copied after; a store that moves is marked as moved by a commit which fails if anything was written
//! since it was copied last.

use std::collections::BTreeMap;

use super::{BUSY_TIMEOUT, Ring, Store};
use crate::Error;
use crate::engine::{Commit, Condition, Edit, Engine, Listed, MAX_COMMIT, MAX_VALUE, Named};
use crate::name::RecordName;
use crate::place::Place;
use crate::record::{Event, HeaderBody};

/// What stands in a copy until it is complete; its value is the store's id.
pub(super) const UNFINISHED: &str = "copy";
/// How often changes are copied after before the store counts as never at rest.
const ROUNDS: usize = 1000;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many records the copy holds.
    pub records: u64,
}

/// What a copy is going to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A second store, which goes its own way from there.
    Fork,
    /// The store itself: the old place takes no more changes.
    Move,
}

impl Store {
    /// Copies the store to a place that holds nothing, or an unfinished copy of this store.
    /// `progress` hears how many records were compared so far.
    ///
    /// Changes may go on meanwhile and are copied too. Every record is checked to be authentic, and
    /// compared with its copy after it was written.
    pub fn copy(
        &self,
        to: &Place,
        purpose: Purpose,
        by: &str,
        mut progress: impl FnMut(u64),
    ) -> Result<Copied, Error> {
        let name = to.address.to_string();
        if self.has_moved_to(&name)? && purpose == Purpose::Move {
            if let Some(copied) = self.finished_before(to)? {
                return Ok(copied);
            }
        } else {
            self.must_not_have_moved()?;
        }
        let target = self.target(to)?;
        let copy = Copy {
            source: self,
            target: &*target,
        };
        if purpose == Purpose::Fork {
            let event = Event::StoreCopied { to: name.clone() };
            self.by(by).change(|tx| {
                tx.log(event.clone());
                Ok(())
            })?;
        }
        let mut since = self.engine.changes(0)?.revision;
        let mut records = copy.everything(&mut progress)?;
        records = records.max(copy.everything(&mut progress)?);
        for _ in 0..ROUNDS {
            since = copy.changes(since, &mut progress)?;
            let header = match purpose {
                Purpose::Fork => self.header_at(since)?,
                Purpose::Move if self.freeze(&name, by, since)? => {
                    // What the freezing itself has logged.
                    copy.changes(since, &mut progress)?;
                    Some(self.header_unmoved()?)
                }
                Purpose::Move => None,
            };
            if let Some(header) = header {
                become_store(&*target, header)?;
                return Ok(Copied { records });
            }
        }
        Err(Error::Contended {
            path: self.path().into(),
            attempts: u32::try_from(ROUNDS).expect("a thousand"),
        })
    }

    /// Marks the store as moved, if nothing was written since `since`, or it is marked already.
    fn freeze(&self, to: &str, by: &str, since: i64) -> Result<bool, Error> {
        if self.has_moved_to(to)? {
            return Ok(true);
        }
        let header = |ring: &Ring| HeaderBody {
            moved: Some(to.to_owned()),
            ..ring.header.clone()
        };
        let event = Event::StoreMoved { to: to.to_owned() };
        let frozen = self.by(by).change_at(since, |tx| {
            let ring = tx.ring();
            let value = Ring::seal_header(ring.store, &ring.current, &header(ring))?;
            tx.put_value(&RecordName::Header, value);
            tx.log(event.clone());
            Ok(())
        })?;
        self.reload()?;
        Ok(frozen)
    }

    /// The header's value, if nothing was written since.
    fn header_at(&self, since: i64) -> Result<Option<Vec<u8>>, Error> {
        let header = self.engine.get(&RecordName::Header.to_string())?;
        let header = header.ok_or_else(|| self.missing(&RecordName::Header))?;
        let at_rest = self.engine.changes(since)?.revision == since;
        Ok(at_rest.then_some(header.value))
    }

    /// The header's value as it is where the store has moved to.
    fn header_unmoved(&self) -> Result<Vec<u8>, Error> {
        let ring = self.reload()?;
        let header = HeaderBody {
            moved: None,
            ..ring.header.clone()
        };
        Ring::seal_header(ring.store, &ring.current, &header)
    }

    /// Refuses a record that is not what was sealed under its name.
    pub(super) fn check_sealed(&self, record: &Listed) -> Result<(), Error> {
        let Ok(name) = record.name.parse() else {
            return Err(self.altered(record.name.clone()));
        };
        let known = match &name {
            // Checked when it was read, and sealed under its own key.
            RecordName::Header | RecordName::Master(_) => true,
            name => self.ring().unseal(name, &record.value).is_some(),
        };
        if known {
            return Ok(());
        }
        // Under a newer master key, or changed meanwhile; or altered.
        self.read(&name).map(drop)
    }

    fn has_moved_to(&self, to: &str) -> Result<bool, Error> {
        Ok(self.reload()?.header.moved.as_deref() == Some(to))
    }

    fn must_not_have_moved(&self) -> Result<(), Error> {
        match &self.ring().header.moved {
            None => Ok(()),
            Some(to) => Err(Error::Moved {
                path: self.path().into(),
                to: to.clone(),
            }),
        }
    }

    /// The place, made or gone on with.
    fn target(&self, to: &Place) -> Result<Box<dyn Engine>, Error> {
        let id = self.ring().store.0;
        let unfinished = [Edit::Put(Named {
            name: UNFINISHED.into(),
            value: id.to_vec(),
        })];
        match to.create(BUSY_TIMEOUT, &unfinished) {
            Err(Error::Exists { path }) => {
                let target = to.open(BUSY_TIMEOUT)?;
                match target.get(UNFINISHED)? {
                    Some(mark) if mark.value == id => Ok(target),
                    _ => Err(Error::Exists { path }),
                }
            }
            made => made,
        }
    }

    /// How many records a copy has that was finished before.
    fn finished_before(&self, to: &Place) -> Result<Option<Copied>, Error> {
        let target = match to.open(BUSY_TIMEOUT) {
            Err(Error::NoStore { .. }) => return Ok(None),
            opened => opened?,
        };
        let header = target.get(&RecordName::Header.to_string())?;
        if !header.is_some_and(|header| header.value.starts_with(&self.ring().store.0)) {
            return Ok(None);
        }
        let mut records = 0;
        target.read_all(&mut |_| {
            records += 1;
            Ok(())
        })?;
        Ok(Some(Copied { records }))
    }
}

/// A copy being made.
struct Copy<'a> {
    source: &'a Store,
    target: &'a dyn Engine,
}

impl Copy<'_> {
    /// Compares all records of both sides, and makes the target's those of the source. Answers how
    /// many there are.
    fn everything(&self, progress: &mut impl FnMut(u64)) -> Result<u64, Error> {
        let mut batch = Batch::new(self.target);
        let (mut after, mut compared) = (None::<String>, 0);
        loop {
            let engine = &self.source.engine;
            let page = engine.scan("", after.as_deref(), super::MAX_PAGE)?;
            let end = page.last().map(|record| record.name.clone());
            let mut there = self.between(after.as_deref(), end.as_deref())?;
            compared += page.len() as u64;
            for record in page {
                if is_copied(&record.name) {
                    self.source.check_sealed(&record)?;
                    let copied = there.remove(&record.name);
                    if copied.as_ref() != Some(&record.value) {
                        batch.add(Edit::Put(Named {
                            name: record.name,
                            value: record.value,
                        }))?;
                    }
                }
            }
            for name in there.into_keys().filter(|name| is_copied(name)) {
                batch.add(Edit::Remove(name))?;
            }
            progress(compared);
            if end.is_none() {
                batch.write()?;
                return Ok(compared);
            }
            after = end;
        }
    }

    /// Copies what has changed since, again and again until nothing has. Answers the revision of the
    /// source that the target is at.
    fn changes(&self, since: i64, progress: &mut impl FnMut(u64)) -> Result<i64, Error> {
        let mut since = since;
        for _ in 0..ROUNDS {
            let changes = self.source.engine.changes(since)?;
            if changes.revision == since {
                return Ok(since);
            }
            match changes.names {
                None => drop(self.everything(progress)?),
                Some(names) => self.these(names)?,
            }
            since = changes.revision;
        }
        Ok(since)
    }

    fn these(&self, names: Vec<String>) -> Result<(), Error> {
        let mut batch = Batch::new(self.target);
        for name in names.into_iter().filter(|name| is_copied(name)) {
            let copied = self.target.get(&name)?.map(|found| found.value);
            batch.add(match self.source.engine.get(&name)? {
                Some(found) if copied.as_ref() == Some(&found.value) => continue,
                Some(found) => Edit::Put(Named {
                    name,
                    value: found.value,
                }),
                None => Edit::Remove(name),
            })?;
        }
        batch.write()
    }

    /// The target's values after the one name and up to the other.
    fn between(
        &self,
        after: Option<&str>,
        end: Option<&str>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut found = BTreeMap::new();
        let mut after = after.map(str::to_owned);
        loop {
            let page = self.target.scan("", after.as_deref(), super::MAX_PAGE)?;
            after = page.last().map(|last| last.name.clone());
            let within = |name: &str| end.is_none_or(|end| name <= end);
            let is_last = after.as_deref().is_none_or(|last| !within(last));
            let page = page.into_iter().filter(|one| within(&one.name));
            found.extend(page.map(|one| (one.name, one.value)));
            if is_last {
                return Ok(found);
            }
        }
    }
}

/// Has an unfinished copy become a store.
pub(super) fn become_store(target: &dyn Engine, header: Vec<u8>) -> Result<(), Error> {
    let name = RecordName::Header.to_string();
    let absent = [Condition {
        name: name.clone(),
        revision: 0,
    }];
    let edits = [
        Edit::Put(Named {
            name,
            value: header,
        }),
        Edit::Remove(UNFINISHED.into()),
    ];
    match target.commit(&absent, &edits)? {
        Commit::Done(_) => Ok(()),
        Commit::Conflict => Err(Error::Exists {
            path: target.place().into(),
        }),
    }
}

/// Whether a copy takes the record over as it is.
fn is_copied(name: &str) -> bool {
    name != UNFINISHED && name != RecordName::Header.to_string()
}

/// Edits of an unfinished copy, written some at a time.
pub(super) struct Batch<'a> {
    target: &'a dyn Engine,
    edits: Vec<Edit>,
    size: usize,
}

impl<'a> Batch<'a> {
    pub fn new(target: &'a dyn Engine) -> Self {
        Self {
            target,
            edits: Vec::new(),
            size: 0,
        }
    }

    pub fn add(&mut self, edit: Edit) -> Result<(), Error> {
        let size = match &edit {
            Edit::Put(named) => named.value.len(),
            Edit::Remove(_) => 0,
        };
        // etcd takes little more than the longest value in one commit.
        if self.edits.len() == MAX_COMMIT || self.size + size > MAX_VALUE {
            self.write()?;
        }
        self.size += size;
        self.edits.push(edit);
        Ok(())
    }

    /// Writes what has gathered, if the copy is still unfinished.
    pub fn write(&mut self) -> Result<(), Error> {
        let edits = std::mem::take(&mut self.edits);
        self.size = 0;
        if edits.is_empty() {
            return Ok(());
        }
        let gone = || Error::Replaced {
            path: self.target.place().into(),
        };
        let mark = self.target.get(UNFINISHED)?.ok_or_else(gone)?;
        let unfinished = [Condition {
            name: UNFINISHED.into(),
            revision: mark.revision,
        }];
        match self.target.commit(&unfinished, &edits)? {
            Commit::Done(_) => Ok(()),
            Commit::Conflict => Err(gone()),
        }
    }
}
