//! RowDescription: the types and formats of a result's columns.

use crate::Malformed;
use crate::cursor::Cursor;

/// A column as RowDescription announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Object id of the column's type, from `pg_type`.
    pub type_oid: u32,
    /// How its values are written. From a described statement this is always text, because the
    /// formats are chosen only by Bind.
    pub format: Format,
}

/// How a value is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The type's text output.
    #[default]
    Text,
    /// The type's binary send format.
    Binary,
}

impl Format {
    /// From a format code: 0 is text, 1 is binary.
    ///
    /// # Errors
    /// Any other code.
    pub fn from_code(code: u16) -> Result<Self, Malformed> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => Err(Malformed {
                message: "format code",
            }),
        }
    }
}

/// The result formats that Bind asks for: none (all text), one for all, or one for each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formats {
    /// The same for every column.
    All(Format),
    /// In column order.
    Each(Box<[Format]>),
}

impl Formats {
    /// The format of column `index`. A column past the end of the list is text: PostgreSQL refuses
    /// such a Bind before any row.
    #[must_use]
    pub fn of(&self, index: usize) -> Format {
        match self {
            Self::All(format) => *format,
            Self::Each(list) => list.get(index).copied().unwrap_or_default(),
        }
    }
}

/// Reads the body of a RowDescription.
///
/// # Errors
/// The body is not what the protocol says.
pub fn columns(body: &[u8]) -> Result<Vec<Column>, Malformed> {
    let mut cursor = Cursor::new(body, "RowDescription");
    let count = cursor.u16()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        cursor.c_string()?; // name
        cursor.bytes(4 + 2)?; // table's oid, attribute number
        let type_oid = cursor.u32()?;
        cursor.bytes(2 + 4)?; // type's length and modifier
        let format = Format::from_code(cursor.u16()?)?;
        columns.push(Column { type_oid, format });
    }
    cursor.finish()?;
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(columns: &[Column]) -> Vec<u8> {
        let mut bytes = (columns.len() as u16).to_be_bytes().to_vec();
        for column in columns {
            bytes.extend(b"name\0\0\0\0\x07\0\x01");
            bytes.extend(column.type_oid.to_be_bytes());
            bytes.extend([0xff; 6]);
            bytes.extend([0, u8::from(column.format == Format::Binary)]);
        }
        bytes
    }

    #[test]
    fn types_and_formats_are_read_in_order() {
        let expected = [
            Column {
                type_oid: 17,
                format: Format::Binary,
            },
            Column {
                type_oid: 25,
                format: Format::Text,
            },
        ];
        assert_eq!(columns(&body(&expected)), Ok(expected.to_vec()));
        assert_eq!(columns(&body(&[])), Ok(vec![]));
    }

    #[test]
    fn a_column_has_the_format_of_all_or_of_its_own_and_else_text() {
        let (text, binary) = (Format::Text, Format::Binary);
        assert_eq!([0, 7].map(|at| Formats::All(binary).of(at)), [binary; 2]);
        let each = Formats::Each([text, binary].into());
        assert_eq!([0, 1, 2].map(|at| each.of(at)), [text, binary, text]);
    }

    #[test]
    fn every_truncation_and_trailing_byte_is_malformed() {
        let whole = body(&[Column {
            type_oid: 17,
            format: Format::Text,
        }]);
        for len in 0..whole.len() {
            assert!(columns(&whole[..len]).is_err(), "{len}");
        }
        assert!(columns(&[whole.as_slice(), b"x"].concat()).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = columns(&bytes);
        }
    }
}
