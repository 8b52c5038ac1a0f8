//! `GET /v1/audit` and `GET /v1/audit/verify`: the store's audit log, read to admins a part at a time,
//! and each part checked as it is read.
//!
//! Every entry is opened under the master key, and its hash taken anew. That the store holds what the
//! log says is `pgseal-keymaker audit verify`'s to check.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use control::{AuditEntry, AuditMark, AuditPage, AuditQuery, AuditVerified, MAX_AUDIT};
use keystore::{Anchor, Chain, Entry, Error, Store};
use serde_json::Value;
use tunnel::Identity;

use super::{Problem, admin};
use crate::shared::Shared;

/// How long one answer may look: whoever asks goes on from where it ended.
const PATIENCE: Duration = Duration::from_millis(250);

/// Entries that are read at once. Other questions to the store come in between.
const STRETCH: usize = 250;

/// What the bodies of an answer may come to, in bytes; one entry is always told.
const MAX_BODIES: usize = 1 << 20;

/// Faults that are told of in one answer.
const MAX_FAULTS: usize = 100;

/// What the log's head is, where its hash is another than that of the last entry.
const OTHER_HEAD: &str = "the audit log's head is not that of its last entry";

/// Entries, the newest first or in their order.
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditPage>, Problem> {
    admin(&identity, &shared, "reads the audit log")?;
    let Query(query) = query.map_err(wrong)?;
    let read = shared.keys.ask_promptly(move |store| read(store, &query));
    let (head, read) = read.await?;
    Ok(Json(AuditPage {
        server: shared.id.clone(),
        head,
        entries: read.entries,
        next: read.next,
        faults: read.faults,
    }))
}

/// The next stretch of the log, checked.
pub async fn verify(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    query: Result<Query<AuditMark>, QueryRejection>,
) -> Result<Json<AuditVerified>, Problem> {
    admin(&identity, &shared, "verifies the audit log")?;
    let Query(mark) = query.map_err(wrong)?;
    let after = Anchor {
        number: mark.number,
        hash: mark.hash,
    };
    let checked = shared.keys.ask_promptly(move |store| check(store, after));
    let (to, head, faults) = checked.await?;
    Ok(Json(AuditVerified {
        server: shared.id.clone(),
        to,
        head,
        faults,
    }))
}

fn wrong(error: QueryRejection) -> Problem {
    Problem(StatusCode::BAD_REQUEST, error.body_text())
}

/// What was found so far.
#[derive(Default)]
struct Read {
    entries: Vec<AuditEntry>,
    bodies: usize,
    next: Option<u64>,
    faults: Vec<String>,
}

fn read(store: &Store, query: &AuditQuery) -> Result<(AuditMark, Read), Error> {
    let head = store.audit_end()?;
    let read = match query.after {
        Some(after) => forwards(store, query, after, &head)?,
        None => backwards(store, query, &head)?,
    };
    Ok((mark(&head), read))
}

/// Entries after a number, in their order.
fn forwards(store: &Store, query: &AuditQuery, after: u64, head: &Anchor) -> Result<Read, Error> {
    let (begun, mut read, mut chain) = (Instant::now(), Read::default(), Chain::part(None));
    let mut after = after;
    loop {
        let mut stretch = read.stretch(store, after)?;
        stretch.retain(|entry| entry.number <= head.number);
        if stretch.is_empty() {
            let cut = after < head.number;
            read.blame(cut.then(|| removed(after + 1, head.number)));
            return Ok(read);
        }
        for entry in &stretch {
            if !read.take(entry, query) {
                read.next = Some(after);
                return Ok(read);
            }
            after = entry.number;
            read.blame(chain.take(entry));
        }
        if begun.elapsed() >= PATIENCE {
            read.next = Some(after);
            return Ok(read);
        }
    }
}

/// Entries before a number, the newest first. They are read in stretches that end there.
fn backwards(store: &Store, query: &AuditQuery, head: &Anchor) -> Result<Read, Error> {
    let (begun, mut read) = (Instant::now(), Read::default());
    let mut before = query
        .before
        .unwrap_or(u64::MAX)
        .min(head.number.saturating_add(1));
    // The first entry of the stretch that was read last, which is to follow this one.
    let mut newer: Option<Entry> = None;
    while before > 1 {
        let after = (before - 1).saturating_sub(STRETCH as u64);
        let mut stretch = read.stretch(store, after)?;
        stretch.retain(|entry| entry.number < before);
        let end = (before > head.number).then_some(head);
        read.blame_all(&stretch, after, newer.as_ref(), end);
        for entry in stretch.iter().rev() {
            if !read.take(entry, query) {
                read.next = Some(entry.number + 1);
                return Ok(read);
            }
        }
        newer = stretch.into_iter().next().or(newer);
        before = after + 1;
        if before > 1 && begun.elapsed() >= PATIENCE {
            read.next = Some(before);
            return Ok(read);
        }
    }
    Ok(read)
}

