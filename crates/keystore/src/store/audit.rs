//! The audit log: its beginning, reading it, and checking it against itself and the store.

mod chain;
mod replay;

use super::{Store, json};
use crate::Error;
use crate::master_key::MasterKey;
use crate::name::RecordName;
use crate::record::{AuditBody, Entry, Event, HeadBody, SigningKey, Timestamp};
use crate::seal;
use replay::Replay;
use zeroize::Zeroizing;

pub use chain::{Anchor, Chain};

/// How often a store that is changed all the while is compared with its log.
const ROUNDS: usize = 5;

/// What checking the log has found.
#[derive(Debug)]
pub struct Audited {
    /// How many entries it has.
    pub entries: u64,
    /// The last one: keep it apart, and check against it the next time.
    pub head: Anchor,
    /// Receipts that were checked.
    pub receipts: u64,
    /// What is wrong, each in one line; none if all is well.
    pub faults: Vec<String>,
}

/// The first entry of a new store's log, and the head that goes with it.
pub(super) fn beginning(
    master: &MasterKey,
    receipts: &SigningKey,
    by: &str,
) -> (Zeroizing<Vec<u8>>, HeadBody) {
    let first = json(&AuditBody {
        number: 1,
        at: Timestamp::now(),
        by: by.into(),
        event: Event::StoreCreated {
            master_key: master.id().to_string(),
            receipts: receipts.public(),
        },
        previous: HeadBody::default().hash,
    });
    let head = HeadBody {
        count: 1,
        hash: Entry::hash_of(&first),
    };
    (first, head)
}

impl Store {
    /// A page of the audit log: the entries that follow the one of this number (0: from the
    /// first), at most `limit` and at most [`MAX_PAGE`](crate::MAX_PAGE). An empty page is the end.
    pub fn audit(&self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        let after = (after > 0).then_some(RecordName::Audit(after));
        let page = self.scan_bodies(RecordName::AUDIT, after.as_ref(), limit)?;
        let entry = |(name, opened): (RecordName, super::Opened)| {
            let entry = Entry::from_body(&opened.body)
                .map_err(|error| self.unknown_form(&name, error.to_string()))?;
            if name != RecordName::Audit(entry.number) {
                return Err(self.altered(name.to_string()));
            }
            Ok(entry)
        };
        page.into_iter().map(entry).collect()
    }

    /// The last entry of the audit log, as its head has it.
    pub fn audit_end(&self) -> Result<Anchor, Error> {
        Ok(Anchor::from(&self.audit_head()?))
    }

    /// Checks that every record of the store is authentic; that no entry of the audit log was
    /// edited, removed or put elsewhere, that the log ends where its head says, that it leads past
    /// an `anchor`, and that what it says is what the store holds; and every receipt. `progress`
    /// hears how many records were read so far.
    pub fn verify_audit(
        &self,
        anchor: Option<&Anchor>,
        mut progress: impl FnMut(u64),
    ) -> Result<Audited, Error> {
        let mut faults = Vec::new();
        let records = self.verify_records(&mut faults, &mut progress)?;
        let mut audited = Audited {
            entries: 0,
            head: Anchor::from(&self.audit_head()?),
            receipts: 0,
            faults,
        };
        audited.entries = audited.head.number;
        if !audited.faults.is_empty() {
            // What cannot be read says nothing.
            return Ok(audited);
        }
        let mut before: Option<Vec<String>> = None;
        for _ in 0..ROUNDS {
            let head = self.audit_head()?;
            let mut faults = Vec::new();
            let replay = self.verify_chain(&head, anchor, &mut faults, |entries| {
                progress(records + entries);
            })?;
            let is_whole = faults.is_empty();
            if is_whole {
                replay.compare(self, &mut faults)?;
            }
            let is_settled = !is_whole || self.audit_head()?.count == head.count;
            if let Some(before) = before.filter(|_| !is_settled) {
                // What differed once, and does not any more, was being changed: that is no fault.
                faults.retain(|fault| before.contains(fault));
            }
            audited.entries = head.count;
            audited.head = Anchor::from(&head);
            audited.faults.clone_from(&faults);
            if is_settled || faults.is_empty() {
                break;
            }
            before = Some(faults);
        }
        audited.receipts = self.verify_receipts(&mut audited.faults)?;
        Ok(audited)
    }

