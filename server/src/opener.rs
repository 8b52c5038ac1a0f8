//! One row in, one row out: the steps by which a sealed value opens, or is refused.
//!
//! Pure: it takes bytes and what is known of the session, and looks keys up in memory only. A key
//! that is not there is named to the caller, who fetches it and comes again. The steps that cost no
//! private key are in `steps`.

pub mod fuzzing;
pub mod steps;

use bytes::BytesMut;
use control::{OnRefused, ZoneMode};
use envelope::{
    Candidate, ClientId, Form, KeyId, Kind, Owner, PrivateKey, Schedule, Verdict, ZoneId,
};
use keystore::{KeyCache, OpenKey};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wire::row::{Fields, RowTooLong, RowWriter};
use zeroize::Zeroizing;

use crate::access::{Counting, Tallied};
use crate::encoding::Encoding;
use crate::field::{self, Tags};
use crate::metrics::{Metrics, Reason};
use crate::prospects::Prospect;
use crate::refusals::RefusalLog;
use crate::shape::Shape;

/// Private-key operations that may fail in one row; what else it holds is then refused untried, so
/// that a forged row cannot keep a processor busy.
const MAX_FAILURES: u32 = 64;

/// Keys that may have to be fetched from the store for one row, known or not; envelopes of further
/// ones are refused untried.
const MAX_FETCHED: usize = 1024;

/// The settings under which one row is opened, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Which kinds of owner are opened.
    pub zone_mode: ZoneMode,
    /// What becomes of what is not.
    pub on_refused: OnRefused,
}

/// What became of a row.
pub enum Outcome {
    /// Nothing in it changes: the message is forwarded as it came.
    Unchanged,
    /// Some of its fields do.
    Changed(RowEdits),
    /// A value in it is refused, and the query is to fail; `shredded` if that is all that is wrong
    /// with any of them.
    Refused {
        /// Every refused value was sealed to a key that has been destroyed.
        shredded: bool,
    },
    /// These keys are not in memory; nothing has been decided.
    KeysMissing(Vec<KeyId>),
}

/// The fields of a row that change, in order; `None` is NULL.
pub struct RowEdits(Vec<(usize, Option<Zeroizing<Vec<u8>>>)>);

impl RowEdits {
    /// The fields that change, and what they become.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Option<&[u8]>)> {
        let edits = self.0.iter();
        edits.map(|(index, edit)| (*index, edit.as_ref().map(|bytes| bytes.as_slice())))
    }

    /// Writes the row with its changes, as a message of the type it came in: DataRow, or
    /// FunctionCallResponse.
    ///
    /// # Errors
    /// It is longer than a message can be: escape output may be longer than what it opened from.
    pub fn write(&self, tag: u8, fields: Fields<'_>, out: &mut BytesMut) -> Result<(), RowTooLong> {
        let mut row = match tag {
            b'V' => RowWriter::begin_function_result(out),
            _ => RowWriter::begin(out, fields.count()),
        };
        let mut edits = self.iter().peekable();
        for (index, value) in fields.iter().enumerate() {
            let edit = edits.next_if(|(edited, _)| *edited == index);
            row.field(edit.map_or(value, |(_, edit)| edit))?;
        }
        row.finish()
    }
}

/// Keys fetched from the store for one row, and which were asked for: what was, and is not here,
/// the store does not have.
#[derive(Default)]
pub struct Fetched {
    /// Those that the store has.
    pub keys: HashMap<KeyId, Arc<OpenKey>>,
    /// Those that were asked for.
    pub asked: HashSet<KeyId>,
    /// Set when the store did not answer: a key that is not here may be there.
    pub unread: bool,
}

impl Fetched {
    /// Why a key that was asked for is not here.
    #[must_use]
    pub fn missing(&self) -> Reason {
        match self.unread {
            true => Reason::StoreSilent,
            false => Reason::UnknownKey,
        }
    }
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
    /// Where it is counted by owner.
    pub access: &'a Counting,
    /// What text is in this session.
    pub encoding: Encoding,
}

