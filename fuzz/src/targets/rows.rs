//! DataRow: what is read is written as it was, and what was written is read as it was.

use bytes::BytesMut;
use wire::Header;
use wire::row::{Fields, RowWriter};

use crate::input::Input;

/// The bytes are a body; and, in another reading, fields.
pub fn run(bytes: &[u8]) {
    if let Ok(fields) = Fields::parse(bytes) {
        assert_eq!(fields.iter().count(), usize::from(fields.count()));
        assert_eq!(written(&fields.iter().collect::<Vec<_>>()), bytes);
    }
    if let Ok(value) = Fields::of_function(bytes) {
        assert_eq!(value.len(), bytes.len());
        let mut out = BytesMut::new();
        let mut row = RowWriter::begin_function_result(&mut out);
        row.field(value.iter().next().expect("it has one"))
            .expect("it is short");
        row.finish().expect("it is short");
        assert_eq!(out[..1], *b"V");
        assert_eq!(out[Header::LEN..], *bytes);
    }
    let mut input = Input::new(bytes);
    let mut fields = Vec::new();
    for _ in 0..input.below(12) {
        fields.push(match input.once_in(4) {
            true => None,
            false => Some(input.bytes(40)),
        });
    }
    let body = written(&fields);
    let read = Fields::parse(&body).expect("it was written so");
    assert!(read.iter().eq(fields));
    let spoiled = input.spoiled(body);
    if let Ok(fields) = Fields::parse(&spoiled) {
        assert_eq!(written(&fields.iter().collect::<Vec<_>>()), spoiled);
    }
}

fn written(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = BytesMut::from("before");
    let count = u16::try_from(fields.len()).expect("a row's count is one");
    let mut row = RowWriter::begin(&mut out, count);
    for field in fields {
        row.field(*field).expect("no field is so long");
    }
    row.finish().expect("no row is so long");
    let message = out.strip_prefix(b"before").expect("it stays");
    let header = Header::parse(message).ok().flatten().expect("it is whole");
    assert_eq!((header.tag, header.total()), (b'D', message.len()));
    message[Header::LEN..].to_vec()
}
