//! COPY: its options are read off a statement that was made of them, and its rows, written here after
//! `copyto.c`, are found, read and written again, however they are cut.

use std::sync::Arc;

use bytes::BytesMut;
use wire::copy::{Copies, Csv, ForceQuote, Form, Options, Part, Row, Rows, Text};
use wire::row::Fields;

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
    let options = options(&mut input, true);
    let sql = statement(&options, &mut input);
    let mut copies = Copies::of(&sql, true);
    assert_eq!(copies.first().as_deref(), Some(&options));
    assert_eq!(copies.pop().as_deref(), Some(&options));
    assert!(copies.is_empty());
    let _ = Copies::of(&input.spoiled(sql), true);
}

/// The bytes are options, and behind them either what comes of a COPY or what a table is made of.
pub fn rows(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let options = options(&mut input, false);
    let columns = 1 + input.below(4) as u16;
    let seed: [u8; 8] = input.any();
    if input.any() {
        let data = [head(&options, &mut input), input.rest().to_vec()].concat();
        return any(&options, columns, &data, &seed);
    }
    let mut sheet = Sheet::new(options, columns, &mut input);
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
        let changed = sheet.rows[number].iter().zip(&edits[number]).enumerate();
        let changed = changed.filter(|(_, (value, edit))| value != edit);
        let changed = changed.map(|(column, (_, edit))| (column, edit.as_deref()));
        rows.write(&row, &read, changed, &mut out);
        number += 1;
    }
    assert_eq!(number, sheet.rows.len());
    sheet.rows = edits;
    assert_eq!(out, sheet.written());
}

type Value = Option<Vec<u8>>;

