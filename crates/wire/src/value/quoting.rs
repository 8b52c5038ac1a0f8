//! How a leaf is written in the value it stands in, as PostgreSQL's output functions write it.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::{array, composite, range};

/// How leaves are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// In quotes, escaped (`escape_json`).
    Json,
    /// In quotes where it has to be (`array_out`).
    Array,
    /// In quotes where it has to be (`record_out`).
    Composite,
    /// In quotes where it has to be (`range_out`).
    Range,
    /// In quotes (`hstore_out`).
    Hstore,
    /// Behind its length, a 32-bit integer.
    Length,
}

impl Quoting {
    /// The value of a leaf as it stands in a form that was read whole.
    pub(super) fn unquote(self, raw: &[u8]) -> Option<Cow<'_, [u8]>> {
        if self == Self::Length {
            return raw.get(4..).map(Cow::Borrowed);
        }
        let Some(quoted) = raw.strip_prefix(b"\"") else {
            return Some(Cow::Borrowed(raw));
        };
        let quoted = quoted.strip_suffix(b"\"")?;
        match self {
            Self::Json => unescape_json(quoted),
            // A quote that stands there twice is one, and so is one behind a backslash.
            _ => Some(single(quoted)),
        }
    }

    /// Bytes that `value` takes.
    pub(super) fn quoted_length(self, value: &[u8]) -> usize {
        let mut length = 0;
        self.write(value, &mut |bytes| length += bytes.len());
        length
    }

    /// The value as it is written, in `length` bytes.
    pub(super) fn quote(self, value: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
        let mut quoted = Zeroizing::new(Vec::with_capacity(length));
        self.write(value, &mut |bytes| quoted.extend_from_slice(bytes));
        quoted
    }

    fn write(self, value: &[u8], put: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Length => {
                // A longer one is refused as a row: no message holds it.
                let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
                put(&length.to_be_bytes());
                put(value);
            }
            _ if !self.needs_quotes(value) => put(value),
            _ => {
                put(b"\"");
                let mut rest = value;
                while let Some(plain) = rest.iter().position(|byte| self.is_escaped(*byte)) {
                    let (before, behind) = rest.split_at(plain);
                    put(before);
                    let Some((byte, behind)) = behind.split_first() else {
                        break;
                    };
                    self.escape(*byte, put);
                    rest = behind;
                }
                put(rest);
                put(b"\"");
            }
        }
    }

    fn needs_quotes(self, value: &[u8]) -> bool {
        let special = match self {
            Self::Json | Self::Hstore | Self::Length => return true,
            Self::Array if value.eq_ignore_ascii_case(b"NULL") => return true,
            Self::Array => array::is_special,
            Self::Composite => composite::is_special,
            Self::Range => range::is_special,
        };
        value.is_empty() || value.iter().any(|byte| special(*byte))
    }

    fn is_escaped(self, byte: u8) -> bool {
        matches!(byte, b'"' | b'\\') || self == Self::Json && byte < b' '
    }

    fn escape(self, byte: u8, put: &mut dyn FnMut(&[u8])) {
        match (self, byte) {
            (Self::Composite | Self::Range, _) => put(&[byte, byte]),
            (_, b'"' | b'\\') => put(&[b'\\', byte]),
            (_, 0x08) => put(b"\\b"),
            (_, 0x0c) => put(b"\\f"),
            (_, b'\n') => put(b"\\n"),
            (_, b'\r') => put(b"\\r"),
            (_, b'\t') => put(b"\\t"),
            _ => {
                let digit = |nibble: u8| match nibble {
                    0..10 => b'0' + nibble,
                    _ => b'a' + nibble - 10,
                };
                put(b"\\u00");
                put(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

/// Between quotes, of a quote or backslash that another one stands before, the second alone.
fn single(quoted: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'"', b'\\', quoted).is_none() {
        return Cow::Borrowed(quoted);
    }
    let mut value = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(place) = memchr::memchr2(b'"', b'\\', rest) {
        let (plain, behind) = rest.split_at(place);
        value.extend_from_slice(plain);
        let (escaped, behind) = behind.split_at(behind.len().min(2));
        value.extend(escaped.last());
        rest = behind;
    }
    value.extend_from_slice(rest);
    Cow::Owned(value)
}

/// A JSON string between its quotes; `None` where an escape is half a character.
fn unescape_json(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\\', quoted).is_none() {
        return Some(Cow::Borrowed(quoted));
    }
    let mut value = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        let (plain, behind) = rest.split_at(place);
        value.extend_from_slice(plain);
        let (&[_, letter], behind) = behind.split_first_chunk()?;
        rest = behind;
        match letter {
            b'b' => value.push(0x08),
            b'f' => value.push(0x0c),
            b'n' => value.push(b'\n'),
            b'r' => value.push(b'\r'),
            b't' => value.push(b'\t'),
            b'u' => {
                let (units, behind) = utf16(rest)?;
                rest = behind;
                let character = char::decode_utf16(units).next()?.ok()?;
                value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => value.push(other),
        }
    }
    value.extend_from_slice(rest);
    Some(Cow::Owned(value))
}

/// The one or two units of UTF-16 that a character is escaped as, from behind the first `\u` on, and
/// what follows them.
fn utf16(digits: &[u8]) -> Option<(impl Iterator<Item = u16> + use<>, &[u8])> {
    let (first, behind) = unit(digits)?;
    let second = match first {
        0xd800..0xdc00 => Some(unit(behind.strip_prefix(b"\\u")?)?),
        _ => None,
    };
    let rest = second.map_or(behind, |(_, behind)| behind);
    let second = second.map(|(unit, _)| unit);
    Some(([Some(first), second].into_iter().flatten(), rest))
}

fn unit(digits: &[u8]) -> Option<(u16, &[u8])> {
    let (unit, behind) = digits.split_first_chunk::<4>()?;
    let unit = str::from_utf8(unit).ok()?;
    Some((u16::from_str_radix(unit, 16).ok()?, behind))
}