/// What one row has come to so far.
struct Tally<'a> {
    fetched: &'a Fetched,
    missing: Vec<KeyId>,
    failures: u32,
    operations: u32,
    opened_client: u64,
    opened_zone: u64,
    /// Refused for zone mode alone, as far as is known without their keys.
    withheld_client: u64,
    withheld_zone: u64,
    refused: Vec<Reason>,
    by_owner: Tallied,
}

impl<'a> Tally<'a> {
    fn new(fetched: &'a Fetched) -> Self {
        Self {
            fetched,
            missing: Vec::new(),
            failures: 0,
            operations: 0,
            opened_client: 0,
            opened_zone: 0,
            withheld_client: 0,
            withheld_zone: 0,
            refused: Vec::new(),
            by_owner: Tallied::default(),
        }
    }

    /// A key that is in neither place is either fetched first, or unknown.
    fn without_key(&mut self, id: KeyId) -> Reason {
        if self.fetched.asked.contains(&id) {
            return self.fetched.missing();
        }
        if self.fetched.asked.len() + self.missing.len() >= MAX_FETCHED {
            return Reason::Untried;
        }
        self.missing.push(id);
        Reason::UnknownKey
    }
}

impl Opener<'_> {
    /// Opens what may be opened in a row of this shape. Answers what became of it, and how many
    /// private-key operations it took: tens of microseconds each.
    #[must_use]
    pub fn open_row(
        &self,
        fields: Fields<'_>,
        shape: &Shape,
        policy: Policy,
        fetched: &Fetched,
    ) -> (Outcome, u32) {
        let mut tally = Tally::new(fetched);
        let mut tags = Tags::of(fields, shape);
        let mut edits = Vec::new();
        for (index, value) in fields.iter().enumerate() {
            let Some(value) = value else { continue };
            let (kind, format) = shape.column(index);
            let edit = field::open(value, kind, format, self.encoding, &mut |candidate| {
                let mut is_tagged = |zone: &ZoneId| {
                    candidate.tagged_in_field(zone)
                        || tags.stand_before(index, candidate.envelope.key_id(), zone)
                };
                self.judge(&candidate, &mut is_tagged, policy.zone_mode, &mut tally)
            });
            let stays = policy.on_refused == OnRefused::Ciphertext;
            if edit.too_long {
                tally.refused.push(Reason::RowTooLong);
            }
            match edit.bytes {
                _ if edit.refused && !stays => edits.push((index, None)),
                Some(bytes) => edits.push((index, Some(bytes))),
                None => {}
            }
        }
        if !tally.missing.is_empty() {
            return (Outcome::KeysMissing(tally.missing), tally.operations);
        }
        self.count(&tally);
        let outcome = if policy.on_refused == OnRefused::Error && !tally.refused.is_empty() {
            let shredded = tally.refused.iter().all(|why| *why == Reason::Shredded);
            Outcome::Refused { shredded }
        } else if edits.is_empty() {
            Outcome::Unchanged
        } else {
            Outcome::Changed(RowEdits(edits))
        };
        (outcome, tally.operations)
    }

    /// Opens a value, or refuses it, and counts it.
    fn judge(
        &self,
        candidate: &Candidate<'_>,
        is_tagged: &mut dyn FnMut(&ZoneId) -> bool,
        zone_mode: ZoneMode,
        tally: &mut Tally<'_>,
    ) -> Verdict {
        let key = self.key(candidate, tally);
        let owner = key.as_ref().ok().map(|key| key.owner.clone());
        let opened = key.and_then(|key| self.open(candidate, &key, is_tagged, zone_mode, tally));
        match (opened, owner) {
            (Ok(verdict), owner) => {
                if let Some(owner) = &owner {
                    tally.by_owner.opened(owner);
                }
                verdict
            }
            (Err(reason), owner) => {
                tally.by_owner.refused(owner.as_ref(), reason);
                tally.refused.push(reason);
                Verdict::Refused
            }
        }
    }

    /// The first of five steps; each must hold before the next, and the first four cost no
    /// private key: it is sealed to a key of ours.
    fn key(
        &self,
        candidate: &Candidate<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<Arc<OpenKey>, Reason> {
        // Of a suite and flags that are known, that is.
        steps::schedule_id(&candidate.envelope)?;
        let id = candidate.envelope.key_id();
        let fetched = tally.fetched.keys.get(&id).cloned();
        fetched
            .or_else(|| self.keys.get(id))
            .ok_or_else(|| tally.without_key(id))
    }

    /// The others.
    fn open(
        &self,
        candidate: &Candidate<'_>,
        key: &Arc<OpenKey>,
        is_tagged: &mut dyn FnMut(&ZoneId) -> bool,
        zone_mode: ZoneMode,
        tally: &mut Tally<'_>,
    ) -> Result<Verdict, Reason> {
        let envelope = &candidate.envelope;
        let schedule_id = steps::schedule_id(envelope)?;
        // 2. Zone mode opens this kind of owner. 3. The owner is this session's client, or lets it
        // open. 4. A zone's tag stands before it: in its field, or in an earlier one of the row.
        let looked = steps::look(key, self.client, zone_mode, is_tagged);
        if !looked.mode_opens() && looked.without_mode().is_none() {
            match key.owner.kind() {
                Kind::Client => tally.withheld_client += 1,
                Kind::Zone => tally.withheld_zone += 1,
            }
        }
        // 5. It opens.
        let steps::Allowed { private, tag } = looked.allowed()?;
        if tally.failures >= MAX_FAILURES {
            return Err(Reason::Untried);
        }
        let (schedule, fresh) = match self.keys.schedule(&schedule_id) {
            Some(schedule) => (schedule, false),
            None => (derive(candidate, &key.owner, private, tally)?, true),
        };
        let plaintext = schedule.open(envelope).map_err(|_| failed(tally))?;
        if fresh {
            // Only what has opened a value is kept: forged ones would push out the others.
            let id = envelope.key_id();
            self.keys.put_schedule(key, id, schedule_id, schedule);
        }
        self.keys.note_use(key);
        // And it can stand where it stands.
        if candidate.form == Form::Text && !self.encoding.admits(plaintext.expose_secret()) {
            return Err(Reason::NotText);
        }
        match tag {
            None => tally.opened_client += 1,
            Some(_) => tally.opened_zone += 1,
        }
        let tag = tag.cloned();
        Ok(Verdict::Opened { plaintext, tag })
    }

    fn count(&self, tally: &Tally<'_>) {
        self.metrics.opened_client.inc_by(tally.opened_client);
        self.metrics.opened_zone.inc_by(tally.opened_zone);
        let withheld = tally.withheld_client + tally.withheld_zone;
        self.metrics.prospects.add(Prospect {
            client: tally.opened_client + tally.withheld_client,
            zone: tally.opened_zone + tally.withheld_zone,
            never: (tally.refused.len() as u64).saturating_sub(withheld),
        });
        self.access.add(&tally.by_owner);
        self.log_refused(&tally.refused);
    }

    /// Counts a value that was refused without looking whose it is.
    pub fn count_refused(&self, reason: Reason) {
        let mut tallied = Tallied::default();
        tallied.refused(None, reason);
        self.access.add(&tallied);
        self.metrics.prospects.add(Prospect {
            never: 1,
            ..Prospect::default()
        });
        self.log_refused(&[reason]);
    }

    fn log_refused(&self, reasons: &[Reason]) {
        for reason in reasons {
            self.metrics.refused(*reason);
        }
        self.refusals.note(self.client, reasons);
    }
}

fn derive(
    candidate: &Candidate<'_>,
    owner: &Owner,
    private: &PrivateKey,
    tally: &mut Tally<'_>,
) -> Result<Arc<Schedule>, Reason> {
    tally.operations += 1;
    Schedule::derive(&candidate.envelope, owner, private)
        .map(Arc::new)
        .map_err(|_| failed(tally))
}

fn failed(tally: &mut Tally<'_>) -> Reason {
    tally.failures += 1;
    Reason::NotAuthentic
}

#[cfg(test)]
mod tests;
