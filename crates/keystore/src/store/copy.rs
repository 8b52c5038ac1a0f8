//! Copying a store to another place, value by value as they are, while it is used; and moving it.
//!
//! A copy holds the mark `copy` and no header until it is complete, so nobody takes it for a store. It
//! is made by comparing both sides, so one that broke off is gone on from. A store that moves is
//! marked as moved when nearly all is copied, which stops whoever writes it; what was written until
//! then is copied, and then the copy becomes the store.

use std::vec;

use super::{BUSY_TIMEOUT, Ring, Store};
use crate::Error;
use crate::engine::{Commit, Condition, Edit, Engine, Listed, MAX_COMMIT, MAX_VALUE, Named};
use crate::etcd::EtcdError;
use crate::name::RecordName;
use crate::place::Place;
use crate::record::{Event, HeaderBody};
use crate::seal::StoreId;

/// What stands in a copy until it is complete; its value is the store's id.
pub(super) const UNFINISHED: &str = "copy";
/// How often what has changed is copied after before a store that moves is stopped.
const ROUNDS: usize = 3;

/// How often everything is read before it is given up: a key that is destroyed meanwhile takes what
/// is being read of etcd with it.
const PASSES: usize = 5;

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
    /// Changes may go on meanwhile. Every record is checked to be authentic, and compared with its
    /// copy after it was written. A copy that is a fork is of one revision; a store that moves loses
    /// nothing that was written before it was stopped. A move that breaks off may leave the store
    /// stopped, until it is begun again and finished.
    pub fn copy(
        &self,
        to: &Place,
        purpose: Purpose,
        by: &str,
        mut progress: impl FnMut(u64),
    ) -> Result<Copied, Error> {
        let name = to.address.to_string();
        let stopped = purpose == Purpose::Move && self.has_moved_to(&name)?;
        if stopped {
            if let Some(copied) = self.finished_before(to)? {
                return Ok(copied);
            }
        } else {
            self.must_not_have_moved()?;
        }
        let target = unfinished(to, self.ring().store)?;
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
        copy.everything(&mut progress)?;
        let mut passed = copy.everything(&mut progress)?;
        let header = match purpose {
            Purpose::Fork => passed.header,
            Purpose::Move => {
                for _ in 0..ROUNDS {
                    passed.revision = copy.changes(passed.revision, &mut progress)?;
                }
                if !stopped {
                    self.stop(&name, by)?;
                }
                if let Err(error) = copy.until_rest(passed.revision, &mut progress) {
                    self.go_on(by, Event::StoreMoveFailed { to: name })?;
                    return Err(error);
                }
                self.header_unmoved()?
            }
        };
        become_store(&*target, header)?;
        Ok(Copied {
            records: passed.records,
        })
    }

    /// Marks the store as moved: it takes no more changes.
    fn stop(&self, to: &str, by: &str) -> Result<(), Error> {
        let event = Event::StoreMoved { to: to.to_owned() };
        self.by(by).change(|tx| {
            let ring = tx.ring();
            let header = HeaderBody {
                moved: Some(to.to_owned()),
                ..ring.header.clone()
            };
            let value = Ring::seal_header(ring.store, &ring.current, &header)?;
            tx.put_value(&RecordName::Header, value);
            tx.log(event.clone());
            Ok(())
        })?;
        self.reload()?;
        Ok(())
    }

    /// Takes the mark back: the store takes changes again. The log says why.
    pub(super) fn go_on(&self, by: &str, why: Event) -> Result<(), Error> {
        self.by(by).change_where_it_was(|tx| {
            let ring = tx.ring();
            let header = HeaderBody {
                moved: None,
                ..ring.header.clone()
            };
            let value = Ring::seal_header(ring.store, &ring.current, &header)?;
            tx.put_value(&RecordName::Header, value);
            tx.log(why.clone());
            Ok(())
        })?;
        self.reload()?;
        Ok(())
    }

    /// The header's value as it is where the store is not marked as moved.
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
        of_one_revision(|| {
            let mut records = 0;
            target.read_all(&mut |_| {
                records += 1;
                Ok(())
            })?;
            Ok(Some(Copied { records }))
        })
    }
}

/// Reads a store as it is at one revision, anew when etcd is compacted meanwhile.
pub(super) fn of_one_revision<T>(mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..PASSES {
        match read() {
            Err(Error::Etcd(EtcdError::Compacted)) => {}
            done => return done,
        }
    }
    read()
}

/// A copy being made.
struct Copy<'a> {
    source: &'a Store,
    target: &'a dyn Engine,
}

/// What comparing everything once has found in the source.
struct Passed {
    revision: i64,
    records: u64,
    /// The header as it is.
    header: Vec<u8>,
}

