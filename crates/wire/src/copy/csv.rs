//! COPY's CSV format: fields stand between delimiters, in quotes where they need them or the
//! statement asks for them, and a row may be of several lines within quotes.

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr2};

use super::Row;

/// The options of a COPY in CSV format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// What stands between two fields.
    pub delimiter: u8,
    /// What stands around a quoted field.
    pub quote: u8,
    /// What stands before a quote, or before itself, in a quoted field.
    pub escape: u8,
    /// How NULL is written; never in quotes.
    pub null: Box<[u8]>,
    /// A line with the columns' names comes first.
    pub header: bool,
    /// Which columns are in quotes without need.
    pub force_quote: ForceQuote,
}

/// Which columns are in quotes without need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForceQuote {
    /// None.
    None,
    /// All.
    All,
    /// These, in their order.
    Columns(Box<[bool]>),
    /// Those of these names. Which they are, a header line says if there is one.
    Names(Box<[Box<[u8]>]>),
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            escape: b'"',
            null: Box::default(),
            header: false,
            force_quote: ForceQuote::None,
        }
    }
}

/// Where in a row one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    quoted: bool,
    /// The last byte was an escape that is no quote, within quotes.
    escaped: bool,
}

impl Csv {
    /// How many bytes of `piece` it takes to the end of the row.
    pub(super) fn end_of_row(&self, state: &mut State, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            if std::mem::take(&mut state.escaped) {
                // Whatever stands behind one, no quote and no escape begins with it.
                if rest.is_empty() {
                    state.escaped = true;
                    return None;
                }
                at += 1;
                continue;
            }
            if !state.quoted {
                at += memchr2(b'\n', self.quote, rest)? + 1;
                match piece.get(at - 1) {
                    Some(byte) if *byte == self.quote => state.quoted = true,
                    _ => return Some(at),
                }
            } else if self.escape == self.quote {
                // One that stands for itself is doubled: out of quotes, and in again.
                at += memchr(self.quote, rest)? + 1;
                state.quoted = false;
            } else {
                at += memchr2(self.quote, self.escape, rest)? + 1;
                match piece.get(at - 1) {
                    Some(byte) if *byte == self.quote => state.quoted = false,
                    _ => state.escaped = true,
                }
            }
        }
    }

    pub(super) fn read(&self, row: &[u8], columns: u16) -> Option<Row> {
        let mut value = Vec::new();
        Row::of_line(row, columns, |read, at, rest| {
            value.clear();
            let length = self.read_first(rest, &mut value)?;
            // In quotes it is longer than the value is, if it is the same.
            let is_null = rest.get(..length)? == &*self.null;
            read.add(at..at + length, (!is_null).then_some(&value))?;
            Some(length)
        })
    }

    /// Reads the field at the front of `rest` into `value`; answers its length as written.
    fn read_first(&self, rest: &[u8], value: &mut Vec<u8>) -> Option<usize> {
        let mut quoted = false;
        let mut at = 0;
        while let Some(&byte) = rest.get(at) {
            let next = rest.get(at + 1);
            let is_escaped = |byte: Option<&u8>| {
                byte.is_some_and(|byte| [self.quote, self.escape].contains(byte))
            };
            if quoted && byte == self.escape && is_escaped(next) {
                value.extend(next);
                at += 1;
            } else if byte == self.quote {
                quoted = !quoted;
            } else if !quoted && byte == self.delimiter {
                return Some(at);
            } else {
                value.push(byte);
            }
            at += 1;
        }
        (!quoted).then_some(at)
    }

    pub(super) fn write(
        &self,
        value: Option<&[u8]>,
        forced: bool,
        columns: u16,
        out: &mut BytesMut,
    ) {
        let Some(value) = value else {
            return out.extend_from_slice(&self.null);
        };
        // Alone in its line it could be taken for the end of the data.
        let is_end = columns == 1 && value == b"\\.";
        if !forced && !is_end && !self.needs_quotes(value) {
            return out.extend_from_slice(value);
        }
        out.put_u8(self.quote);
        for &byte in value {
            if byte == self.quote || byte == self.escape {
                out.put_u8(self.escape);
            }
            out.put_u8(byte);
        }
        out.put_u8(self.quote);
    }

    fn needs_quotes(&self, value: &[u8]) -> bool {
        *value == *self.null
            || memchr2(b'\n', b'\r', value).is_some()
            || memchr2(self.delimiter, self.quote, value).is_some()
    }

    /// Whether a field that came as `written` is in quotes because the statement asks for them.
    /// `forced` is what a header line has said of it.
    ///
    /// Where only names are known, and no header line says which columns have them, it is taken for
    /// one of them if it came in quotes.
    pub(super) fn is_forced(&self, index: usize, written: &[u8], forced: Option<&[bool]>) -> bool {
        match (&self.force_quote, forced) {
            (ForceQuote::None, _) => false,
            (ForceQuote::All, _) => true,
            (ForceQuote::Columns(columns), _) => columns.get(index) == Some(&true),
            (ForceQuote::Names(_), Some(columns)) => columns.get(index) == Some(&true),
            (ForceQuote::Names(_), None) => written.first() == Some(&self.quote),
        }
    }

    /// The columns that FORCE_QUOTE names, by a header line.
    pub(super) fn forced_by_header(&self, line: &[u8], columns: u16) -> Option<Box<[bool]>> {
        let ForceQuote::Names(names) = &self.force_quote else {
            return None;
        };
        let read = self.read(line, columns)?;
        let fields = crate::row::Fields::parse(&read.body).ok()?;
        let is_forced = |name: Option<&[u8]>| names.iter().any(|it| Some(&**it) == name);
        Some(fields.iter().map(is_forced).collect())
    }
}
