//! One row in, one row out: the steps by which a sealed value opens, or is refused.
//!
//! Pure: it takes bytes and what is known of the session, and looks keys up in memory only. A key
//! that is not there is named to the caller, who fetches it and comes again.

use bytes::BytesMut;
use control::{OnRefused, ZoneMode};
use envelope::{Candidate, ClientId, KeyId, Kind, Owner, Schedule, Verdict};
use keystore::{KeyCache, OpenKey};
use std::sync::Arc;
use wire::row::{Fields, RowWriter};

use crate::field::{self, Earlier, Opened};
use crate::metrics::{Metrics, Reason};
use crate::refusals::RefusalLog;
use crate::shape::Shape;

/// Private-key operations that may fail in one row; what else it holds is then refused untried, so
/// that a forged row cannot keep a processor busy.
const MAX_FAILURES: u32 = 64;

/// The settings under which one row is opened, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Which kinds of owner are opened.
    pub zone_mode: ZoneMode,
    /// What becomes of what is not.
    pub on_refused: OnRefused,
}

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing in it changes: the message is forwarded as it came.
    Unchanged,
    /// A message in its place has been appended to the buffer.
    Rewritten,
    /// A value in it is refused, and the query is to fail.
    Refused,
    /// These keys are not in memory; nothing has been decided.
    KeysMissing(Vec<KeyId>),
}

/// Opens rows for one session.
pub struct Opener<'a> {
    /// Whose session it is.
    pub client: &'a ClientId,
    /// The keys in memory.
    pub keys: &'a KeyCache,
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// Where it is said what was refused.
    pub refusals: &'a RefusalLog,
}

/// What one row has come to so far.
struct Tally {
    missing: Vec<KeyId>,
    failures: u32,
    opened_client: u64,
    opened_zone: u64,
    refused: Vec<Reason>,
}

