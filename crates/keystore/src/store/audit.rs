//! The audit log: its beginning, reading it, and checking it against itself and the store.

mod replay;

use super::{Store, json};
use crate::Error;
use crate::master_key::MasterKey;
use crate::name::RecordName;
use crate::record::{AuditBody, Entry, Event, HeadBody, SigningKey, Timestamp};
use replay::Replay;
use zeroize::Zeroizing;

/// An entry that was seen before, kept apart from the store: proof against a log that was put back
/// as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The entry's number.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

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
        let page = self.audit_page(after, limit)?;
        Ok(page.into_iter().map(|(entry, _)| entry).collect())
    }

    /// Checks the audit log: that no entry was edited, removed or put elsewhere, that it ends where
    /// its head says, that it leads to an `anchor`, and that what it says is what the store holds;
    /// and every receipt. `progress` hears how many entries were read so far.
    pub fn verify_audit(
        &self,
        anchor: Option<&Anchor>,
        mut progress: impl FnMut(u64),
    ) -> Result<Audited, Error> {
        let head = self.audit_head()?;
        let mut faults = Vec::new();
        let mut replay = Replay::default();
        let mut last = Anchor {
            number: 0,
            hash: HeadBody::default().hash,
        };
        let mut anchored = anchor.is_none();
        'log: loop {
            let page = self.audit_page(last.number, super::MAX_PAGE)?;
            if page.is_empty() {
                break;
            }
            for (entry, previous) in page {
                if entry.number != last.number + 1 {
                    let missing = last.number + 1;
                    faults.push(format!("audit entry {missing} was removed"));
                    break 'log;
                }
                if previous != last.hash {
                    let number = entry.number;
                    faults.push(format!(
                        "audit entry {number} does not follow the one before it"
                    ));
                }
                last = Anchor {
                    number: entry.number,
                    hash: entry.hash.clone(),
                };
                if anchor == Some(&last) {
                    anchored = true;
                }
                // What was written since the head was read is checked the next time.
                if entry.number <= head.count {
                    if entry.number == head.count && entry.hash != head.hash {
                        faults.push("the audit log's head is not that of its last entry".into());
                    }
                    replay.take(entry);
                }
            }
            progress(last.number);
        }
        if last.number < head.count {
            let missing = last.number + 1;
            let end = head.count;
            faults.push(format!("audit entries {missing} to {end} were removed"));
        }
        if let (false, Some(anchor)) = (anchored, anchor) {
            faults.push(format!(
                "audit entry {} is not the one that was seen before: the log was put back or written anew",
                anchor.number
            ));
        }
        // Whoever changes the store while it is compared is no fault.
        if faults.is_empty() && self.audit_head()?.count == head.count {
            replay.compare(self, &mut faults)?;
        }
        let receipts = self.verify_receipts(&mut faults)?;
        Ok(Audited {
            entries: head.count,
            head: Anchor {
                number: head.count,
                hash: head.hash,
            },
            receipts,
            faults,
        })
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

    /// Entries, each with the hash that it says the one before it has.
    fn audit_page(&self, after: u64, limit: usize) -> Result<Vec<(Entry, String)>, Error> {
        let after = (after > 0).then_some(RecordName::Audit(after));
        let page = self.scan_bodies(RecordName::AUDIT, after.as_ref(), limit)?;
        let entry = |(name, opened): (RecordName, super::Opened)| {
            let body: AuditBody = self.parse(&name, &opened.body)?;
            if name != RecordName::Audit(body.number) {
                return Err(self.altered(name.to_string()));
            }
            let entry = Entry {
                number: body.number,
                at: body.at,
                by: body.by,
                event: body.event,
                hash: Entry::hash_of(&opened.body),
                body: String::from_utf8_lossy(&opened.body).into_owned(),
            };
            Ok((entry, body.previous))
        };
        page.into_iter().map(entry).collect()
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