impl Read {
    /// Entries that follow this number, a stretch of them at most. What stands there and is none is blamed,
    /// and passed over.
    fn stretch(&mut self, store: &Store, after: u64) -> Result<Vec<Entry>, Error> {
        match store.audit(after, STRETCH) {
            Err(Error::Altered { .. } | Error::UnknownForm { .. }) => {}
            read => return read,
        }
        let (mut entries, mut at) = (Vec::new(), after);
        while at < after.saturating_add(STRETCH as u64) {
            match store.audit(at, 1) {
                Ok(mut found) => {
                    let Some(entry) = found.pop() else { break };
                    at = entry.number;
                    entries.push(entry);
                }
                Err(error @ (Error::Altered { .. } | Error::UnknownForm { .. })) => {
                    at += 1;
                    let fault = error.to_string();
                    if self.faults.last() != Some(&fault) {
                        self.blame(Some(fault));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    /// Takes an entry, if it is one that is asked for. False if there is no more room for it.
    fn take(&mut self, entry: &Entry, query: &AuditQuery) -> bool {
        if !is_asked_for(entry, query) {
            return true;
        }
        let most = query.limit.unwrap_or(MAX_AUDIT).clamp(1, MAX_AUDIT);
        let bodies = self.bodies + entry.body.len();
        if self.entries.len() >= most || bodies > MAX_BODIES && !self.entries.is_empty() {
            return false;
        }
        self.bodies = bodies;
        self.entries.push(AuditEntry {
            number: entry.number,
            hash: entry.hash.clone(),
            body: entry.body.clone(),
        });
        true
    }

    fn blame(&mut self, fault: Option<String>) {
        self.faults
            .extend(fault.filter(|_| self.faults.len() < MAX_FAULTS));
    }

    /// Goes along a stretch, from whatever is after entry `after` to what was read before it, or to the
    /// log's end where it is to lead there.
    fn blame_all(
        &mut self,
        stretch: &[Entry],
        after: u64,
        newer: Option<&Entry>,
        end: Option<&Anchor>,
    ) {
        let mut chain = match after {
            0 => Chain::whole(None),
            _ => Chain::part(None),
        };
        for entry in stretch.iter().chain(newer) {
            self.blame(chain.take(entry));
        }
        match (end, chain.last()) {
            (Some(end), Some(last)) if last.number < end.number => {
                let removed = removed(last.number + 1, end.number);
                self.blame(Some(removed));
            }
            (Some(end), None) => self.blame(Some(removed(after + 1, end.number))),
            (Some(end), Some(last)) if last != end => self.blame(Some(OTHER_HEAD.into())),
            _ => {}
        }
    }
}

fn is_asked_for(entry: &Entry, query: &AuditQuery) -> bool {
    let at = entry.at.seconds();
    let is_then =
        query.since.is_none_or(|since| at >= since) && query.until.is_none_or(|until| at < until);
    let by = query.by.as_deref().unwrap_or_default();
    if !is_then || !entry.by.contains(by) {
        return false;
    }
    let (event, about) = (query.event.as_deref(), query.about.as_deref());
    if event.is_none() && about.is_none() {
        return true;
    }
    let what = serde_json::to_value(&entry.event).expect("an event is text and numbers");
    event.is_none_or(|event| what["event"] == event) && about.is_none_or(|id| names(&what, id))
}

/// Whether a field of an event is this text, or ends with it behind a slash.
fn names(what: &Value, text: &str) -> bool {
    match what {
        Value::String(field) => {
            let rest = field.strip_suffix(text);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        }
        Value::Array(all) => all.iter().any(|one| names(one, text)),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, field)| name != "event" && names(field, text)),
        _ => false,
    }
}

/// Goes along the log from an entry that was seen before, for as long as one answer may take.
fn check(store: &Store, after: Anchor) -> Result<(AuditMark, AuditMark, Vec<String>), Error> {
    let (begun, head) = (Instant::now(), store.audit_end()?);
    let mut read = Read::default();
    if after.number > head.number || after.number == head.number && after != head {
        let number = after.number;
        let fault = format!("audit entry {number} is not there any more as it was seen before");
        return Ok((mark(&head), mark(&head), vec![fault]));
    }
    let mut chain = Chain::after(after.clone());
    let mut to = after;
    while to.number < head.number {
        let mut stretch = read.stretch(store, to.number)?;
        stretch.retain(|entry| entry.number <= head.number);
        let Some(last) = stretch.last() else {
            read.blame(Some(removed(to.number + 1, head.number)));
            to = head.clone();
            break;
        };
        to = Anchor {
            number: last.number,
            hash: last.hash.clone(),
        };
        for entry in &stretch {
            read.blame(chain.take(entry));
        }
        if begun.elapsed() >= PATIENCE {
            break;
        }
    }
    if to.number == head.number && to != head {
        read.blame(Some(OTHER_HEAD.into()));
        to = head.clone();
    }
    let goes_on = || Ok::<_, Error>(!store.audit(head.number, 1)?.is_empty());
    if to == head && goes_on()? && store.audit_end()? == head {
        let number = head.number;
        let fault = format!("the audit log's head was put back: it goes on after entry {number}");
        read.blame(Some(fault));
    }
    Ok((mark(&to), mark(&head), read.faults))
}

fn removed(first: u64, last: u64) -> String {
    format!("audit entries {first} to {last} were removed")
}

fn mark(anchor: &Anchor) -> AuditMark {
    AuditMark {
        number: anchor.number,
        hash: anchor.hash.clone(),
    }
}

#[cfg(test)]
mod tests;
