//! DataRow: walking a row's fields, and writing a row with some of them replaced.

use bytes::{BufMut, BytesMut};

use crate::Malformed;
use crate::cursor::Cursor;
use crate::frame::MAX_LENGTH;

/// The fields of a DataRow's body, checked once as a whole and then walked without copying.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// Behind their count.
    fields: &'a [u8],
    count: u16,
}

impl<'a> Fields<'a> {
    /// Checks the body: the field count, every length, and that nothing is left over.
    ///
    /// # Errors
    /// The body is not what the protocol says.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body, "DataRow");
        let count = cursor.u16()?;
        Self::counted(cursor.rest(), count)
    }

    /// The one value of a FunctionCallResponse's body, as a row of one field.
    ///
    /// # Errors
    /// The body is not what the protocol says.
    pub fn of_function(body: &'a [u8]) -> Result<Self, Malformed> {
        Self::counted(body, 1)
    }

    fn counted(fields: &'a [u8], count: u16) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(fields, "DataRow");
        for _ in 0..count {
            skip_field(&mut cursor)?;
        }
        cursor.finish()?;
        Ok(Self { fields, count })
    }

    /// How many bytes they take, with their lengths.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "what is empty has a count of 0"
    )]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// How many fields there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The fields in order; `None` is NULL.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut cursor = Cursor::new(self.fields, "DataRow");
        // `counted` has walked every field, so none of these reads fails.
        (0..self.count).map_while(move |_| skip_field(&mut cursor).ok())
    }
}

fn skip_field<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    match cursor.i32()? {
        -1 => Ok(None),
        length => {
            let length = usize::try_from(length).map_err(|_| Malformed { message: "DataRow" })?;
            cursor.bytes(length).map(Some)
        }
    }
}

/// Writes one DataRow at the end of a buffer, field by field.
#[derive(Debug)]
pub struct RowWriter<'b> {
    out: &'b mut BytesMut,
    start: usize,
}

/// The row has grown beyond what one message can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the row is larger than a message can be")]
pub struct RowTooLong;

impl<'b> RowWriter<'b> {
    /// Begins a row of `count` fields.
    pub fn begin(out: &'b mut BytesMut, count: u16) -> Self {
        let start = begin(b'D', out);
        out.put_u16(count);
        Self { out, start }
    }

    /// Begins a FunctionCallResponse, which is to get one field.
    pub fn begin_function_result(out: &'b mut BytesMut) -> Self {
        let start = begin(b'V', out);
        Self { out, start }
    }

    /// Appends the next field; `None` is NULL.
    ///
    /// # Errors
    /// The field is longer than a message can be; the row is then given up.
    pub fn field(&mut self, value: Option<&[u8]>) -> Result<(), RowTooLong> {
        match value {
            None => self.out.put_i32(-1),
            Some(bytes) => {
                let length = i32::try_from(bytes.len()).map_err(|_| RowTooLong)?;
                self.out.put_i32(length);
                self.out.put_slice(bytes);
            }
        }
        Ok(())
    }

    /// Ends the row: fills in its length.
    ///
    /// # Errors
    /// The row is longer than a message can be; it is taken out of the buffer again.
    pub fn finish(self) -> Result<(), RowTooLong> {
        finish(self.start, self.out)
    }
}

/// Begins a message at the end of a buffer; answers where. [`finish`] fills in its length.
pub fn begin(tag: u8, out: &mut BytesMut) -> usize {
    let start = out.len();
    out.put_u8(tag);
    out.put_u32(0);
    start
}

/// Ends the message that begins at `start` of a buffer: fills in its length.
///
/// # Errors
/// It is longer than a message can be; it is taken out of the buffer again.
pub fn finish(start: usize, out: &mut BytesMut) -> Result<(), RowTooLong> {
    let length = out.len() - start - 1;
    match u32::try_from(length) {
        Ok(length) if length <= MAX_LENGTH => {
            if let Some(word) = out.get_mut(start + 1..start + 5) {
                word.copy_from_slice(&length.to_be_bytes());
            }
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(RowTooLong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(fields: &[Option<Vec<u8>>]) -> BytesMut {
        let mut out = BytesMut::new();
        let mut row = RowWriter::begin(&mut out, fields.len() as u16);
        for field in fields {
            row.field(field.as_deref()).unwrap();
        }
        row.finish().unwrap();
        out
    }

    #[test]
    fn null_and_empty_are_told_apart() {
        let row = write(&[None, Some(vec![]), Some(b"a".to_vec())]);
        let fields = Fields::parse(&row[5..]).unwrap();
        let read: Vec<_> = fields.iter().collect();
        assert_eq!(read, [None, Some(b"".as_slice()), Some(b"a".as_slice())]);
    }

    #[test]
    fn fields_take_the_bytes_behind_their_count() {
        let row = write(&[None, Some(b"abc".to_vec())]);
        assert_eq!(Fields::parse(&row[5..]).unwrap().len(), 4 + 4 + 3);
    }

    #[test]
    fn a_row_behind_other_bytes_states_its_own_length() {
        let mut out = BytesMut::from("before");
        RowWriter::begin(&mut out, 0).finish().unwrap();
        assert_eq!(out, b"beforeD\0\0\0\x06\0\0".as_slice());
    }

    #[test]
    fn a_message_longer_than_there_may_be_is_taken_out_again() {
        // Zeroed memory of this size is not touched but for its first page.
        let longest = 1 + MAX_LENGTH as usize;
        let mut out = BytesMut::zeroed(longest);
        finish(0, &mut out).unwrap();
        assert_eq!(out[1..5], MAX_LENGTH.to_be_bytes());
        drop(out);
        let mut out = BytesMut::zeroed(3 + longest + 1);
        assert_eq!(finish(3, &mut out), Err(RowTooLong));
        assert_eq!(out, [0; 3].as_slice());
    }

    #[test]
    fn lying_lengths_are_malformed() {
        for length in [-2i32, i32::MIN, 2, i32::MAX] {
            let mut body = vec![0, 1];
            body.extend(length.to_be_bytes());
            body.push(b'x');
            assert!(Fields::parse(&body).is_err(), "{length}");
        }
        assert!(
            Fields::parse(&[0, 2, 0xff, 0xff, 0xff, 0xff]).is_err(),
            "a field too few"
        );
        assert!(Fields::parse(&[0, 0, 1]).is_err(), "a byte too many");
        assert!(Fields::parse(&[0]).is_err());
    }

    proptest! {
        #[test]
        fn a_row_reads_back_as_written(
            fields in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..30)), 0..20)
        ) {
            let row = write(&fields);
            let header = crate::Header::parse(&row).unwrap().unwrap();
            prop_assert_eq!(header.total(), row.len());
            let read: Vec<_> =
                Fields::parse(&row[5..]).unwrap().iter().map(|f| f.map(<[u8]>::to_vec)).collect();
            prop_assert_eq!(read, fields);
        }

        #[test]
        fn arbitrary_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(fields) = Fields::parse(&bytes) {
                prop_assert_eq!(fields.iter().count(), usize::from(fields.count()));
            }
        }
    }
}
