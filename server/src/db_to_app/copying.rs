//! Data of a COPY to the application: a message leaves as it came, unless a value opens in a row that
//! begins in it.

use std::ops::Range;

use bytes::BytesMut;
use control::OnRefused;
use wire::Header;
use wire::originate::Refusal;
use wire::row::{self, Fields, RowTooLong};

use super::rows::{Room, refusal};
use super::{DbToApp, Plan};
use crate::copy_out::{CopyOut, CopyRows, Look, Piece};
use crate::edits::Edits;
use crate::field;
use crate::metrics::Reason;
use crate::opener::{Opener, Outcome};
use crate::refusals;

impl DbToApp<'_> {
    pub(super) fn plan_copy(&mut self, header: Header, rest: &[u8]) -> Plan {
        let Some(copy) = &mut self.copy else {
            return Plan::Pass;
        };
        let look = copy.look(header, rest);
        let (Look::Enough(length) | Look::Wants(length)) = look;
        match (self.room(length), look) {
            (Room::There, Look::Enough(_)) => Plan::Copy { opens: true },
            (Room::There, Look::Wants(_)) | (Room::Wait, _) => Plan::Wait,
            (Room::None, _) => match self.plan_too_long() {
                Plan::Pass if rest.len() >= header.total() => Plan::Copy { opens: false },
                Plan::Pass => {
                    if let Some(copy) = &mut self.copy {
                        copy.passes(header);
                    }
                    Plan::Pass
                }
                plan => plan,
            },
        }
    }

    /// Opens what may be opened in the rows that begin in a CopyData, and are in it or in those
    /// `behind` it.
    pub(super) async fn copy_data(
        &mut self,
        body: &[u8],
        behind: &[u8],
        opens: bool,
        place: Range<usize>,
        edits: &mut Edits<'_>,
    ) {
        self.last_tag = b'd';
        let mut front = Front::new(body, place.clone(), edits);
        let refused = match self.copy.take() {
            None => None,
            Some(CopyOut::Unread) => {
                self.copy = Some(CopyOut::Unread);
                self.unread(body, 0, &mut front)
            }
            Some(CopyOut::Rows(mut rows)) => {
                let refused = if rows.pass_over(body) {
                    None
                } else {
                    // Of its own: an idle session has no room for what few messages need.
                    Box::pin(self.open_rows(&mut rows, behind, opens, &mut front)).await
                };
                self.copy = Some(CopyOut::Rows(rows));
                refused
            }
        };
        // PostgreSQL itself could not send a row that long.
        let too_long = front.finish().err().map(|_| &refusals::VALUE);
        if let Some(why) = refused.or(too_long) {
            self.refuse(place.end..place.end, why, edits);
        }
    }

    /// Of data of which it is not known how it is written nothing opens; that there may be something
    /// in it can be seen. It begins `at` in the message.
    fn unread(
        &self,
        data: &[u8],
        at: usize,
        front: &mut Front<'_, '_>,
    ) -> Option<&'static Refusal<'static>> {
        if !field::seems_sealed(data) {
            return None;
        }
        self.session.opener().count_refused(Reason::CopyUnread);
        if self.session.policy().on_refused == OnRefused::Ciphertext {
            return None;
        }
        front.end(at);
        Some(&refusals::VALUE)
    }

    async fn open_rows(
        &self,
        copy: &mut CopyRows,
        behind: &[u8],
        opens: bool,
        front: &mut Front<'_, '_>,
    ) -> Option<&'static Refusal<'static>> {
        let policy = self.session.policy();
        let opener = Opener {
            encoding: copy.encoding(),
            ..self.session.opener()
        };
        let body = front.body;
        let mut at = 0;
        while let Some(piece) = copy.next(body, &mut at, behind) {
            let (place, joined) = match piece {
                Piece::Row { place, joined } => (place, joined),
                Piece::Gone(place) => {
                    front.replace(place);
                    continue;
                }
            };
            let here = body.get(place.clone()).unwrap_or_default();
            let row = joined.as_deref().unwrap_or(here);
            if !opens || !copy.may_hold_envelopes(row) {
                continue;
            }
            let Some(read) = copy.rows().read(row) else {
                let refused = self.unread(row, place.start, front);
                if refused.is_some() {
                    return refused;
                }
                continue;
            };
            let Ok(fields) = Fields::parse(read.body()) else {
                continue;
            };
            match self.outcome(&opener, fields, copy.shape(), policy).await {
                Outcome::Unchanged | Outcome::KeysMissing(_) => {}
                Outcome::Refused { shredded } => {
                    front.end(place.start);
                    return Some(refusal(shredded));
                }
                Outcome::Changed(edits) => {
                    let out = front.replace(place);
                    copy.rows().write(row, &read, edits.iter(), out);
                    if joined.is_some() {
                        copy.rest_is_gone();
                    }
                }
            }
        }
        None
    }
}

/// The CopyData at the front on its way: as it came, until something in it is replaced.
struct Front<'f, 'i> {
    body: &'f [u8],
    /// The message's place in the input.
    place: Range<usize>,
    edits: &'f mut Edits<'i>,
    /// Where it begins among what leaves, once it is written anew.
    start: Option<usize>,
    /// How much of its body is written.
    done: usize,
}

impl<'f, 'i> Front<'f, 'i> {
    fn new(body: &'f [u8], place: Range<usize>, edits: &'f mut Edits<'i>) -> Self {
        Self {
            body,
            place,
            edits,
            start: None,
            done: 0,
        }
    }

    /// Leaves `part` of the body out; what is appended to the answer stands in its stead.
    fn replace(&mut self, part: Range<usize>) -> &mut BytesMut {
        let kept = self.body.get(self.done..part.start).unwrap_or_default();
        self.done = part.end;
        let out = match self.start {
            Some(_) => self.edits.replace(self.place.end..self.place.end),
            None => {
                let out = self.edits.replace(self.place.clone());
                self.start = Some(row::begin(b'd', out));
                out
            }
        };
        out.extend_from_slice(kept);
        out
    }

    /// The message ends where `at` was in its body.
    fn end(&mut self, at: usize) {
        self.replace(at..self.body.len());
    }

    /// Ends the message, which may have become too long to be one. Of nothing none is sent.
    fn finish(mut self) -> Result<(), RowTooLong> {
        let Some(start) = self.start else {
            return Ok(());
        };
        let end = self.body.len();
        let out = self.replace(end..end);
        if out.len() == start + Header::LEN {
            out.truncate(start);
            return Ok(());
        }
        row::finish(start, out)
    }
}
