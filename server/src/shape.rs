//! The shape of a result: which of its columns can hold an envelope, and which a zone's tag.
//!
//! Decided once a result, so that rows in which nothing can be sealed are not looked into.

use wire::description::{Column, Format, Formats};

// Object ids from PostgreSQL's pg_type.dat.
const BYTEA: u32 = 17;
const NAME: u32 = 19;
const TEXT: u32 = 25;
const UNKNOWN: u32 = 705;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const UUID: u32 = 2950;

/// What a column's type means to the opener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// May hold envelopes, or a tag.
    Bytea,
    /// May be a tag, byte for byte.
    Text,
    /// May be a tag, without its padding.
    Bpchar,
    /// May be a tag, by its canonical text.
    Uuid,
    /// Neither.
    Other,
    /// The wire carries no types: any of these.
    Untyped,
}

/// How the rows of one result are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// As RowDescription said.
    Typed(Box<[(Kind, Format)]>),
    /// Executed without ever being described: only Bind's formats are known.
    Untyped(Formats),
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
                .map(|column| (kind(column.type_oid), column.format))
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
        (columns.len() != usize::from(count)).then(|| self.without_types())
    }

    /// The same formats, where the types may have become others.
    #[must_use]
    pub fn without_types(&self) -> Self {
        let columns = match self {
            Self::Untyped(formats) => return Self::Untyped(formats.clone()),
            Self::Typed(columns) => columns,
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
        match self {
            Self::Typed(columns) => columns.iter().any(|(kind, _)| *kind == Kind::Bytea),
            Self::Untyped(_) => true,
        }
    }
}

fn kind(type_oid: u32) -> Kind {
    match type_oid {
        BYTEA => Kind::Bytea,
        TEXT | VARCHAR | NAME | UNKNOWN => Kind::Text,
        BPCHAR => Kind::Bpchar,
        UUID => Kind::Uuid,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_without_bytea_holds_no_envelopes() {
        let column = |type_oid| Column {
            type_oid,
            format: Format::Text,
        };
        assert!(!Shape::of(&[column(TEXT), column(23)]).may_hold_envelopes());
        assert!(Shape::of(&[column(TEXT), column(BYTEA)]).may_hold_envelopes());
        assert!(Shape::default().may_hold_envelopes());
    }

    #[test]
    fn a_row_of_another_length_than_described_has_no_types() {
        let column = |type_oid| Column {
            type_oid,
            format: Format::Binary,
        };
        let shape = Shape::of(&[column(TEXT)]);
        assert_eq!(shape.refit(1), None);
        assert_eq!(
            shape.refit(2),
            Some(Shape::Untyped(Formats::All(Format::Binary)))
        );
    }

    #[test]
    fn binds_formats_replace_those_of_a_described_statement() {
        let shape = Shape::of(&[Column {
            type_oid: BYTEA,
            format: Format::Text,
        }]);
        let bound = shape.with_formats(&Formats::All(Format::Binary));
        assert_eq!(bound.column(0), (Kind::Bytea, Format::Binary));
        assert_eq!(bound.column(1), (Kind::Other, Format::Text));
    }
}
