//! Zones' tags: which fields of a row are one.

use std::collections::HashMap;

use envelope::{KeyId, ZoneId};
use wire::bytea::TextForm;
use wire::description::Format;
use wire::row::Fields;

use crate::shape::{Kind, Shape};

/// Zones that are looked for in one row; a value of a further one has no tag, but that in its field.
const MAX_ZONES: usize = 1024;

/// The tags of a row: looked for in what the database sent, never in an opened value.
pub struct Tags<'a> {
    fields: Fields<'a>,
    shape: &'a Shape,
    /// Of zones that were looked for, by their keys, the first field that is their tag: however many
    /// values there are, a field is compared with a zone's id once.
    first: HashMap<KeyId, Option<usize>>,
}

impl<'a> Tags<'a> {
    /// Those of a row of this shape.
    #[must_use]
    pub fn of(fields: Fields<'a>, shape: &'a Shape) -> Self {
        Self {
            fields,
            shape,
            first: HashMap::new(),
        }
    }

    /// True when a field before field `index` is, as a whole, the id of the zone that has this key.
    #[must_use]
    pub fn stand_before(&mut self, index: usize, key: KeyId, zone: &ZoneId) -> bool {
        if self.first.len() >= MAX_ZONES && !self.first.contains_key(&key) {
            return false;
        }
        let (fields, shape) = (self.fields, self.shape);
        let first = *self
            .first
            .entry(key)
            .or_insert_with(|| first(fields, shape, zone));
        first.is_some_and(|first| first < index)
    }
}

/// The first field that is, as a whole, the zone's id.
fn first(fields: Fields<'_>, shape: &Shape, zone: &ZoneId) -> Option<usize> {
    let id = zone.as_str().as_bytes();
    fields.iter().enumerate().position(|(index, value)| {
        let (kind, format) = shape.column(index);
        value.is_some_and(|value| is_tag(value, kind, format, id))
    })
}

fn is_tag(value: &[u8], kind: Kind, format: Format, id: &[u8]) -> bool {
    match (kind, format) {
        (
            Kind::Json
            | Kind::Jsonb
            | Kind::Array(_)
            | Kind::Record
            | Kind::Other
            | Kind::UserDefined,
            _,
        ) => false,
        (Kind::Text | Kind::Name, _)
        | (Kind::Bytea, Format::Binary)
        | (Kind::Uuid, Format::Text) => value == id,
        (Kind::Bpchar, _) => is_padded(value, id),
        (Kind::Bytea, Format::Text) => is_bytea_text_of(value, id),
        (Kind::Uuid, Format::Binary) => uuid_text(value).is_some_and(|text| text == id),
        (Kind::Untyped, Format::Binary) => {
            value == id || uuid_text(value).is_some_and(|text| text == id)
        }
        (Kind::Untyped, Format::Text) => is_padded(value, id) || is_bytea_text_of(value, id),
    }
}

/// A `char(n)` is padded with spaces, and with nothing else. A field that does not begin with the id
/// costs no more than the id's length, however long it is.
fn is_padded(value: &[u8], id: &[u8]) -> bool {
    let padding = value.strip_prefix(id);
    padding.is_some_and(|padding| padding.iter().all(|byte| *byte == b' '))
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
            (ID, Kind::Name, Format::Text),
            (&[ID, b"    "].concat(), Kind::Bpchar, Format::Text),
            (&[ID, b"    "].concat(), Kind::Bpchar, Format::Binary),
            (ID, Kind::Uuid, Format::Text),
            (&UUID, Kind::Uuid, Format::Binary),
            (hex, Kind::Bytea, Format::Text),
            (ID, Kind::Bytea, Format::Text),
            (ID, Kind::Bytea, Format::Binary),
            (ID, Kind::Untyped, Format::Text),
            (hex, Kind::Untyped, Format::Text),
            (ID, Kind::Untyped, Format::Binary),
            (&UUID, Kind::Untyped, Format::Binary),
        ] {
            assert!(is_tag(value, kind, format, ID), "{kind:?} {format:?}");
        }
    }

    #[test]
    fn what_only_resembles_the_tag_is_none() {
        let upper = ID.to_ascii_uppercase();
        let mut hex_of_another = Vec::new();
        TextForm::Hex.encode(&upper, &mut hex_of_another);
        for (value, kind, format) in [
            (&[ID, b" "].concat()[..], Kind::Text, Format::Text),
            (&[b" ", ID].concat(), Kind::Bpchar, Format::Text),
            (&[ID, b"\t"].concat(), Kind::Bpchar, Format::Text),
            (&upper, Kind::Text, Format::Text),
            (&upper, Kind::Uuid, Format::Text),
            (ID, Kind::Other, Format::Text),
            (ID, Kind::UserDefined, Format::Text),
            (ID, Kind::Json, Format::Text),
            (&UUID, Kind::Text, Format::Binary),
            (&ID[1..], Kind::Text, Format::Text),
            (b"", Kind::Text, Format::Text),
            (&hex_of_another, Kind::Bytea, Format::Text),
            (&hex_of_another, Kind::Untyped, Format::Text),
        ] {
            assert!(!is_tag(value, kind, format, ID), "{kind:?} {format:?}");
        }
    }

    /// A row of these values, as the body of a DataRow.
    fn row(values: &[&str]) -> Vec<u8> {
        let count = u16::try_from(values.len()).unwrap();
        let sized = |value: &&str| {
            let length = u32::try_from(value.len()).unwrap();
            [&length.to_be_bytes(), value.as_bytes()].concat()
        };
        let fields: Vec<u8> = values.iter().flat_map(sized).collect();
        [&count.to_be_bytes(), fields.as_slice()].concat()
    }

    fn key(number: usize) -> KeyId {
        KeyId::from_bytes((number as u64).to_be_bytes())
    }

    #[test]
    fn a_tag_stands_before_a_field_and_not_in_its_place() {
        let body = row(&["clear", "tenant-1", "sealed"]);
        let shape = Shape::default();
        let mut tags = Tags::of(Fields::parse(&body).unwrap(), &shape);
        let zone = "tenant-1".parse().unwrap();
        let before: Vec<_> = (0..3)
            .map(|at| tags.stand_before(at, key(1), &zone))
            .collect();
        assert_eq!(before, [false, false, true]);
    }

    #[test]
    fn tags_are_looked_for_of_a_bounded_number_of_zones() {
        let zones = MAX_ZONES + 1;
        let names: Vec<String> = (0..zones)
            .map(|number| format!("tenant-{number}"))
            .collect();
        let body = row(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let shape = Shape::default();
        let mut tags = Tags::of(Fields::parse(&body).unwrap(), &shape);
        // The first time they are looked for; the second they are known.
        for _ in 0..2 {
            for (number, name) in names.iter().enumerate() {
                let stands = tags.stand_before(zones, key(number), &name.parse().unwrap());
                assert_eq!(stands, number < MAX_ZONES, "{name}");
            }
        }
    }
}