impl Opener<'_> {
    /// Opens what may be opened in a row of this shape, and appends the new row to `out` when it
    /// is another than before. With `keys_are_final`, a key that is not in memory is not in the
    /// store.
    #[must_use]
    pub fn open_row(
        &self,
        fields: Fields<'_>,
        shape: &Shape,
        policy: Policy,
        keys_are_final: bool,
        out: &mut BytesMut,
    ) -> Outcome {
        let start = out.len();
        let mut tally = Tally {
            missing: Vec::new(),
            failures: 0,
            opened_client: 0,
            opened_zone: 0,
            refused: Vec::new(),
        };
        let mut edits = Vec::new();
        for (index, value) in fields.iter().enumerate() {
            let Some(value) = value else { continue };
            let (kind, format) = shape.column(index);
            let earlier = Earlier::new(fields, shape, index);
            let edit = field::open(value, kind, format, |candidate| {
                self.judge(&candidate, &earlier, policy.zone_mode, &mut tally)
            });
            match edit {
                Opened::Unchanged => {}
                Opened::Changed { bytes, refused } if !refused => edits.push((index, Some(bytes))),
                Opened::Changed { bytes, .. } if policy.on_refused == OnRefused::Ciphertext => {
                    edits.push((index, Some(bytes)));
                }
                Opened::Refused if policy.on_refused == OnRefused::Ciphertext => {}
                Opened::Changed { .. } | Opened::Refused => edits.push((index, None)),
            }
        }
        if !tally.missing.is_empty() && !keys_are_final {
            return Outcome::KeysMissing(tally.missing);
        }
        self.count(&tally);
        if policy.on_refused == OnRefused::Error && !tally.refused.is_empty() {
            return Outcome::Refused;
        }
        if edits.is_empty() {
            return Outcome::Unchanged;
        }
        let mut row = RowWriter::begin(out, fields.count());
        let mut edits = edits.into_iter().peekable();
        for (index, value) in fields.iter().enumerate() {
            let edit = edits.next_if(|(edited, _)| *edited == index);
            let value = edit
                .as_ref()
                .map_or(value, |(_, bytes)| bytes.as_ref().map(|b| b.as_slice()));
            // A row only gets shorter by opening, so it fits where it fitted before.
            if row.field(value).is_err() {
                out.truncate(start);
                return Outcome::Unchanged;
            }
        }
        match row.finish() {
            Ok(()) => Outcome::Rewritten,
            Err(_) => Outcome::Unchanged,
        }
    }

    fn judge(
        &self,
        candidate: &Candidate<'_>,
        earlier: &Earlier<'_>,
        zone_mode: ZoneMode,
        tally: &mut Tally,
    ) -> Verdict {
        self.open(candidate, earlier, zone_mode, tally)
            .unwrap_or_else(|reason| {
                tally.refused.push(reason);
                Verdict::Refused
            })
    }

    /// The five steps. The first four cost no private key; each must hold before the next.
    fn open(
        &self,
        candidate: &Candidate<'_>,
        earlier: &Earlier<'_>,
        zone_mode: ZoneMode,
        tally: &mut Tally,
    ) -> Result<Verdict, Reason> {
        let envelope = &candidate.envelope;
        let schedule_id = envelope.schedule_id().map_err(|_| Reason::Unsupported)?;

        // 1. It is sealed to a key of ours.
        let Some(key) = self.keys.get(envelope.key_id()) else {
            tally.missing.push(envelope.key_id());
            return Err(Reason::UnknownKey);
        };
        // 2. Zone mode opens this kind of owner.
        match (zone_mode, key.owner.kind()) {
            (ZoneMode::Mixed, _) | (ZoneMode::Off, Kind::Client) | (ZoneMode::On, Kind::Zone) => {}
            _ => return Err(Reason::ZoneMode),
        }
        // 3. The owner is this session's client, or lets it open.
        if !key.permits(self.client) {
            return Err(Reason::NotPermitted);
        }
        // 4. A zone's tag stands before it: in its field, or in an earlier one of the row.
        let tag = match &key.owner {
            Owner::Client(_) => None,
            Owner::Zone(zone) if candidate.tagged_in_field(zone) || earlier.hold(zone) => {
                Some(zone.clone())
            }
            Owner::Zone(_) => return Err(Reason::NotTagged),
        };
        // 5. It opens.
        if tally.failures >= MAX_FAILURES {
            return Err(Reason::Untried);
        }
        let (schedule, fresh) = match self.keys.schedule(&schedule_id) {
            Some(schedule) => (schedule, false),
            None => (derive(candidate, &key, tally)?, true),
        };
        let plaintext = schedule.open(envelope).map_err(|_| failed(tally))?;
        if fresh {
            // Only what has opened a value is kept: forged ones would push out the others.
            self.keys.put_schedule(&key, schedule_id, schedule);
        }
        match tag {
            None => tally.opened_client += 1,
            Some(_) => tally.opened_zone += 1,
        }
        Ok(Verdict::Opened { plaintext, tag })
    }

    fn count(&self, tally: &Tally) {
        self.metrics.opened_client.inc_by(tally.opened_client);
        self.metrics.opened_zone.inc_by(tally.opened_zone);
        self.count_refused(&tally.refused);
    }

    /// Counts refused values, and says so in the log.
    pub fn count_refused(&self, reasons: &[Reason]) {
        for reason in reasons {
            self.metrics.refused(*reason);
        }
        self.refusals.note(self.client, reasons);
    }
}

fn derive(
    candidate: &Candidate<'_>,
    key: &OpenKey,
    tally: &mut Tally,
) -> Result<Arc<Schedule>, Reason> {
    Schedule::derive(&candidate.envelope, &key.owner, &key.private)
        .map(Arc::new)
        .map_err(|_| failed(tally))
}

fn failed(tally: &mut Tally) -> Reason {
    tally.failures += 1;
    Reason::NotAuthentic
}

#[cfg(test)]
mod tests;
