//! COPY TO STDOUT: rows that leave the database in CopyData messages, and not in DataRows.
//!
//! The wire says of a COPY how many columns it has, and whether it is binary. What else its rows are
//! written by stands only in its statement, and `statement` reads it there. Rows, in `text`, `csv`
//! and `binary`, are found in pieces cut at any byte, read into the body of a DataRow, and written
//! again with some of their fields replaced; all else of them stays byte for byte. Which pieces are
//! held back until a row is whole is the caller's business.
//!
//! Source: PostgreSQL documentation, "COPY", File Formats; `copyto.c` for what is quoted when.

mod binary;
mod csv;
mod sql;
mod statement;
mod text;

use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use crate::Malformed;
use crate::cursor::Cursor;
use crate::description::Format;

pub use csv::{Csv, ForceQuote};
pub use statement::{Copies, MAX_STATEMENT};
pub use text::Text;

/// What the statement of one COPY says of how its rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// In which form, and by what rules of it.
    pub form: Form,
    /// In which encoding, if not in the client's: a name as PostgreSQL takes it.
    pub encoding: Option<Box<[u8]>>,
}

/// The form of a COPY's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// `FORMAT text`.
    Text(Text),
    /// `FORMAT csv`.
    Csv(Csv),
    /// `FORMAT binary`.
    Binary,
}

/// What a CopyOutResponse says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Binary, or text and CSV alike.
    pub format: Format,
    /// How many columns there are.
    pub columns: u16,
}

impl Response {
    /// Reads the body of a CopyOutResponse.
    ///
    /// # Errors
    /// The body is not what the protocol says.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body, "CopyOutResponse");
        let [format] = cursor.array()?;
        let format = Format::from_code(u16::from(format))?;
        let columns = cursor.u16()?;
        for _ in 0..columns {
            cursor.u16()?; // the same for each
        }
        cursor.finish()?;
        Ok(Self { format, columns })
    }
}

/// What ends where a piece was read to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is no row: a header line, or what frames binary rows.
    Frame,
    /// A row.
    Row,
}

/// The rows of one COPY: by what rules they are written.
#[derive(Debug, Clone)]
pub struct Rows {
    options: Arc<Options>,
    columns: u16,
    /// The columns that FORCE_QUOTE names, once a header line has said which they are.
    forced: Option<Box<[bool]>>,
}

/// How far into a COPY's data one has come: between two rows, or where in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    state: State,
    /// Part of a row has been read, and not its end.
    within: bool,
    /// A header line comes first.
    heading: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Csv(csv::State),
    Binary(binary::State),
}

/// A row that has been read.
#[derive(Debug)]
pub struct Row {
    /// Where its fields stand in it, as they are written.
    places: Vec<Range<usize>>,
    /// Its fields, as the body of a DataRow.
    body: Vec<u8>,
}

impl Row {
    /// Its fields, as the body of a DataRow.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Reads a line with its end: `add_first` adds the field that begins at this place of it and is at
    /// the front of these bytes, and answers its length as written. `None` where there are more or fewer
    /// fields than columns.
    fn of_line(
        row: &[u8],
        columns: u16,
        mut add_first: impl FnMut(&mut Self, usize, &[u8]) -> Option<usize>,
    ) -> Option<Self> {
        let line = row.strip_suffix(b"\n")?;
        let mut read = Self {
            places: Vec::new(),
            body: columns.to_be_bytes().to_vec(),
        };
        let mut at = 0;
        for index in 0..columns {
            if index > 0 {
                // The delimiter; or there are too few fields.
                line.get(at)?;
                at += 1;
            }
            at += add_first(&mut read, at, line.get(at..)?)?;
        }
        (at == line.len()).then_some(read)
    }

    /// Adds a field; `None` when it is longer than a DataRow's can be.
    fn add(&mut self, place: Range<usize>, value: Option<&[u8]>) -> Option<()> {
        match value {
            None => self.body.extend((-1i32).to_be_bytes()),
            Some(value) => {
                self.body
                    .extend(i32::try_from(value.len()).ok()?.to_be_bytes());
                self.body.extend(value);
            }
        }
        self.places.push(place);
        Some(())
    }
}

impl Rows {
    /// The rows of a COPY with these options and this many columns.
    #[must_use]
    pub fn new(options: Arc<Options>, columns: u16) -> Self {
        Self {
            options,
            columns,
            forced: None,
        }
    }

