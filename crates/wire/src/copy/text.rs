//! COPY's text format: a row is a line, fields stand between delimiters, and what could be taken for
//! either is escaped with a backslash.

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr2};

use super::Row;

/// The options of a COPY in text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What stands between two fields.
    pub delimiter: u8,
    /// How NULL is written.
    pub null: Box<[u8]>,
    /// A line with the columns' names comes first.
    pub header: bool,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            delimiter: b'\t',
            null: (*b"\\N").into(),
            header: false,
        }
    }
}

impl Text {
    pub(super) fn read(&self, row: &[u8], columns: u16) -> Option<Row> {
        let mut value = Vec::new();
        Row::of_line(row, columns, |read, at, rest| {
            let length = self.length_of_first(rest);
            let (place, written) = (at..at + length, rest.get(..length)?);
            if *written == *self.null {
                read.add(place, None)?;
            } else if memchr(b'\\', written).is_none() {
                read.add(place, Some(written))?;
            } else {
                value.clear();
                unescape(written, &mut value)?;
                read.add(place, Some(&value))?;
            }
            Some(length)
        })
    }

    /// Length of the field at the front of `rest`, as written.
    fn length_of_first(&self, rest: &[u8]) -> usize {
        let mut at = 0;
        while let Some(found) = memchr2(self.delimiter, b'\\', rest.get(at..).unwrap_or_default()) {
            at += found;
            if rest.get(at) == Some(&self.delimiter) {
                return at;
            }
            at = (at + 2).min(rest.len());
        }
        rest.len()
    }

    pub(super) fn write(&self, value: Option<&[u8]>, out: &mut BytesMut) {
        let Some(value) = value else {
            return out.extend_from_slice(&self.null);
        };
        for &byte in value {
            match (byte, letter(byte)) {
                (_, Some(letter)) => out.put_slice(&[b'\\', letter]),
                (b'\\', _) => out.put_slice(b"\\\\"),
                _ if byte == self.delimiter => out.put_slice(&[b'\\', byte]),
                _ => out.put_u8(byte),
            }
        }
    }
}

/// The letter by which a control character is written.
fn letter(byte: u8) -> Option<u8> {
    Some(match byte {
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        _ => return None,
    })
}

/// Undoes escapes as COPY FROM does; `None` where one is cut off.
pub(super) fn unescape(mut written: &[u8], value: &mut Vec<u8>) -> Option<()> {
    while let Some((&byte, rest)) = written.split_first() {
        written = rest;
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        let (&escaped, rest) = written.split_first()?;
        written = rest;
        let byte = match escaped {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => digits(u32::from(escaped - b'0'), 8, 2, &mut written),
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                digits(0, 16, 2, &mut written)
            }
            other => other,
        };
        value.push(byte);
    }
    Some(())
}

/// A byte of whose digits `first` has been read, and up to `more` follow.
fn digits(first: u32, radix: u32, more: usize, written: &mut &[u8]) -> u8 {
    let mut number = first;
    for _ in 0..more {
        let Some((&byte, rest)) = written.split_first() else {
            break;
        };
        let Some(digit) = char::from(byte).to_digit(radix) else {
            break;
        };
        number = number * radix + digit;
        *written = rest;
    }
    // As PostgreSQL does with three octal digits over 377.
    number.to_le_bytes()[0]
}
