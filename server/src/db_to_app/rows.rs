//! A row, and a function's result, which is a row of one field: whether it is read whole, and what it
//! becomes.

use std::ops::Range;
use std::sync::Arc;

use control::OnRefused;
use wire::Header;
use wire::description::Formats;
use wire::row::Fields;

use super::{DbToApp, Memory, Plan};
use crate::edits::Edits;
use crate::metrics::Reason;
use crate::opener::{Fetched, Opener, Outcome, Policy};
use crate::refusals;
use crate::session::Ended;
use crate::shape::Shape;

/// The memory of rows over this length is accounted for.
pub(super) const LONG_ROW: usize = 64 << 10;

/// Rows over this length are opened where they do not hold up other sessions: they have room for a
/// hundred private-key operations.
const BUSY_ROW: usize = 8 << 10;

/// Whether a row may be read whole.
pub(super) enum Room {
    /// It may.
    There,
    /// Memory for it must be found first.
    Wait,
    /// It is too long.
    None,
}

impl DbToApp<'_> {
    pub(super) fn plan_row(&mut self, header: Header, rest: &[u8]) -> Plan {
        let shape = match &self.rows {
            Some(shape) => shape,
            None => {
                let shape = self.session.flow.conversation().row_shape();
                let Some(count) = rest.get(Header::LEN..).and_then(<[u8]>::first_chunk) else {
                    // Without a count it is malformed, whatever its shape.
                    return match header.body {
                        ..2 => Plan::Open(shape),
                        2.. => Plan::Wait,
                    };
                };
                let refitted = shape.refit(u16::from_be_bytes(*count)).map(Arc::new);
                self.rows.insert(refitted.unwrap_or(shape))
            }
        };
        let shape = shape.clone();
        if !shape.may_hold_envelopes() {
            return Plan::Pass;
        }
        self.plan_open(header, shape)
    }

    /// The wire says no type of it, but the format that was asked for.
    pub(super) fn plan_function_result(&mut self, header: Header) -> Plan {
        let format = self.session.flow.conversation().function_format();
        self.plan_open(header, Arc::new(Shape::Untyped(Formats::All(format))))
    }

    fn plan_open(&mut self, header: Header, shape: Arc<Shape>) -> Plan {
        match self.room(header.total()) {
            Room::There => Plan::Open(shape),
            Room::Wait => Plan::Wait,
            Room::None => self.plan_too_long(),
        }
    }

    /// Whether so many bytes of messages may be read whole. Where there is room for them, there is
    /// until they are done with.
    pub(super) fn room(&mut self, length: usize) -> Room {
        let max_open_row = self.session.shared.limits.max_open_row();
        if length <= LONG_ROW && length <= max_open_row {
            return Room::There;
        }
        let wanted = match self.memory {
            Memory::For(_, enough) if length <= enough => return Room::There,
            Memory::Wanted(_) => return Room::Wait,
            // A row that goes on and on: not a few bytes more every time.
            Memory::For(_, before) => length.max((2 * before).min(max_open_row)),
            Memory::None => length,
            Memory::Refused => usize::MAX,
        };
        if wanted > max_open_row {
            self.memory = Memory::None;
            return Room::None;
        }
        self.memory = Memory::Wanted(wanted);
        Room::Wait
    }

    /// What becomes of a row that is too long to be opened.
    pub(super) fn plan_too_long(&self) -> Plan {
        match self.session.policy().on_refused {
            OnRefused::Ciphertext => {
                self.session.shared.metrics.long_rows_passed.inc();
                Plan::Pass
            }
            OnRefused::Null | OnRefused::Error => {
                self.session.opener().count_refused(Reason::RowTooLong);
                Plan::Refuse
            }
        }
    }

    /// Opens what may be opened in a row, wholly under the settings of this moment.
    pub(super) async fn open(
        &mut self,
        tag: u8,
        body: &[u8],
        shape: &Shape,
        place: Range<usize>,
        edits: &mut Edits<'_>,
    ) -> Result<(), Ended> {
        self.last_tag = tag;
        let fields = match tag {
            b'V' => Fields::of_function(body),
            _ => Fields::parse(body),
        };
        let fields = fields.map_err(Ended::Malformed)?;
        let (opener, policy) = (self.session.opener(), self.session.policy());
        match self.outcome(&opener, fields, shape, policy).await {
            Outcome::Unchanged | Outcome::KeysMissing(_) => {}
            Outcome::Refused { shredded } => self.refuse(place, refusal(shredded), edits),
            Outcome::Changed(row) => {
                let out = edits.replace(place.clone());
                if row.write(tag, fields, out).is_err() {
                    // PostgreSQL itself could not send a value that long.
                    self.refuse(place.end..place.end, &refusals::VALUE, edits);
                }
            }
        }
        Ok(())
    }

    /// What a row comes to, once its keys are there.
    pub(super) async fn outcome(
        &self,
        opener: &Opener<'_>,
        fields: Fields<'_>,
        shape: &Shape,
        policy: Policy,
    ) -> Outcome {
        let mut fetched = Fetched::default();
        loop {
            let open = || opener.open_row(fields, shape, policy, &fetched);
            let (outcome, operations) = if fields.len() > BUSY_ROW {
                tokio::task::block_in_place(open)
            } else {
                open()
            };
            // Private-key work adds up: other sessions get their turn.
            for _ in 0..=operations {
                tokio::task::consume_budget().await;
            }
            match outcome {
                Outcome::KeysMissing(missing) => {
                    self.session.shared.keys.fetch(missing, &mut fetched).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// What the application is told.
pub(super) fn refusal(shredded: bool) -> &'static wire::originate::Refusal<'static> {
    match shredded {
        true => &refusals::SHREDDED,
        false => &refusals::VALUE,
    }
}
