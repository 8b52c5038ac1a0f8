//! COPY's binary format: a signature, flags and an extension; then for each row a count of fields
//! and their lengths, as in a DataRow; and in the end a count of -1.

use bytes::{BufMut, BytesMut};

use super::{Part, Row};
use crate::cursor::Cursor;
use crate::row::Fields;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Flags that change how rows are written, of which none is known: those of PostgreSQL before 12 had
/// a field more than they said.
const CRITICAL: u32 = 0xffff_0000;

/// Where one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    part: At,
    /// An integer that arrives byte by byte.
    word: u32,
    word_len: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Bytes of the signature that have come.
    Signature(usize),
    Flags,
    ExtensionLength,
    /// Bytes of it still to come.
    Extension(u32),
    Count,
    /// Fields still to come, the first of which has its length before it.
    Length(u16),
    /// Bytes of a field, and fields, still to come.
    Value(u32, u16),
    /// Behind the last row.
    End,
    /// It is not what it should be.
    Lost,
}

impl Default for State {
    fn default() -> Self {
        Self {
            part: At::Signature(0),
            word: 0,
            word_len: 0,
        }
    }
}

impl State {
    pub(super) fn is_lost(self) -> bool {
        matches!(self.part, At::End | At::Lost)
    }

    /// How many bytes of `piece` it takes to the end of the header or row.
    pub(super) fn end_of_part(&mut self, columns: u16, piece: &[u8]) -> Option<(usize, Part)> {
        let mut rest = piece;
        loop {
            let before = self.part;
            self.part = match before {
                At::Signature(come) => {
                    let (&byte, behind) = rest.split_first()?;
                    rest = behind;
                    match SIGNATURE.get(come) {
                        Some(expected) if *expected == byte && come + 1 == SIGNATURE.len() => {
                            At::Flags
                        }
                        Some(expected) if *expected == byte => At::Signature(come + 1),
                        _ => At::Lost,
                    }
                }
                At::Flags => match self.word(4, &mut rest)? & CRITICAL {
                    0 => At::ExtensionLength,
                    _ => At::Lost,
                },
                At::ExtensionLength => match self.word(4, &mut rest)? {
                    0 => At::Count,
                    length if i32::try_from(length).is_ok() => At::Extension(length),
                    _ => At::Lost,
                },
                At::Extension(left) => match skip(left, &mut rest)? {
                    Ok(()) => At::Count,
                    Err(left) => At::Extension(left),
                },
                At::Count => match self.word(2, &mut rest)? {
                    0xffff => At::End,
                    0 if columns == 0 => At::Count,
                    count if count == u32::from(columns) => At::Length(columns),
                    _ => At::Lost,
                },
                At::Length(fields) => match self.word(4, &mut rest)? {
                    u32::MAX => next_field(fields),
                    0 => next_field(fields),
                    length if i32::try_from(length).is_ok() => At::Value(length, fields),
                    _ => At::Lost,
                },
                At::Value(left, fields) => match skip(left, &mut rest)? {
                    Ok(()) => next_field(fields),
                    Err(left) => At::Value(left, fields),
                },
                At::End | At::Lost => return None,
            };
            let taken = piece.len() - rest.len();
            match (before, self.part) {
                (At::ExtensionLength | At::Extension(_), At::Count) | (_, At::End) => {
                    return Some((taken, Part::Frame));
                }
                (_, At::Count) => return Some((taken, Part::Row)),
                _ => {}
            }
        }
    }

    fn word(&mut self, len: u8, rest: &mut &[u8]) -> Option<u32> {
        while self.word_len < len {
            let (&byte, behind) = rest.split_first()?;
            self.word = self.word << 8 | u32::from(byte);
            self.word_len += 1;
            *rest = behind;
        }
        self.word_len = 0;
        Some(std::mem::take(&mut self.word))
    }
}

fn next_field(fields: u16) -> At {
    match fields {
        ..=1 => At::Count,
        _ => At::Length(fields - 1),
    }
}

/// Passes over `left` bytes, or what there is of them: then so many are left. `None`: there is none.
fn skip(left: u32, rest: &mut &[u8]) -> Option<Result<(), u32>> {
    if rest.is_empty() {
        return None;
    }
    let here = u32::try_from(rest.len()).unwrap_or(u32::MAX).min(left);
    *rest = rest.get(here as usize..).unwrap_or_default();
    Some(match left - here {
        0 => Ok(()),
        left => Err(left),
    })
}

pub(super) fn read(row: &[u8], columns: u16) -> Option<Row> {
    let count = Fields::parse(row).ok()?.count();
    if count != columns {
        return None;
    }
    // The row is a DataRow's body already; `Fields` has walked all of it.
    let mut cursor = Cursor::new(row.get(2..)?, "CopyData");
    let mut places = Vec::new();
    let mut at = 2;
    for _ in 0..count {
        let length = cursor.i32().ok()?;
        let length = usize::try_from(length).unwrap_or(0);
        cursor.bytes(length).ok()?;
        places.push(at..at + 4 + length);
        at += 4 + length;
    }
    Some(Row {
        places,
        body: row.to_vec(),
    })
}

pub(super) fn write(value: Option<&[u8]>, out: &mut BytesMut) {
    // One over 2 GiB makes the message too long, whatever its length says.
    let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap_or(i32::MAX));
    out.put_i32(length);
    out.extend_from_slice(value.unwrap_or_default());
}
