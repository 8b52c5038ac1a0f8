//! The chain of hashes that holds the audit log together, in a store or in an export.

use crate::record::{Entry, HeadBody};

/// An entry that was seen before, kept apart from the store: proof against a log that was put back
/// as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The entry's number.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

impl From<&HeadBody> for Anchor {
    fn from(head: &HeadBody) -> Self {
        Anchor {
            number: head.count,
            hash: head.hash.clone(),
        }
    }
}

/// Goes along the entries of a log in their order, and tells what does not fit.
pub struct Chain {
    /// The entry before the next one; `None` if any may be the first.
    last: Option<Anchor>,
    /// What is still to be found.
    anchor: Option<Anchor>,
}

impl Chain {
    /// Of a whole log, which begins with entry 1, and is to lead past `anchor`.
    pub fn whole(anchor: Option<&Anchor>) -> Self {
        Chain {
            last: Some(Anchor::from(&HeadBody::default())),
            anchor: anchor.cloned(),
        }
    }

    /// Of a part of a log, which may begin with any entry.
    pub fn part(anchor: Option<&Anchor>) -> Self {
        Chain {
            last: None,
            anchor: anchor.cloned(),
        }
    }

    /// Of a part of a log that follows an entry that was checked already; 64 zeros are the hash of
    /// number 0, before the first.
    pub fn after(entry: Anchor) -> Self {
        Chain {
            last: Some(entry),
            anchor: None,
        }
    }

    /// Takes the next entry. Answers what is wrong with it, in one line.
    pub fn take(&mut self, entry: &Entry) -> Option<String> {
        let before = Anchor {
            number: entry.number.saturating_sub(1),
            hash: entry.previous.clone(),
        };
        let this = Anchor {
            number: entry.number,
            hash: entry.hash.clone(),
        };
        let is_it = |anchor: &Anchor| *anchor == before || *anchor == this;
        if self.anchor.as_ref().is_some_and(is_it) {
            self.anchor = None;
        }
        let last = self.last.replace(this)?;
        let (number, next) = (entry.number, last.number.saturating_add(1));
        if number == next {
            let follows = entry.previous == last.hash;
            return (!follows)
                .then(|| format!("audit entry {number} does not follow the one before it"));
        }
        Some(if number < next {
            format!("audit entry {number} stands after entry {}", last.number)
        } else if number == next + 1 {
            format!("audit entry {next} was removed")
        } else {
            format!("audit entries {next} to {} were removed", number - 1)
        })
    }

    /// The last entry taken; `None` if there was none.
    pub fn last(&self) -> Option<&Anchor> {
        self.last.as_ref().filter(|last| last.number > 0)
    }

    /// What is wrong with the log as a whole, in one line: it has not led past the anchor.
    pub fn end(&self) -> Option<String> {
        let anchor = self.anchor.as_ref()?;
        Some(format!(
            "audit entry {} is not the one that was seen before: the log was put back or written anew",
            anchor.number
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{AuditBody, Event, Timestamp};

    /// A log of four entries, each with its own hash and that of the one before.
    fn log() -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for number in 1..=4 {
            let previous = entries
                .last()
                .map_or("0".repeat(64), |last| last.hash.clone());
            let body = AuditBody {
                number,
                at: Timestamp::from_seconds(number).unwrap(),
                by: "a test".into(),
                event: Event::MasterRotated { to: "x".into() },
                previous,
            };
            let body = serde_json::to_vec(&body).unwrap();
            entries.push(Entry::from_body(&body).unwrap());
        }
        entries
    }

    fn anchor(entry: &Entry) -> Anchor {
        Anchor {
            number: entry.number,
            hash: entry.hash.clone(),
        }
    }

    fn faults(mut chain: Chain, entries: &[Entry]) -> Vec<String> {
        let mut faults: Vec<_> = entries.iter().filter_map(|one| chain.take(one)).collect();
        faults.extend(chain.end());
        faults
    }

    #[test]
    fn a_whole_log_and_any_part_of_it_have_no_fault() {
        let log = log();
        for known in log.iter().map(anchor) {
            assert!(faults(Chain::whole(Some(&known)), &log).is_empty());
        }
        for from in 0..4 {
            // Of the entry before the part, the hash is known to it too.
            let known = anchor(&log[from.max(1) - 1]);
            assert!(faults(Chain::part(Some(&known)), &log[from..]).is_empty());
        }
        assert_eq!(
            faults(Chain::whole(None), &log[1..]),
            ["audit entry 1 was removed"]
        );
        let after_two = || Chain::after(anchor(&log[1]));
        assert!(faults(after_two(), &log[2..]).is_empty());
        assert_eq!(
            faults(after_two(), &log[3..]),
            ["audit entry 3 was removed"]
        );
        let other = Anchor {
            hash: "0".repeat(64),
            ..anchor(&log[1])
        };
        assert_eq!(
            faults(Chain::after(other), &log[2..]),
            ["audit entry 3 does not follow the one before it"]
        );
    }

    #[test]
    fn removed_exchanged_and_edited_entries_are_told() {
        let log = log();
        let [one, two, three, four] = &log[..] else {
            unreachable!("there are four");
        };
        let part = |entries: &[&Entry]| {
            let entries: Vec<_> = entries.iter().copied().cloned().collect();
            faults(Chain::part(None), &entries)
        };
        assert_eq!(part(&[one, three, four]), ["audit entry 2 was removed"]);
        assert_eq!(part(&[one, four]), ["audit entries 2 to 3 were removed"]);
        assert_eq!(
            part(&[one, three, two, four]),
            [
                "audit entry 2 was removed",
                "audit entry 2 stands after entry 3",
                "audit entry 3 was removed"
            ]
        );
        let edited = Entry::from_body(two.body.replace("a test", "b test").as_bytes()).unwrap();
        assert_eq!(
            part(&[one, &edited, three]),
            ["audit entry 3 does not follow the one before it"]
        );
        let known = anchor(two);
        let said = faults(Chain::part(Some(&known)), &[edited]);
        assert!(said[0].starts_with("audit entry 2 is not the one that was seen before"));
    }
}
