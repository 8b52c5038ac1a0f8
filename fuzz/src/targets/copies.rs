//! COPY: its options are read off a statement that was made of them, and its rows, written here after
//! `copyto.c`, are found, read and written again, however they are cut.

mod options;
mod sheet;

use std::sync::Arc;

use bytes::BytesMut;
use wire::copy::{Copies, Form, Options, Part, Response, Row, Rows};
use wire::description::Format;
use wire::row::Fields;

pub(super) use self::options::{any as options, statement};
pub(super) use self::sheet::Sheet;
use self::sheet::{Value, ambiguous};
use crate::input::{Input, pieces};

/// The bytes are SQL; and, in another reading, options.
pub fn statements(bytes: &[u8]) {
    let found = Copies::of(bytes, true);
    // What stands before it and means nothing changes nothing.
    let behind = [b"; /* '( /* */ */ -- \"\n".as_slice(), bytes].concat();
    assert_eq!(Copies::of(&behind, true), found);
    if !bytes.contains(&b'\\') {
        assert_eq!(Copies::of(bytes, false), found);
    }

    let mut input = Input::new(bytes);
    let options = options(&mut input);
    let sql = statement(&options, &mut input);
    let mut copies = Copies::of(&sql, true);
    assert_eq!(copies.first().as_deref(), Some(&options));
    assert_eq!(copies.pop().as_deref(), Some(&options));
    assert!(copies.is_empty());
    let _ = Copies::of(&input.spoiled(sql), true);
}

/// The bytes are options, and behind them either what comes of a COPY or what a table is made of.
pub fn rows(bytes: &[u8]) {
    assert_eq!(Response::parse(bytes).ok(), response(bytes));
    let mut input = Input::new(bytes);
    let options = options(&mut input);
    let columns = 1 + input.below(4) as u16;
    let seed: [u8; 8] = input.any();
    if input.any() {
        let data = [head(&options, &mut input), input.rest().to_vec()].concat();
        return any(&options, columns, &data, &seed);
    }
    let mut sheet = Sheet::new(options, columns, &mut input);
    announced(&sheet.copied(), columns, &mut input);
    let data = sheet.written();
    let edits = sheet.edited(&mut input);
    let ends = Input::new(&seed).cuts(data.len());
    let mut rows = sheet.copied();
    let (mut out, mut number) = (BytesMut::new(), 0);
    for (row, part) in parts(&rows, &data, &ends) {
        if part == Part::Frame {
            rows.headed(&row);
            out.extend_from_slice(&row);
            continue;
        }
        let read = rows.read(&row).expect("it was written so");
        assert_eq!(values(&read), sheet.rows[number]);
        assert!(!rows.keep_words() || words(&values(&read)).all(|word| stands_in(&row, &word)));
        let changed = sheet.rows[number].iter().zip(&edits[number]).enumerate();
        let changed = changed.filter(|(_, (value, edit))| value != edit);
        let changed = changed.map(|(column, (_, edit))| (column, edit.as_deref()));
        rows.write(&row, &read, changed, &mut out);
        number += 1;
    }
    assert_eq!(number, sheet.rows.len());
    sheet.edit(edits);
    assert_eq!(out, sheet.written());
}

/// What comes before the data says how many columns there are, and how values are written.
fn announced(rows: &Rows, columns: u16, input: &mut Input<'_>) {
    let format = rows.format();
    let code = u8::from(format == Format::Binary);
    let mut body = [&[code], columns.to_be_bytes().as_slice()].concat();
    body.extend([0, code].repeat(columns.into()));
    assert_eq!(Response::parse(&body), Ok(Response { format, columns }));
    let spoiled = input.spoiled(body);
    assert_eq!(Response::parse(&spoiled).ok(), response(&spoiled));
}

/// A CopyOutResponse: a format, and that of each column behind their count.
fn response(body: &[u8]) -> Option<Response> {
    let (head, formats) = body.split_first_chunk()?;
    let (format, columns) = match *head {
        [0, high, low] => (Format::Text, [high, low]),
        [1, high, low] => (Format::Binary, [high, low]),
        _ => return None,
    };
    let columns = u16::from_be_bytes(columns);
    (formats.len() == 2 * usize::from(columns)).then_some(Response { format, columns })
}

/// The runs of lower-case letters, digits and dots in these values.
fn words(values: &[Value]) -> impl Iterator<Item = Vec<u8>> {
    let is_of_word = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.');
    let words = values.iter().flatten();
    words.flat_map(move |value| {
        value
            .split(move |byte| !is_of_word(byte))
            .map(<[u8]>::to_vec)
    })
}

fn stands_in(row: &[u8], word: &[u8]) -> bool {
    word.is_empty() || row.windows(word.len()).any(|it| it == word)
}

/// Whatever the data is: in pieces it is what it is whole, and a row that is read is written as it was.
fn any(options: &Options, columns: u16, data: &[u8], seed: &[u8]) {
    let mut rows = Rows::new(Arc::new(options.clone()), columns);
    let found = parts(&rows, data, &[data.len()]);
    assert_eq!(
        parts(&rows, data, &Input::new(seed).cuts(data.len())),
        found
    );
    for (row, part) in found {
        if part == Part::Frame {
            rows.headed(&row);
        }
        let Some(read) = rows.read(&row) else {
            continue;
        };
        let values = values(&read);
        assert_eq!(values.len(), usize::from(columns));
        let mut out = BytesMut::new();
        rows.write(&row, &read, [], &mut out);
        assert_eq!(out, row);
        // Written anew it may be spelled otherwise, and says the same.
        let all = values.iter().map(Option::as_deref).enumerate();
        let mut again = BytesMut::new();
        rows.write(&row, &read, all, &mut again);
        if !ambiguous(options, &values) {
            let again = rows.read(&again).expect("it was written so");
            assert_eq!(self::values(&again), values);
        }
    }
}

/// What ends in the data, in pieces with these ends.
fn parts(rows: &Rows, data: &[u8], ends: &[usize]) -> Vec<(Vec<u8>, Part)> {
    let (mut place, mut found) = (rows.beginning(), Vec::new());
    let (mut begun, has_header) = (Vec::new(), place.is_in_heading());
    for mut piece in pieces(data, ends) {
        while let Some((taken, part)) = rows.next(&mut place, piece) {
            assert!(taken > 0 && place.is_between_rows());
            begun.extend(&piece[..taken]);
            piece = &piece[taken..];
            found.push((std::mem::take(&mut begun), part));
        }
        assert_eq!(place.is_in_heading(), has_header && found.is_empty());
        begun.extend(piece);
        assert!(place.is_lost() || place.is_between_rows() == begun.is_empty());
    }
    found
}

fn values(read: &Row) -> Vec<Value> {
    let fields = Fields::parse(read.body()).expect("it is a DataRow's body");
    let owned = fields.iter().map(|value| value.map(<[u8]>::to_vec));
    owned.collect()
}

/// What data begins with that gets further than random bytes.
fn head(options: &Options, input: &mut Input<'_>) -> Vec<u8> {
    match (&options.form, input.once_in(4)) {
        (Form::Binary, false) => b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec(),
        _ => Vec::new(),
    }
}