    /// How values are written: in binary, or as text in text and CSV.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.options.form {
            Form::Text(_) | Form::Csv(_) => Format::Text,
            Form::Binary => Format::Binary,
        }
    }

    /// True when lower-case letters, digits and dots that follow one another in a value do so in how
    /// it is written. In text none of them is a delimiter; in CSV one may be a quote or an escape.
    #[must_use]
    pub fn keep_words(&self) -> bool {
        match &self.options.form {
            Form::Text(_) | Form::Binary => true,
            Form::Csv(csv) => ![csv.quote, csv.escape]
                .iter()
                .any(|byte| byte.is_ascii_alphanumeric() || *byte == b'.'),
        }
    }

    /// Where the data begins.
    #[must_use]
    pub fn beginning(&self) -> Place {
        let (state, heading) = match &self.options.form {
            Form::Text(text) => (State::Text, text.header),
            Form::Csv(csv) => (State::Csv(csv::State::default()), csv.header),
            Form::Binary => (State::Binary(binary::State::default()), false),
        };
        Place {
            state,
            within: false,
            heading,
        }
    }

    /// Goes on from `place` to the next end of a row in `piece`: how many bytes it takes to get
    /// there, and what ends there. `None`: it ends in none of them.
    pub fn next(&self, place: &mut Place, piece: &[u8]) -> Option<(usize, Part)> {
        let end = match (&mut place.state, &self.options.form) {
            (State::Csv(state), Form::Csv(csv)) => csv.end_of_row(state, piece),
            (State::Binary(state), _) => {
                let end = state.end_of_part(self.columns, piece);
                place.within = end.is_none() && (place.within || !piece.is_empty());
                return end;
            }
            _ => memchr::memchr(b'\n', piece).map(|at| at + 1),
        };
        place.within = end.is_none() && (place.within || !piece.is_empty());
        let end = end?;
        match std::mem::take(&mut place.heading) {
            true => Some((end, Part::Frame)),
            false => Some((end, Part::Row)),
        }
    }

    /// Takes note of what ended and is no row: a CSV's header line says which columns FORCE_QUOTE
    /// speaks of.
    pub fn headed(&mut self, line: &[u8]) {
        if let Form::Csv(csv) = &self.options.form {
            self.forced = csv.forced_by_header(line, self.columns);
        }
    }

    /// Reads a row, whole and with its end. `None` where it is none of this COPY: it has other
    /// fields than there are columns.
    #[must_use]
    pub fn read(&self, row: &[u8]) -> Option<Row> {
        match &self.options.form {
            Form::Text(text) => text.read(row, self.columns),
            Form::Csv(csv) => csv.read(row, self.columns),
            Form::Binary => binary::read(row, self.columns),
        }
    }

    /// Writes a row that has been read to the end of `out`, with some of its fields replaced:
    /// `edits` in order of columns, `None` being NULL. Where none is, it is the row as it came.
    pub fn write<'e>(
        &self,
        row: &[u8],
        read: &Row,
        edits: impl IntoIterator<Item = (usize, Option<&'e [u8]>)>,
        out: &mut BytesMut,
    ) {
        let mut done = 0;
        for (index, value) in edits {
            let Some(place) = read.places.get(index).cloned() else {
                continue;
            };
            let raw = row.get(place.clone()).unwrap_or_default();
            out.extend_from_slice(row.get(done..place.start).unwrap_or_default());
            done = place.end;
            match &self.options.form {
                Form::Text(text) => text.write(value, out),
                Form::Csv(csv) => csv.write(
                    value,
                    csv.is_forced(index, raw, self.forced.as_deref()),
                    self.columns,
                    out,
                ),
                Form::Binary => binary::write(value, out),
            }
        }
        out.extend_from_slice(row.get(done..).unwrap_or_default());
    }
}

impl Place {
    /// True between two rows, before the first and behind the last.
    #[must_use]
    pub fn is_between_rows(&self) -> bool {
        !self.within
    }

    /// True when a header line comes next, or is being read.
    #[must_use]
    pub fn is_in_heading(&self) -> bool {
        self.heading
    }

    /// True when no row will be found any more: behind the last one, or where the data is not what
    /// it should be.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Binary(state) if state.is_lost())
    }
}

#[cfg(test)]
mod tests;
