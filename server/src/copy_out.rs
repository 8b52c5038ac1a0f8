//! The data of one COPY to the application: which rows its messages hold, and where a row ends that
//! its message does not end.
//!
//! PostgreSQL sends a row in a message of its own; the protocol lets it be cut anywhere. So a message
//! waits until every row that begins in it is whole, and leaves with all of them. What opens, and what
//! becomes of what does not, is `db_to_app::copying`'s.

use std::ops::Range;
use std::sync::Arc;

use wire::Header;
use wire::copy::{Form, Options, Part, Place, Response, Rows};
use wire::description::{Format, Formats};

use crate::encoding::Encoding;
use crate::shape::Shape;

/// The COPY whose data comes.
pub enum CopyOut {
    /// It is known how its rows are written.
    Rows(Box<CopyRows>),
    /// It is not.
    Unread,
}

/// The rows of a COPY, from the message at the front on.
pub struct CopyRows {
    rows: Rows,
    shape: Shape,
    encoding: Encoding,
    /// How far the data is done with.
    place: Place,
    /// What becomes of the rest of the row that `place` is in.
    rest: Rest,
    /// How far the end of the last row has been looked for that begins in the message at the front.
    looked: Option<(Place, usize)>,
    /// Where the message at the front leads to, if its rows begin and end in it.
    behind: Option<Place>,
    /// Bytes still to come of a message that goes by in pieces: of its header, and of all of it.
    passing: (usize, usize),
}

/// What becomes of the rest of a row that is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// There is no such row.
    None,
    /// It follows as it came.
    Stays,
    /// It has left, in the message in which the row begins.
    Gone,
}

/// Whether it can be decided on all rows that begin in the message at the front.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// So many bytes from the front are enough.
    Enough(usize),
    /// At least so many must be there.
    Wants(usize),
}

/// What is to be decided on in the message at the front.
pub enum Piece {
    /// It is left out, for it has left already.
    Gone(Range<usize>),
    /// A row. Where it goes on in the messages behind, all of it is in `joined`.
    Row {
        /// What of it is in this message.
        place: Range<usize>,
        /// All of it, if that is more.
        joined: Option<Vec<u8>>,
    },
}

impl CopyOut {
    /// From the body of a CopyOutResponse, and what the statement said if it was read, in a session
    /// with this encoding.
    pub fn begin(body: &[u8], options: Option<Arc<Options>>, session: Encoding) -> Self {
        let Ok(response) = Response::parse(body) else {
            return Self::Unread;
        };
        // Of binary data there is nothing to be said.
        let options = options.or_else(|| {
            let (form, encoding) = (Form::Binary, None);
            (response.format == Format::Binary).then(|| Arc::new(Options { form, encoding }))
        });
        let named = options.as_ref().and_then(|it| it.encoding.as_deref());
        let encoding = match response.format {
            Format::Text => named.map_or(session, Encoding::named),
            // Values of it are sent as in DataRows.
            Format::Binary => session,
        };
        let is_readable = response.format == Format::Binary || encoding.shows_structure();
        let rows = options.map(|options| Rows::new(options, response.columns));
        match rows.filter(|rows| is_readable && rows.format() == response.format) {
            None => Self::Unread,
            Some(rows) => Self::Rows(Box::new(CopyRows {
                encoding,
                shape: Shape::Untyped(Formats::All(response.format)),
                place: rows.beginning(),
                rows,
                rest: Rest::None,
                looked: None,
                behind: None,
                passing: (0, 0),
            })),
        }
    }

    /// Looks at the CopyData at the front of `input`, and at what is behind it.
    pub fn look(&mut self, header: Header, input: &[u8]) -> Look {
        let whole = header.total();
        match self {
            _ if input.len() < whole => Look::Wants(whole),
            Self::Unread => Look::Enough(whole),
            Self::Rows(rows) => rows.look(header, input),
        }
    }

    /// The CopyData at the front goes by in pieces, and no row in it is opened.
    pub fn passes(&mut self, header: Header) {
        if let Self::Rows(rows) = self {
            rows.looked = None;
            rows.passing = (Header::LEN, header.total());
        }
    }

    /// Takes note of bytes of a message that goes by in pieces.
    pub fn passed(&mut self, piece: &[u8]) {
        if let Self::Rows(rows) = self {
            rows.passed(piece);
        }
    }
}

impl CopyRows {
    /// By what rules rows are read and written.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// What is known of a row's fields.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What its text is in.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// False when there is no envelope in these bytes of rows.
    pub fn may_hold_envelopes(&self, bytes: &[u8]) -> bool {
        !self.rows.keep_words() || self.shape.markers().may_stand_in(bytes)
    }

