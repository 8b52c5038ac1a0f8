//! Replacing the master key while servers run.
//!
//! The new key stands in the store sealed under the old one, and the old under the new, so that
//! whoever has either opens everything; then every record is sealed anew, some at a time; then the
//! old key, once every server has been given the new one, is forgotten. Each step is a change of
//! the header or of records that must not have changed meanwhile, so any of them may be the last
//! before a crash, and is gone on from.

use std::time::Duration;

use super::{Author, Ring, Store};
use crate::Error;
use crate::engine::{Commit, Condition, Edit, MAX_COMMIT, MAX_VALUE, Named};
use crate::master_key::{MasterKey, MasterKeyId};
use crate::name::RecordName;
use crate::record::{Event, HeaderBody, Timestamp};
use crate::seal;

/// How long the key that was replaced is kept at least, so that programs that run take over the new
/// one: they look for changes at least once a second.
pub const HANDOVER: Duration = Duration::from_secs(2);

/// Records that are sealed anew in one change.
const BATCH: usize = MAX_COMMIT - 20;

impl Author<'_> {
    /// Puts a new master key in the place of the one in use, and seals every record anew.
    /// `progress` hears how many were looked at so far.
    ///
    /// Servers go on with the key they have, which opens the store until
    /// [`Author::forget_master`]. Begun again with the same key after it broke off, it goes on.
    pub fn rotate_master(
        &self,
        new: &MasterKey,
        mut progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        self.begin_master(new)?;
        self.store.reload()?;
        self.reseal(&mut progress)?;
        self.change(|tx| {
            let mut header = tx.ring().header.clone();
            if header.previous.take().is_none() {
                return Ok(());
            }
            header.replaced = Some(Timestamp::now());
            put_header(tx.ring(), &header).map(|value| tx.put_value(&RecordName::Header, value))?;
            tx.remove(&RecordName::Master(new.id()));
            tx.log(Event::MasterRotated {
                to: new.id().to_string(),
            });
            Ok(())
        })?;
        self.store.reload()?;
        self.store.engine.purge()
    }

    /// Forgets the master key that was replaced: it opens nothing any more. Answers which it was;
    /// `None` if there is none to forget.
    ///
    /// Programs that run have taken over the new key by then, if they could read the store within
    /// [`HANDOVER`] of its replacement; before that it is refused.
    pub fn forget_master(&self) -> Result<Option<MasterKeyId>, Error> {
        let header = self.store.reload()?.header.clone();
        if header.previous.is_some() {
            return Err(Error::MasterRotating {
                path: self.store.path().into(),
            });
        }
        if let Some(replaced) = header.replaced {
            let now = Timestamp::now();
            let since = now.since(replaced);
            // On a clock that was set back the wait is not known, and not asked for.
            let early = now >= replaced && since < HANDOVER;
            if early && !self.store.handed_over()?.is_empty() {
                return Err(Error::HandingOver {
                    wait: HANDOVER - since,
                });
            }
        }
        let known = self.store.handed_over()?;
        for id in &known {
            self.change(|tx| {
                tx.remove(&RecordName::Master(*id));
                tx.log(Event::MasterForgotten {
                    master_key: id.to_string(),
                });
                Ok(())
            })?;
        }
        self.store.engine.purge()?;
        Ok(known.first().copied())
    }

    fn begin_master(&self, new: &MasterKey) -> Result<(), Error> {
        self.change(|tx| {
            // Each begun and each finished rotation writes the header, on which this depends.
            let handed_over = tx.store().handed_over()?;
            let ring = tx.ring();
            let old = ring.current.clone();
            if old.id() == new.id() {
                // Begun already, or done.
                return match (&ring.header.previous, handed_over.is_empty()) {
                    (None, true) => Err(Error::SameMasterKey),
                    _ => Ok(()),
                };
            }
            if ring.header.previous.is_some() || !handed_over.is_empty() {
                return Err(Error::MasterRotating {
                    path: self.store.path().into(),
                });
            }
            let store = ring.store;
            let header = HeaderBody {
                previous: Some(old.id().to_string()),
                ..ring.header.clone()
            };
            let values = [
                (RecordName::Header, Ring::seal_header(store, new, &header)?),
                crossed(store, &old, new)?,
                crossed(store, new, &old)?,
            ];
            for (name, value) in values {
                tx.put_value(&name, value);
            }
            tx.log(Event::MasterRotationBegun {
                from: old.id().to_string(),
                to: new.id().to_string(),
            });
            Ok(())
        })?;
        Ok(())
    }

    /// Seals every record under the current master key that is not yet.
    fn reseal(&self, progress: &mut impl FnMut(u64)) -> Result<(), Error> {
        let (mut after, mut looked_at) = (None::<String>, 0);
        loop {
            let ring = self.store.ring();
            let page = self.store.engine.scan("", after.as_deref(), BATCH)?;
            if page.is_empty() {
                return Ok(());
            }
            let (mut last, mut count, mut size) = (after.clone(), 0, 0);
            let mut conditions = vec![Condition {
                name: RecordName::Header.to_string(),
                revision: ring.revision,
            }];
            let mut edits = Vec::new();
            for record in page {
                size += record.value.len();
                // etcd takes little more than the longest value in one commit.
                if size > MAX_VALUE && count > 0 {
                    break;
                }
                last = Some(record.name.clone());
                count += 1;
                let Ok(name) = record.name.parse() else {
                    return Err(self.store.altered(record.name));
                };
                // The header is new; of the other keys each is sealed under its own.
                if matches!(name, RecordName::Header | RecordName::Master(_))
                    || ring.unseal_with_current(&name, &record.value).is_some()
                {
                    continue;
                }
                let Some(body) = ring.unseal(&name, &record.value) else {
                    return Err(self.store.altered(record.name));
                };
                edits.push(Edit::Put(Named {
                    value: ring.seal(&name, &body)?,
                    name: record.name.clone(),
                }));
                conditions.push(Condition {
                    name: record.name,
                    revision: record.revision,
                });
            }
            if !edits.is_empty()
                && self.store.engine.commit(&conditions, &edits)? == Commit::Conflict
            {
                // Somebody wrote one of them, under the new key: look at the page again.
                self.store.reload()?;
                continue;
            }
            after = last;
            looked_at += count;
            progress(looked_at);
        }
    }
}

