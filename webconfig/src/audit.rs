//! The audit log, as servers read it: pages of it, its export, what was done to settings, and whether it
//! is whole. Servers check it, for they have the store; here is remembered how far that has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use control::{AuditEntry, AuditMark, AuditPage, AuditQuery};

use crate::asking::{NotDone, look};
use crate::fleet::Fleet;

/// How long entries are looked for, for one page.
const PATIENCE: Duration = Duration::from_secs(1);

/// Faults that are remembered.
const MAX_FAULTS: usize = 100;

/// Changes of settings that are remembered.
const MAX_CHANGES: usize = 500;

/// What is remembered of the log.
#[derive(Default)]
pub struct Audit {
    verified: Mutex<Verified>,
    history: Mutex<History>,
}

/// How far the log was verified.
#[derive(Clone)]
pub struct Verified {
    /// The last entry of the part that was, from the first on.
    pub to: AuditMark,
    /// The number of the log's last entry, as it was known then.
    pub end: u64,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// Who did it last, and when it was through.
    pub by: Option<(String, SystemTime)>,
    /// Why it does not go on.
    pub problem: Option<String>,
    /// It is being done.
    pub running: bool,
}

/// The changes of settings.
#[derive(Clone, Default)]
pub struct History {
    /// The number of the settings then.
    pub number: u64,
    /// The entry up to which the log was read.
    to: u64,
    /// The entries, the newest first.
    pub entries: Vec<AuditEntry>,
    /// There were earlier ones.
    pub has_more: bool,
}

impl Default for Verified {
    fn default() -> Self {
        Self {
            to: AuditMark::beginning(),
            end: 0,
            faults: Vec::new(),
            by: None,
            problem: None,
            running: false,
        }
    }
}

impl Audit {
    /// How far the log was verified.
    #[must_use]
    pub fn verified(&self) -> Verified {
        self.lock().clone()
    }

    /// Has the servers verify what was not yet, in the background; one at a time. `anew` begins with the
    /// first entry, and goes on telling what was wrong: what shows only beside what was seen before is not
    /// found twice.
    pub fn verify(self: &Arc<Self>, fleet: &Arc<Fleet>, anew: bool) {
        {
            let mut verified = self.lock();
            if verified.running {
                return;
            }
            if anew {
                *verified = Verified {
                    faults: std::mem::take(&mut verified.faults),
                    ..Verified::default()
                };
            }
            verified.running = true;
        }
        let (audit, fleet) = (self.clone(), fleet.clone());
        tokio::spawn(async move {
            let problem = audit.verify_on(&fleet).await.err();
            let mut verified = audit.lock();
            verified.running = false;
            verified.problem = problem.map(|error| error.to_string());
            drop(verified);
            fleet.has_changed();
        });
    }

    async fn verify_on(&self, fleet: &Fleet) -> Result<(), NotDone> {
        loop {
            let from = self.lock().to.clone();
            let part = look(fleet, |client| {
                let from = from.clone();
                async move { client.verify_audit(&from).await }
            })
            .await?;
            let is_through = part.to.number >= part.head.number;
            if !part.faults.is_empty() {
                tracing::error!(
                    faults = part.faults.len(),
                    first = part.faults.first(),
                    "the audit log has faults"
                );
            }
            {
                let mut verified = self.lock();
                let room = MAX_FAULTS.saturating_sub(verified.faults.len());
                let known = verified.faults.clone();
                let new = part.faults.into_iter().filter(|it| !known.contains(it));
                verified.faults.extend(new.take(room));
                verified.to = part.to;
                verified.end = part.head.number;
                verified.by = is_through.then(|| (part.server, SystemTime::now()));
            }
            fleet.has_changed();
            if is_through {
                return Ok(());
            }
        }
    }

    /// The changes of settings, the newest first, for settings of this number. Those that are remembered
    /// are not read again.
    pub async fn history(&self, fleet: &Fleet, number: u64) -> Result<History, NotDone> {
        let mut history = self.lock_history().clone();
        if history.number == number {
            return Ok(history);
        }
        let is_later = 0 < history.number && history.number < number;
        let query = AuditQuery {
            after: is_later.then_some(history.to),
            event: Some("setting-changed".into()),
            limit: Some(MAX_CHANGES),
            ..AuditQuery::default()
        };
        let mut page = find(fleet, query).await?;
        if is_later {
            page.entries.reverse();
            page.entries.append(&mut history.entries);
            // What was not come to is found the next time.
            history.to = page.next.unwrap_or(page.head.number);
        } else {
            // The number counts the changes.
            history.has_more = page.next.is_some() && (page.entries.len() as u64) < number;
            history.to = page.head.number;
        }
        if !is_later || page.next.is_none() {
            history.number = number;
        }
        history.has_more |= page.entries.len() > MAX_CHANGES;
        history.entries = page.entries;
        history.entries.truncate(MAX_CHANGES);
        *self.lock_history() = history.clone();
        Ok(history)
    }

    fn lock(&self) -> MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page of entries. Servers look for a while in each answer; here that is done until enough was
/// found, or it has taken long.
pub async fn find(fleet: &Fleet, mut query: AuditQuery) -> Result<AuditPage, NotDone> {
    let (begun, wanted) = (Instant::now(), query.limit);
    let mut page = read(fleet, &query).await?;
    while let Some(next) = page.next.filter(|_| begun.elapsed() < PATIENCE) {
        let left = wanted.map(|wanted| wanted.saturating_sub(page.entries.len()));
        if left.is_none_or(|left| left == 0) {
            break;
        }
        query.limit = left;
        match query.after {
            Some(_) => query.after = Some(next),
            None => query.before = Some(next),
        }
        let more = read(fleet, &query).await?;
        page.entries.extend(more.entries);
        page.faults.extend(more.faults);
        page.next = more.next;
        page.head = more.head;
    }
    Ok(page)
}

/// One answer.
pub async fn read(fleet: &Fleet, query: &AuditQuery) -> Result<AuditPage, NotDone> {
    look(fleet, |client| {
        let query = query.clone();
        async move { client.audit(&query).await }
    })
    .await
}