    fn look(&mut self, header: Header, input: &[u8]) -> Look {
        self.behind = None;
        let (mut place, mut at) = match self.looked {
            Some(looked) => looked,
            None => {
                let body = input.get(Header::LEN..header.total()).unwrap_or_default();
                let (mut place, mut rest) = (self.place, body);
                while let Some((end, _)) = self.rows.next(&mut place, rest) {
                    rest = rest.get(end..).unwrap_or_default();
                }
                let is_decided = self.rest != Rest::None && rest.len() == body.len();
                if place.is_between_rows() && self.rest == Rest::None {
                    self.behind = Some(place);
                }
                if place.is_between_rows() || place.is_lost() || is_decided {
                    return Look::Enough(header.total());
                }
                (place, header.total())
            }
        };
        loop {
            let behind = input.get(at..).unwrap_or_default();
            let header = match Header::parse(behind) {
                // It has no end.
                Err(_) => return Look::Enough(at),
                Ok(Some(header)) if may_stand_within(header.tag) => header,
                Ok(Some(_)) => return Look::Enough(at),
                Ok(None) => {
                    self.looked = Some((place, at));
                    return Look::Wants(at + Header::LEN);
                }
            };
            let Some(body) = behind.get(Header::LEN..header.total()) else {
                self.looked = Some((place, at));
                return Look::Wants(at + header.total());
            };
            at += header.total();
            if header.tag == b'd' && (self.rows.next(&mut place, body).is_some() || place.is_lost())
            {
                return Look::Enough(at);
            }
        }
    }

    fn passed(&mut self, piece: &[u8]) {
        let (header, all) = &mut self.passing;
        if *all == 0 {
            return;
        }
        *all = all.saturating_sub(piece.len());
        let skipped = (*header).min(piece.len());
        *header -= skipped;
        let is_end = *all == 0;
        let mut rest = piece.get(skipped..).unwrap_or_default();
        while let Some((end, _)) = self.rows.next(&mut self.place, rest) {
            rest = rest.get(end..).unwrap_or_default();
        }
        if is_end {
            self.rest = match self.place.is_between_rows() {
                true => Rest::None,
                false => Rest::Stays,
            };
        }
    }

    /// Passes over all of `body`, the data of the message at the front that has been looked at, if
    /// there is nothing to be decided on in it. Most messages are such.
    pub fn pass_over(&mut self, body: &[u8]) -> bool {
        match self.behind.take() {
            Some(behind) if !self.place.is_in_heading() && !self.may_hold_envelopes(body) => {
                self.place = behind;
                true
            }
            _ => false,
        }
    }

    /// The next thing to be decided on in `body`, from `at` on, of the message at the front; `behind`
    /// are the messages behind it. What lies between stays. `None`: nothing more.
    pub fn next(&mut self, body: &[u8], at: &mut usize, behind: &[u8]) -> Option<Piece> {
        self.looked = None;
        while *at < body.len() {
            let rest = body.get(*at..).unwrap_or_default();
            let end = self.rows.next(&mut self.place, rest);
            let place = *at..*at + end.map_or(rest.len(), |(end, _)| end);
            *at = place.end;
            let decided = self.rest;
            if end.is_some() {
                self.rest = Rest::None;
            }
            match (decided, end) {
                (Rest::Gone, _) => return Some(Piece::Gone(place)),
                (Rest::Stays, _) => {}
                (Rest::None, Some((_, Part::Row))) => {
                    let joined = None;
                    return Some(Piece::Row { place, joined });
                }
                (Rest::None, Some((_, Part::Frame))) => {
                    self.rows.headed(body.get(place).unwrap_or_default());
                }
                (Rest::None, None) if self.place.is_lost() => {}
                (Rest::None, None) => {
                    self.rest = Rest::Stays;
                    match self.join(body.get(place.clone())?, behind)? {
                        (joined, Part::Row) => {
                            let joined = Some(joined);
                            return Some(Piece::Row { place, joined });
                        }
                        (line, Part::Frame) => self.rows.headed(&line),
                    }
                }
            }
        }
        None
    }

    /// The rest of the row that was joined has left with it.
    pub fn rest_is_gone(&mut self) {
        self.rest = Rest::Gone;
    }

    /// A row with its rest from the messages behind; `None` where it has no end.
    fn join(&self, begun: &[u8], mut behind: &[u8]) -> Option<(Vec<u8>, Part)> {
        let (mut place, mut row) = (self.place, begun.to_vec());
        loop {
            let header = Header::parse(behind).ok()??;
            let body = behind.get(Header::LEN..header.total())?;
            if header.tag == b'd' {
                let end = self.rows.next(&mut place, body);
                row.extend_from_slice(body.get(..end.map_or(body.len(), |(end, _)| end))?);
                if let Some((_, part)) = end {
                    return Some((row, part));
                }
            } else if !may_stand_within(header.tag) {
                return None;
            }
            behind = behind.get(header.total()..)?;
        }
    }
}

/// What may come between two messages of one row: more data, and what belongs to no request.
fn may_stand_within(tag: u8) -> bool {
    matches!(tag, b'd' | b'N' | b'S' | b'A')
}

#[cfg(test)]
mod tests;
