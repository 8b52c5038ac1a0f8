//! One field: its value taken out of the form it is written in, opened, and put back.

use envelope::{Candidate, Form, Verdict, ZoneId};
use memchr::memmem;
use wire::bytea::TextForm;
use wire::description::Format;
use wire::row::Fields;
use zeroize::Zeroizing;

use crate::shape::{Kind, Shape};

/// How an envelope begins, in the three ways a `bytea` is written.
pub const IN_BINARY: &[u8] = b"\xf5pgs\x01";
const IN_HEX: &[u8] = b"f570677301";
const IN_ESCAPE: &[u8] = b"\\365pgs\\001";

/// What became of a field.
pub enum Opened {
    /// No envelope in it.
    Unchanged,
    /// At least one opened. One beside it may have been refused.
    Changed {
        /// The field anew, in the form it came in.
        bytes: Zeroizing<Vec<u8>>,
        /// An envelope in it was refused.
        refused: bool,
    },
    /// It holds envelopes, and all were refused.
    Refused,
}

/// Opens what `judge` lets open in one field.
pub fn open(
    value: &[u8],
    kind: Kind,
    format: Format,
    judge: impl FnMut(Candidate<'_>) -> Verdict,
) -> Opened {
    match written(value, kind, format) {
        None => Opened::Unchanged,
        Some(Written::Binary) => open_bytes(value, judge, |bytes| bytes),
        Some(Written::Text(form)) => match form.decode(value).map(Zeroizing::new) {
            None => Opened::Unchanged,
            Some(decoded) => open_bytes(&decoded, judge, |bytes| {
                let mut text = Zeroizing::new(Vec::new());
                form.encode(&bytes, &mut text);
                text
            }),
        },
    }
}

enum Written {
    Binary,
    Text(TextForm),
}

/// How a field that may hold an envelope is written; `None` for one that does not, which most are
/// found to be in nanoseconds.
fn written(value: &[u8], kind: Kind, format: Format) -> Option<Written> {
    if !matches!(kind, Kind::Bytea | Kind::Untyped) {
        return None;
    }
    let (written, start) = match (format, TextForm::of(value)) {
        (Format::Binary, _) => (Written::Binary, IN_BINARY),
        (Format::Text, form @ TextForm::Hex) => (Written::Text(form), IN_HEX),
        (Format::Text, form @ TextForm::Escape) => (Written::Text(form), IN_ESCAPE),
    };
    memmem::find(value, start).map(|_| written)
}

fn open_bytes(
    bytes: &[u8],
    judge: impl FnMut(Candidate<'_>) -> Verdict,
    write: impl FnOnce(Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>>,
) -> Opened {
    let edit = envelope::open_field(bytes, Form::Bytes, judge);
    match edit.bytes {
        Some(bytes) => Opened::Changed {
            bytes: write(bytes),
            refused: edit.refused > 0,
        },
        None if edit.refused > 0 => Opened::Refused,
        None => Opened::Unchanged,
    }
}

/// The fields of a row before one of them, where a zone's tag is looked for: in what the database
/// sent, never in an opened value.
pub struct Earlier<'a> {
    fields: Fields<'a>,
    shape: &'a Shape,
    before: usize,
}

impl<'a> Earlier<'a> {
    /// The fields before field `before`.
    #[must_use]
    pub fn new(fields: Fields<'a>, shape: &'a Shape, before: usize) -> Self {
        Self {
            fields,
            shape,
            before,
        }
    }

    /// True when one of them is, as a whole, the zone's id.
    #[must_use]
    pub fn hold(&self, zone: &ZoneId) -> bool {
        let id = zone.as_str().as_bytes();
        self.fields
            .iter()
            .take(self.before)
            .enumerate()
            .any(|(index, value)| {
                let (kind, format) = self.shape.column(index);
                value.is_some_and(|value| is_tag(value, kind, format, id))
            })
    }
}

fn is_tag(value: &[u8], kind: Kind, format: Format, id: &[u8]) -> bool {
    match (kind, format) {
        (Kind::Other, _) => false,
        (Kind::Text, _) | (Kind::Bytea, Format::Binary) | (Kind::Uuid, Format::Text) => value == id,
        (Kind::Bpchar, _) => without_padding(value) == id,
        (Kind::Bytea, Format::Text) => is_bytea_text_of(value, id),
        (Kind::Uuid, Format::Binary) => uuid_text(value).is_some_and(|text| text == id),
        (Kind::Untyped, Format::Binary) => {
            value == id || uuid_text(value).is_some_and(|text| text == id)
        }
        (Kind::Untyped, Format::Text) => {
            without_padding(value) == id || is_bytea_text_of(value, id)
        }
    }
}

/// A `char(n)` is padded with spaces, and with nothing else.
fn without_padding(value: &[u8]) -> &[u8] {
    let end = value
        .iter()
        .rposition(|byte| *byte != b' ')
        .map_or(0, |last| last + 1);
    value.get(..end).unwrap_or_default()
}

/// Ids hold no backslash, so their escape form is themselves and only the hex form needs decoding.
fn is_bytea_text_of(value: &[u8], id: &[u8]) -> bool {
    value == id
        || (value.len() == 2 + 2 * id.len()
            && TextForm::Hex.decode(value).is_some_and(|bytes| bytes == id))
}

/// The canonical lower-case text of a `uuid`'s 16 bytes.
fn uuid_text(value: &[u8]) -> Option<Vec<u8>> {
    let bytes: &[u8; 16] = value.try_into().ok()?;
    let mut hex = Vec::with_capacity(34);
    TextForm::Hex.encode(bytes, &mut hex);
    let digits = hex.get(2..)?;
    let mut text = Vec::with_capacity(36);
    for (group, range) in [0..8, 8..12, 12..16, 16..20, 20..32]
        .into_iter()
        .enumerate()
    {
        if group > 0 {
            text.push(b'-');
        }
        text.extend_from_slice(digits.get(range)?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8] = b"550e8400-e29b-41d4-a716-446655440000";
    const UUID: [u8; 16] = [
        0x55, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0,
    ];

    #[test]
    fn a_tag_is_found_in_every_type_that_may_carry_one() {
        let hex = b"\\x35353065383430302d653239622d343164342d613731362d343436363535343430303030";
        for (value, kind, format) in [
            (ID, Kind::Text, Format::Text),
            (ID, Kind::Text, Format::Binary),
            (&[ID, b"    "].concat(), Kind::Bpchar, Format::Text),
            (&[ID, b"    "].concat(), Kind::Bpchar, Format::Binary),
            (ID, Kind::Uuid, Format::Text),
            (&UUID, Kind::Uuid, Format::Binary),
            (hex, Kind::Bytea, Format::Text),
            (ID, Kind::Bytea, Format::Text),
            (ID, Kind::Bytea, Format::Binary),
            (ID, Kind::Untyped, Format::Text),
            (hex, Kind::Untyped, Format::Text),
            (&UUID, Kind::Untyped, Format::Binary),
        ] {
            assert!(is_tag(value, kind, format, ID), "{kind:?} {format:?}");
        }
    }

    #[test]
    fn what_only_resembles_the_tag_is_none() {
        let upper = ID.to_ascii_uppercase();
        for (value, kind, format) in [
            (&[ID, b" "].concat()[..], Kind::Text, Format::Text),
            (&[b" ", ID].concat(), Kind::Bpchar, Format::Text),
            (&[ID, b"\t"].concat(), Kind::Bpchar, Format::Text),
            (&upper, Kind::Text, Format::Text),
            (&upper, Kind::Uuid, Format::Text),
            (ID, Kind::Other, Format::Text),
            (&UUID, Kind::Text, Format::Binary),
            (&ID[1..], Kind::Text, Format::Text),
            (b"", Kind::Text, Format::Text),
        ] {
            assert!(!is_tag(value, kind, format, ID), "{kind:?} {format:?}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_not_searched() {
        let mut field = IN_BINARY.to_vec();
        field.extend([0; 100]);
        assert!(written(&field, Kind::Text, Format::Binary).is_none());
        assert!(written(&field, Kind::Other, Format::Binary).is_none());
        assert!(written(&field, Kind::Bytea, Format::Binary).is_some());
    }

    #[test]
    fn the_start_of_an_envelope_reads_the_same_in_every_form() {
        for (form, start) in [(TextForm::Hex, IN_HEX), (TextForm::Escape, IN_ESCAPE)] {
            let mut text = Vec::new();
            form.encode(IN_BINARY, &mut text);
            assert!(text.ends_with(start));
        }
    }
}
