//! The shape of a result: which of its columns can hold an envelope, and which a zone's tag.
//!
//! Decided once a result, so that rows in which nothing can be sealed are not looked into.

mod ahead;
mod kind;

use std::sync::LazyLock;

use memchr::memmem::Finder;
use wire::description::{Column, Format, Formats};

pub use self::ahead::Ahead;
pub use self::kind::{Element, Kind};

/// How the rows of one result are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// As RowDescription said.
    Typed(Columns),
    /// Executed without ever being described: only Bind's formats are known.
    Untyped(Formats),
}

/// The columns of a result, and what is known of them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    list: Box<[(Kind, Format)]>,
    markers: Markers,
}

impl FromIterator<(Kind, Format)> for Columns {
    fn from_iter<T: IntoIterator<Item = (Kind, Format)>>(columns: T) -> Self {
        let list: Box<[_]> = columns.into_iter().collect();
        let markers = list.iter().map(|(kind, format)| kind.markers(*format));
        Self {
            markers: markers.fold(Markers::NONE, Markers::or),
            list,
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::Untyped(Formats::All(Format::Text))
    }
}

impl Shape {
    /// From a RowDescription.
    #[must_use]
    pub fn of(columns: &[Column]) -> Self {
        Self::Typed(
            columns
                .iter()
                .map(|column| (Kind::of(column.type_oid), column.format))
                .collect(),
        )
    }

    /// The same columns in the formats that a Bind asks for.
    #[must_use]
    pub fn with_formats(&self, formats: &Formats) -> Self {
        match self {
            Self::Untyped(_) => Self::Untyped(formats.clone()),
            Self::Typed(columns) => Self::Typed(
                columns
                    .list
                    .iter()
                    .enumerate()
                    .map(|(i, (kind, _))| (*kind, formats.of(i)))
                    .collect(),
            ),
        }
    }

    /// Kind and format of a column. One past the end is of no interest: PostgreSQL sends rows as
    /// it described them.
    #[must_use]
    pub fn column(&self, index: usize) -> (Kind, Format) {
        match self {
            Self::Typed(columns) => columns
                .list
                .get(index)
                .copied()
                .unwrap_or((Kind::Other, Format::Text)),
            Self::Untyped(formats) => (Kind::Untyped, formats.of(index)),
        }
    }

    /// This shape, or one without types where a row has another number of fields than was
    /// described: SQL can put another query behind a name. `None`: this one fits.
    #[must_use]
    pub fn refit(&self, count: u16) -> Option<Self> {
        let Self::Typed(columns) = self else {
            return None;
        };
        (columns.list.len() != usize::from(count)).then(|| self.without_types())
    }

    /// The same formats, where the types may have become others.
    #[must_use]
    pub fn without_types(&self) -> Self {
        let columns = match self {
            Self::Untyped(formats) => return Self::Untyped(formats.clone()),
            Self::Typed(columns) => &columns.list,
        };
        let formats: Box<[Format]> = columns.iter().map(|(_, format)| *format).collect();
        Self::Untyped(match formats.first() {
            Some(first) if formats.iter().all(|format| format == first) => Formats::All(*first),
            None => Formats::All(Format::Text),
            Some(_) => Formats::Each(formats),
        })
    }

    /// False when no row of this result can hold an envelope.
    #[must_use]
    pub fn may_hold_envelopes(&self) -> bool {
        self.markers() != Markers::NONE
    }

    /// What must stand in a row, or in rows one behind the other, for an envelope to be in it.
    #[must_use]
    pub fn markers(&self) -> Markers {
        match self {
            Self::Typed(columns) => columns.markers,
            Self::Untyped(_) => Markers::ALL,
        }
    }
}

/// Bytes without which there is no envelope, however deep it stands: of the magic the letters, which
/// are in the binary form, in escape output and in armor; or magic and version in hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Markers {
    magic: bool,
    hex: bool,
}

static MAGIC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("pgs"));
static HEX: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("f570677301"));

impl Markers {
    /// Nothing: there are no envelopes.
    pub const NONE: Self = Self {
        magic: false,
        hex: false,
    };

    /// Either.
    pub const ALL: Self = Self {
        magic: true,
        hex: true,
    };

    fn or(self, other: Self) -> Self {
        Self {
            magic: self.magic || other.magic,
            hex: self.hex || other.hex,
        }
    }