/// Which master keys a store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterState {
    /// The one that records are sealed under.
    pub in_use: MasterKeyId,
    /// The one that the store was opened with.
    pub given: MasterKeyId,
    /// The one that is being replaced, while not every record is sealed anew.
    pub replacing: Option<MasterKeyId>,
    /// The one that was replaced, and opens the store until it is forgotten.
    pub replaced: Option<MasterKeyId>,
}

impl Store {
    /// Which master keys the store has.
    pub fn master_state(&self) -> Result<MasterState, Error> {
        let ring = self.reload()?;
        let replacing = ring.previous.as_ref().map(|key| key.id());
        let in_use = ring.current.id();
        let handed_over = self.handed_over()?;
        let replaced = handed_over
            .into_iter()
            .find(|id| replacing.is_none() && *id != in_use);
        Ok(MasterState {
            in_use,
            given: self.given().id(),
            replacing,
            replaced,
        })
    }

    /// The master keys that the store hands over from, or to.
    pub(super) fn handed_over(&self) -> Result<Vec<MasterKeyId>, Error> {
        let found = self
            .engine
            .scan(RecordName::MASTERS, None, super::MAX_PAGE)?;
        let id = |name: String| match name.parse() {
            Ok(RecordName::Master(id)) => Ok(id),
            _ => Err(self.altered(name)),
        };
        found.into_iter().map(|record| id(record.name)).collect()
    }
}

/// The record that is sealed under one master key and holds the other.
fn crossed(
    store: seal::StoreId,
    under: &MasterKey,
    holds: &MasterKey,
) -> Result<(RecordName, Vec<u8>), Error> {
    let name = RecordName::Master(under.id());
    let value = seal::seal(under, store, &name, holds.expose_secret())?;
    Ok((name, value))
}

fn put_header(ring: &Ring, header: &HeaderBody) -> Result<Vec<u8>, Error> {
    Ring::seal_header(ring.store, &ring.current, header)
}