    /// Opens every record. Answers how many there are.
    fn verify_records(
        &self,
        faults: &mut Vec<String>,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, Error> {
        let (mut after, mut count) = (None::<String>, 0);
        loop {
            let page = self.engine.scan("", after.as_deref(), super::MAX_PAGE)?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = Some(last.name.clone());
            count += page.len() as u64;
            let (ring, given) = (self.ring(), self.given());
            for record in page {
                let opens = match record.name.parse() {
                    // It was opened with the store.
                    Ok(RecordName::Header) => true,
                    Ok(name @ RecordName::Master(id)) => {
                        let keys = [Some(&ring.current), ring.previous.as_ref(), Some(&given)];
                        let key = keys.into_iter().flatten().find(|key| key.id() == id);
                        // Nobody here has the key that it is sealed under.
                        key.is_none_or(|key| {
                            seal::unseal(key, ring.store, &name, &record.value).is_some()
                        })
                    }
                    Ok(name) => {
                        ring.unseal(&name, &record.value).is_some()
                            // Written meanwhile, under a newer master key.
                            || !matches!(self.read(&name), Err(Error::Altered { .. }))
                    }
                    Err(_) => false,
                };
                if !opens {
                    faults.push(self.altered(record.name).to_string());
                }
            }
            progress(count);
        }
    }

    /// Goes along the log. Answers the state that it leads to.
    fn verify_chain(
        &self,
        head: &HeadBody,
        anchor: Option<&Anchor>,
        faults: &mut Vec<String>,
        mut progress: impl FnMut(u64),
    ) -> Result<Replay, Error> {
        let mut replay = Replay::default();
        let mut chain = Chain::whole(anchor);
        let mut last = 0;
        loop {
            let page = self.audit(last, super::MAX_PAGE)?;
            let Some(end) = page.last() else {
                break;
            };
            last = end.number;
            for entry in page {
                faults.extend(chain.take(&entry));
                // What was written since the head was read is checked the next time.
                if entry.number <= head.count {
                    if entry.number == head.count && entry.hash != head.hash {
                        faults.push("the audit log's head is not that of its last entry".into());
                    }
                    replay.take(entry);
                }
            }
            progress(last);
            // Others may go on writing for as long as it is read.
            if last > head.count {
                break;
            }
        }
        if last < head.count {
            let (missing, end) = (last + 1, head.count);
            faults.push(format!("audit entries {missing} to {end} were removed"));
        }
        // Others may have gone on writing; then the head has moved too.
        if last > head.count && self.audit_head()?.count == head.count {
            faults.push(format!(
                "record {} was put back: the log goes on after entry {}",
                RecordName::AuditHead,
                head.count
            ));
        }
        faults.extend(chain.end());
        Ok(replay)
    }

    /// An error if the log goes on after its head.
    pub(super) fn check_audit_head(&self) -> Result<(), Error> {
        let head = self.audit_head()?;
        match self.read(&RecordName::Audit(head.count + 1))? {
            Some(_) if self.audit_head()?.count == head.count => {
                Err(self.altered(RecordName::AuditHead.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn audit_head(&self) -> Result<HeadBody, Error> {
        self.read_json(&RecordName::AuditHead)?
            .ok_or_else(|| self.missing(&RecordName::AuditHead))
    }

    /// Checks every receipt, and that no private half is there of what has one.
    fn verify_receipts(&self, faults: &mut Vec<String>) -> Result<u64, Error> {
        let mut count = 0;
        let mut after = None;
        loop {
            let page = self.scan_bodies(RecordName::RECEIPTS, after.as_ref(), super::MAX_PAGE)?;
            let Some((last, _)) = page.last() else {
                return Ok(count);
            };
            after = Some(last.clone());
            for (name, _) in page {
                let RecordName::Receipt(owner, version) = &name else {
                    return Err(self.altered(name.to_string()));
                };
                match self.receipt(owner, *version) {
                    Ok(_) => count += 1,
                    Err(Error::Altered { .. }) => {
                        faults.push(format!("record {name} is not signed with the store's key"));
                    }
                    Err(error) => return Err(error),
                }
                let private = RecordName::Private(owner.clone(), *version);
                if self.engine.get(&private.to_string())?.is_some() {
                    faults.push(format!(
                        "record {private} is there, and {name} says it is gone"
                    ));
                }
            }
        }
    }
}