impl Copy<'_> {
    /// Compares all records of both sides, those of the source as they are at one revision, and makes
    /// the target's the same.
    fn everything(&self, progress: &mut impl FnMut(u64)) -> Result<Passed, Error> {
        of_one_revision(|| self.pass(progress))
    }

    fn pass(&self, progress: &mut impl FnMut(u64)) -> Result<Passed, Error> {
        let mut batch = Batch::new(self.target);
        let mut there = Values::of(self.target);
        let mut extra = there.next()?;
        let (mut records, mut header) = (0, None);
        let revision = self.source.engine.read_all(&mut |record| {
            self.source.check_sealed(&record)?;
            records += 1;
            progress(records);
            if record.name == RecordName::Header.to_string() {
                header = Some(record.value);
                return Ok(());
            }
            while let Some(found) = extra.take_if(|found| found.name < record.name) {
                batch.add(Edit::Remove(found.name))?;
                extra = there.next()?;
            }
            let copied = extra.take_if(|found| found.name == record.name);
            if copied.is_some() {
                extra = there.next()?;
            }
            if copied.is_some_and(|copied| copied.value == record.value) {
                return Ok(());
            }
            batch.add(Edit::Put(Named {
                name: record.name,
                value: record.value,
            }))
        })?;
        while let Some(found) = extra {
            batch.add(Edit::Remove(found.name))?;
            extra = there.next()?;
        }
        batch.write()?;
        Ok(Passed {
            revision,
            records,
            header: header.ok_or_else(|| self.source.missing(&RecordName::Header))?,
        })
    }

    /// Copies what has changed since. Answers the revision that the target is at.
    fn changes(&self, since: i64, progress: &mut impl FnMut(u64)) -> Result<i64, Error> {
        let changes = self.source.engine.changes(since)?;
        match changes.names {
            Some(names) => {
                self.these(names)?;
                Ok(changes.revision)
            }
            None => Ok(self.everything(progress)?.revision),
        }
    }

    /// Copies what has changed since, until nothing has.
    fn until_rest(&self, since: i64, progress: &mut impl FnMut(u64)) -> Result<(), Error> {
        let mut since = since;
        loop {
            let now = self.changes(since, progress)?;
            if now == since {
                return Ok(());
            }
            since = now;
        }
    }

    fn these(&self, names: Vec<String>) -> Result<(), Error> {
        let mut batch = Batch::new(self.target);
        for name in names.into_iter().filter(|name| is_copied(name)) {
            batch.add(match self.source.engine.get(&name)? {
                Some(found) => Edit::Put(Named {
                    name,
                    value: found.value,
                }),
                None => Edit::Remove(name),
            })?;
        }
        batch.write()
    }
}

/// The values of an unfinished copy, one after the other, without its mark.
pub(super) struct Values<'a> {
    engine: &'a dyn Engine,
    page: vec::IntoIter<Listed>,
    after: Option<String>,
}

impl<'a> Values<'a> {
    pub fn of(engine: &'a dyn Engine) -> Self {
        Self {
            engine,
            page: Vec::new().into_iter(),
            after: None,
        }
    }

    pub fn next(&mut self) -> Result<Option<Listed>, Error> {
        loop {
            if self.page.len() == 0 {
                let after = self.after.as_deref();
                self.page = self.engine.scan("", after, super::MAX_PAGE)?.into_iter();
            }
            let Some(found) = self.page.next() else {
                return Ok(None);
            };
            self.after = Some(found.name.clone());
            if is_copied(&found.name) {
                return Ok(Some(found));
            }
        }
    }
}

/// An unfinished copy of the store of this id: made, or gone on with.
pub(super) fn unfinished(to: &Place, store: StoreId) -> Result<Box<dyn Engine>, Error> {
    let mark = [Edit::Put(Named {
        name: UNFINISHED.into(),
        value: store.0.to_vec(),
    })];
    match to.create(BUSY_TIMEOUT, &mark) {
        Err(Error::Exists { path }) => {
            let target = to.open(BUSY_TIMEOUT)?;
            match target.get(UNFINISHED)? {
                Some(mark) if mark.value == store.0 => Ok(target),
                _ => Err(Error::Exists { path }),
            }
        }
        made => made,
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
        // The mark is one more edit; etcd takes little more than the longest value in one commit.
        if self.edits.len() + 1 == MAX_COMMIT || self.size + size > MAX_VALUE {
            self.write()?;
        }
        self.size += size;
        self.edits.push(edit);
        Ok(())
    }

    /// Writes what has gathered, if the copy is still unfinished.
    pub fn write(&mut self) -> Result<(), Error> {
        let mut edits = std::mem::take(&mut self.edits);
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
        // A commit that writes what its condition names can be sent again when no answer comes.
        edits.push(Edit::Put(Named {
            name: UNFINISHED.into(),
            value: mark.value,
        }));
        match self.target.commit(&unfinished, &edits)? {
            Commit::Done(_) => Ok(()),
            Commit::Conflict => Err(gone()),
        }
    }
}