/// Whatever the data is: in pieces it is what it is whole, and a row that is read is written as it was.
fn any(options: &Options, columns: u16, data: &[u8], seed: &[u8]) {
    let rows = Rows::new(Arc::new(options.clone()), columns);
    let found = parts(&rows, data, &[data.len()]);
    assert_eq!(
        parts(&rows, data, &Input::new(seed).cuts(data.len())),
        found
    );
    for (row, _) in found {
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

/// In text a value can be spelled as NULL is, and then is NULL.
fn ambiguous(options: &Options, values: &[Value]) -> bool {
    match &options.form {
        Form::Text(text) => values.iter().flatten().any(|value| {
            let mut written = Vec::new();
            write_text(Some(value), text, &mut written);
            written == *text.null
        }),
        Form::Csv(_) | Form::Binary => false,
    }
}

/// What ends in the data, in pieces with these ends.
fn parts(rows: &Rows, data: &[u8], ends: &[usize]) -> Vec<(Vec<u8>, Part)> {
    let (mut place, mut found) = (rows.beginning(), Vec::new());
    let mut begun = Vec::new();
    for mut piece in pieces(data, ends) {
        while let Some((taken, part)) = rows.next(&mut place, piece) {
            assert!(taken > 0 && place.is_between_rows());
            begun.extend(&piece[..taken]);
            piece = &piece[taken..];
            found.push((std::mem::take(&mut begun), part));
        }
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

/// Options as PostgreSQL takes them. Names of columns are for statements: `named`.
pub(super) fn options(input: &mut Input<'_>, named: bool) -> Options {
    let form = match input.below(3) {
        0 => Form::Text(Text {
            delimiter: *input.one_of(b"\t|;A,"),
            null: null(input),
            header: input.any(),
        }),
        1 => {
            let [quote, escape] = **input.one_of(&[b"\"\"", b"\"\\", b"'\"", b"'a", b"b\\"]);
            let some = || [true, false, true].into();
            let names = || [b"c1".as_slice().into(), b"c3".as_slice().into()].into();
            Form::Csv(Csv {
                delimiter: *input.one_of(b",;|\t"),
                quote,
                escape,
                null: null(input),
                header: input.any(),
                force_quote: match (input.below(3), named) {
                    (0, _) => ForceQuote::None,
                    (1, _) => ForceQuote::All,
                    (_, true) => ForceQuote::Names(names()),
                    (_, false) => ForceQuote::Columns(some()),
                },
            })
        }
        _ => Form::Binary,
    };
    let encoding = input.once_in(4).then(|| b"UTF8".as_slice().into());
    Options { form, encoding }
}

fn null(input: &mut Input<'_>) -> Box<[u8]> {
    (*input.one_of(&[b"\\N".as_slice(), b"", b"nil"])).into()
}

/// A COPY with these options, in one of the ways there are to write it.
pub(super) fn statement(options: &Options, input: &mut Input<'_>) -> Vec<u8> {
    let what = *input.one_of(&[
        "t",
        "\"a \"\"b\".\"to\"",
        "(select $$)$$, ';' /* ) */, e'\\')')",
        "(select (1))",
    ]);
    let mut said = Vec::new();
    let mut text = |name: &str, value: &[u8]| {
        let value = value.iter().map(|byte| match byte {
            b'\'' => "''".to_owned(),
            byte => char::from(*byte).to_string(),
        });
        said.push(format!("{name} '{}'", value.collect::<String>()));
    };
    let form = match &options.form {
        Form::Text(it) => {
            text("delimiter", &[it.delimiter]);
            text("null", &it.null);
            if it.header {
                said.push("header".to_owned());
            }
            "text"
        }
        Form::Csv(it) => {
            text("delimiter", &[it.delimiter]);
            text("null", &it.null);
            text("quote", &[it.quote]);
            text("escape", &[it.escape]);
            if it.header {
                said.push("header true".to_owned());
            }
            match &it.force_quote {
                ForceQuote::None => {}
                ForceQuote::All => said.push("force_quote *".to_owned()),
                _ => said.push("force_quote (C1, \"c3\")".to_owned()),
            }
            "csv"
        }
        Form::Binary => "binary",
    };
    if options.encoding.is_some() {
        said.push("encoding 'UTF8'".to_owned());
    }
    said.insert(input.below(said.len() + 1), format!("format {form}"));
    let space = *input.one_of(&[" ", "\n\t", " /* ( ' */ ", " -- )\n"]);
    let words = [
        "copy",
        what,
        "to",
        "stdout",
        &format!("({})", said.join(", ")),
        ";",
    ];
    let mut sql = words.join(space);
    if input.any() {
        sql = sql.replace("copy", "COPY").replace("stdout", "StdOut");
    }
    sql.into_bytes()
}

/// What data begins with that gets further than random bytes.
fn head(options: &Options, input: &mut Input<'_>) -> Vec<u8> {
    match (&options.form, input.once_in(4)) {
        (Form::Binary, false) => b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec(),
        _ => Vec::new(),
    }
}

/// A table, and how it is written.
pub(super) struct Sheet {
    pub(super) options: Options,
    pub(super) columns: u16,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Sheet {
    fn new(options: Options, columns: u16, input: &mut Input<'_>) -> Self {
        let mut sheet = Self {
            options,
            columns,
            rows: vec![Vec::new(); input.below(4)],
        };
        for number in 0..sheet.rows.len() {
            let values = (0..columns).map(|_| sheet.value(input)).collect();
            sheet.rows[number] = values;
        }
        sheet
    }

    fn value(&self, input: &mut Input<'_>) -> Value {
        let value = match input.below(5) {
            0 => return None,
            1 => b"\\.".to_vec(),
            2 => b"\"'\\,;|\t\r\n\x08\x0c\x0b.Nab"[input.below(9)..].to_vec(),
            _ => input.bytes(12).to_vec(),
        };
        // A value that is written as NULL cannot be told from it.
        (!ambiguous(&self.options, &[Some(value.clone())])).then_some(value)
    }

    fn edited(&self, input: &mut Input<'_>) -> Vec<Vec<Value>> {
        let mut rows = self.rows.clone();
        for value in rows.iter_mut().flatten() {
            if input.any() {
                *value = self.value(input);
            }
        }
        rows
    }

    fn copied(&self) -> Rows {
        Rows::new(Arc::new(self.options.clone()), self.columns)
    }

    pub(super) fn written(&self) -> Vec<u8> {
        let names = (1..=self.columns).map(|at| Some(format!("c{at}").into_bytes()));
        let names = names.collect::<Vec<_>>();
        let mut out = Vec::new();
        match &self.options.form {
            Form::Text(text) => {
                let header = text.header.then_some(&names);
                for row in header.into_iter().chain(&self.rows) {
                    for (index, value) in row.iter().enumerate() {
                        out.extend((index > 0).then_some(text.delimiter));
                        write_text(value.as_deref(), text, &mut out);
                    }
                    out.push(b'\n');
                }
            }
            Form::Csv(csv) => {
                if csv.header {
                    self.write_csv(&names, csv, &ForceQuote::None, &mut out);
                }
                for row in &self.rows {
                    self.write_csv(row, csv, &csv.force_quote, &mut out);
                }
            }
            Form::Binary => {
                out.extend(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x03ext");
                for row in &self.rows {
                    out.extend(self.columns.to_be_bytes());
                    for value in row {
                        let length = value.as_ref().map_or(-1, |value| value.len() as i32);
                        out.extend(length.to_be_bytes());
                        out.extend(value.iter().flatten());
                    }
                }
                out.extend([0xff, 0xff]);
            }
        }
        out
    }

    fn write_csv(&self, row: &[Value], csv: &Csv, force: &ForceQuote, out: &mut Vec<u8>) {
        for (index, value) in row.iter().enumerate() {
            out.extend((index > 0).then_some(csv.delimiter));
            let Some(value) = value else {
                out.extend(&csv.null);
                continue;
            };
            let special = [csv.delimiter, csv.quote, b'\n', b'\r'];
            let forced = match force {
                ForceQuote::All => true,
                ForceQuote::Columns(columns) => columns.get(index) == Some(&true),
                _ => false,
            };
            let alone = self.columns == 1 && value == b"\\.";
            let needed = **value == *csv.null || value.iter().any(|it| special.contains(it));
            if !(forced || alone || needed) {
                out.extend(value);
                continue;
            }
            out.push(csv.quote);
            for byte in value {
                out.extend([csv.quote, csv.escape].contains(byte).then_some(csv.escape));
                out.push(*byte);
            }
            out.push(csv.quote);
        }
        out.push(b'\n');
    }
}

fn write_text(value: Option<&[u8]>, text: &Text, out: &mut Vec<u8>) {
    let Some(value) = value else {
        return out.extend(&text.null);
    };
    for &byte in value {
        match b"\x08\x0c\n\r\t\x0b".iter().position(|it| *it == byte) {
            Some(at) => out.extend([b'\\', b"bfnrtv"[at]]),
            None if byte == b'\\' || byte == text.delimiter => out.extend([b'\\', byte]),
            None => out.push(byte),
        }
    }
}