    /// False when there is no envelope in these bytes.
    #[must_use]
    pub fn may_stand_in(self, bytes: &[u8]) -> bool {
        self.magic && MAGIC.find(bytes).is_some() || self.hex && HEX.find(bytes).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::kind::oid;
    use super::*;

    /// Columns of these types, in text.
    fn described(types: &[u32]) -> Shape {
        let column = |type_oid: &u32| Column {
            type_oid: *type_oid,
            format: Format::Text,
        };
        Shape::of(&types.iter().map(column).collect::<Vec<_>>())
    }

    #[test]
    fn a_result_of_types_that_hold_no_envelopes_is_not_looked_into() {
        // Among them inet, numeric, an array of integers, xml, and the last type of PostgreSQL's own.
        for type_oid in [
            23,
            869,
            1700,
            1007,
            142,
            oid::NAME,
            oid::UUID,
            oid::UNKNOWN,
            16_383,
        ] {
            assert!(!described(&[type_oid]).may_hold_envelopes(), "{type_oid}");
        }
        for type_oid in [
            oid::BYTEA,
            oid::TEXT,
            oid::VARCHAR,
            oid::BPCHAR,
            oid::JSON,
            oid::JSONB,
            oid::JSON_ARRAY,
            oid::JSONB_ARRAY,
            oid::BYTEA_ARRAY,
            oid::TEXT_ARRAY,
            oid::VARCHAR_ARRAY,
            oid::BPCHAR_ARRAY,
            oid::RECORD,
            oid::RECORD_ARRAY,
            oid::FIRST_NORMAL,
            u32::MAX,
        ] {
            assert!(
                described(&[23, type_oid]).may_hold_envelopes(),
                "{type_oid}"
            );
        }
        assert!(!described(&[]).may_hold_envelopes());
        assert!(Shape::default().may_hold_envelopes());
    }

    #[test]
    fn rows_without_a_marker_need_not_be_looked_into() {
        let armor: &[u8] = b"\0\x01a\xffpgs1.9XBn";
        let escape: &[u8] = br"\365pgs\001";
        let hex: &[u8] = br"{\\xf570677301}";
        for (types, bytes, may) in [
            (&[oid::TEXT][..], armor, true),
            (&[oid::TEXT], hex, false),
            (&[oid::TEXT, oid::BYTEA], hex, true),
            (&[oid::BYTEA], escape, true),
            (&[oid::JSONB], hex, true),
            (&[oid::RECORD], armor, true),
            (&[oid::BYTEA_ARRAY], hex, true),
            (&[oid::TEXT_ARRAY], hex, false),
            (&[oid::UUID], armor, false),
            (&[oid::FIRST_NORMAL], hex, true),
            (&[oid::RECORD], b"p gs1. f5706773 01", false),
        ] {
            let markers = described(types).markers();
            assert_eq!(markers.may_stand_in(bytes), may, "{types:?}");
        }
        let binary = described(&[oid::BYTEA]).with_formats(&Formats::All(Format::Binary));
        assert!(binary.markers().may_stand_in(b"\xf5pgs\x01"));
        assert!(!binary.markers().may_stand_in(hex));
    }

    #[test]
    fn a_row_of_another_length_than_described_has_no_types() {
        let column = |type_oid| Column {
            type_oid,
            format: Format::Binary,
        };
        let shape = Shape::of(&[column(oid::TEXT)]);
        assert_eq!(shape.refit(1), None);
        assert_eq!(
            shape.refit(2),
            Some(Shape::Untyped(Formats::All(Format::Binary)))
        );
    }

    #[test]
    fn every_column_keeps_its_format_where_the_types_go() {
        let formats = [Format::Text, Format::Binary];
        let columns = formats.map(|format| Column {
            type_oid: oid::TEXT,
            format,
        });
        assert_eq!(
            Shape::of(&columns).without_types(),
            Shape::Untyped(Formats::Each(formats.into()))
        );
    }

    #[test]
    fn binds_formats_replace_those_of_a_described_statement() {
        let shape = Shape::of(&[Column {
            type_oid: oid::BYTEA,
            format: Format::Text,
        }]);
        let bound = shape.with_formats(&Formats::All(Format::Binary));
        assert_eq!(bound.column(0), (Kind::Bytea, Format::Binary));
        assert_eq!(bound.column(1), (Kind::Other, Format::Text));
    }
}
