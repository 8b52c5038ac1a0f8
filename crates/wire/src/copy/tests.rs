//! Rows are written here by an encoder of its own, after `copyto.c`, and read and written again by
//! what is to be tested.

use proptest::prelude::*;

use super::*;
use crate::row::Fields;

type Value = Option<Vec<u8>>;
type Table = Vec<Vec<Value>>;

/// What an encoder needs to know.
#[derive(Debug, Clone)]
struct Sheet {
    options: Options,
    columns: u16,
    /// Columns in quotes.
    forced: Vec<bool>,
    rows: Table,
}

impl Sheet {
    fn names(&self) -> Vec<Value> {
        (0..self.columns)
            .map(|index| Some(format!("c{index}").into_bytes()))
            .collect()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.options.form {
            Form::Text(text) => {
                let header = text.header.then(|| self.names());
                for row in header.iter().chain(&self.rows) {
                    for (index, value) in row.iter().enumerate() {
                        if index > 0 {
                            out.push(text.delimiter);
                        }
                        encode_text(value.as_deref(), text, &mut out);
                    }
                    out.push(b'\n');
                }
            }
            Form::Csv(csv) => {
                let header = csv.header.then(|| self.names());
                if let Some(row) = &header {
                    self.encode_csv(row, &[false; 8], csv, &mut out);
                }
                for row in &self.rows {
                    self.encode_csv(row, &self.forced, csv, &mut out);
                }
            }
            Form::Binary => {
                out.extend(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x03ext");
                for row in &self.rows {
                    out.extend(self.columns.to_be_bytes());
                    for value in row {
                        match value {
                            None => out.extend(u32::MAX.to_be_bytes()),
                            Some(value) => {
                                out.extend((value.len() as u32).to_be_bytes());
                                out.extend(value);
                            }
                        }
                    }
                }
                out.extend([0xff, 0xff]);
            }
        }
        out
    }

    fn encode_csv(&self, row: &[Value], forced: &[bool], csv: &Csv, out: &mut Vec<u8>) {
        for (index, value) in row.iter().enumerate() {
            if index > 0 {
                out.push(csv.delimiter);
            }
            let Some(value) = value else {
                out.extend(&csv.null);
                continue;
            };
            let special = [csv.delimiter, csv.quote, b'\n', b'\r'];
            let quoted = forced[index]
                || value[..] == csv.null[..]
                || (self.columns == 1 && value == b"\\.")
                || value.iter().any(|byte| special.contains(byte));
            if !quoted {
                out.extend(value);
                continue;
            }
            out.push(csv.quote);
            for byte in value {
                if [csv.quote, csv.escape].contains(byte) {
                    out.push(csv.escape);
                }
                out.push(*byte);
            }
            out.push(csv.quote);
        }
        out.push(b'\n');
    }
}

fn encode_text(value: Option<&[u8]>, text: &Text, out: &mut Vec<u8>) {
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

/// Everything that ends in the data, as it is found in pieces cut at these places.
fn parts(rows: &Rows, data: &[u8], cuts: &[usize]) -> (Vec<(Vec<u8>, Part)>, Place) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).collect();
    cuts.push(data.len());
    cuts.sort_unstable();
    let (mut place, mut found) = (rows.beginning(), Vec::new());
    let (mut from, mut begun) = (0, 0);
    for cut in cuts {
        while let Some((taken, part)) = rows.next(&mut place, &data[from..cut]) {
            from += taken;
            found.push((data[begun..from].to_vec(), part));
            begun = from;
            assert!(place.is_between_rows());
        }
        from = cut;
        if !place.is_lost() {
            assert_eq!(place.is_between_rows(), from == begun);
        }
    }
    (found, place)
}

fn fields(row: &Row) -> Vec<Value> {
    let fields = Fields::parse(row.body()).unwrap();
    fields
        .iter()
        .map(|value| value.map(<[u8]>::to_vec))
        .collect()
}

/// The data read, and written with these values in the place of others.
fn rewrite(sheet: &Sheet, data: &[u8], cuts: &[usize], edits: &Table) -> Vec<u8> {
    let mut rows = Rows::new(Arc::new(sheet.options.clone()), sheet.columns);
    let (found, _) = parts(&rows, data, cuts);
    let mut out = BytesMut::new();
    let mut index = 0;
    for (bytes, part) in found {
        if part == Part::Frame {
            rows.headed(&bytes);
            out.extend_from_slice(&bytes);
            continue;
        }
        let read = rows.read(&bytes).unwrap();
        assert_eq!(fields(&read), sheet.rows[index]);
        let changed = edits[index].iter().zip(&sheet.rows[index]).enumerate();
        let changed = changed.filter(|(_, (edit, value))| edit != value);
        let changed = changed.map(|(column, (edit, _))| (column, edit.as_deref()));
        rows.write(&bytes, &read, changed, &mut out);
        index += 1;
    }
    assert_eq!(index, sheet.rows.len());
    out.to_vec()
}

fn values() -> impl Strategy<Value = Value> {
    let bytes = prop::sample::select(b"ab,;|\"'\\\n\r\t\x0b\x08.N0x\xf5\xff\x01 ".to_vec());
    prop::option::weighted(0.9, prop::collection::vec(bytes, 0..12))
}

fn forms() -> impl Strategy<Value = Form> {
    let null = || prop::sample::select(vec!["", "nil", "\\N"]);
    let text = (
        prop::sample::select(b"\t|;A".to_vec()),
        null(),
        any::<bool>(),
    );
    let quotes = prop::sample::select(vec![*b"\"\"", *b"\"\\", *b"'\"", *b"'a", *b"b\\"]);
    let csv = (
        prop::sample::select(b",;|\t".to_vec()),
        quotes,
        null(),
        any::<bool>(),
    );
    prop_oneof![
        text.prop_map(|(delimiter, null, header)| Form::Text(Text {
            delimiter,
            null: null.as_bytes().into(),
            header,
        })),
        csv.prop_map(|(delimiter, [quote, escape], null, header)| Form::Csv(Csv {
            delimiter,
            quote,
            escape,
            null: null.as_bytes().into(),
            header,
            force_quote: ForceQuote::None,
        })),
        Just(Form::Binary),
    ]
}

/// A table, another of the same size, and how the first is written.
fn sheets() -> impl Strategy<Value = (Sheet, Table)> {
    let size = (1u16..5, 0usize..6);
    let tables = size.prop_flat_map(|(columns, rows)| {
        let row = || prop::collection::vec(values(), usize::from(columns));
        let table = || prop::collection::vec(row(), rows);
        (Just(columns), table(), table())
    });
    (
        tables,
        forms(),
        0..4,
        prop::collection::vec(any::<bool>(), 4),
    )
        .prop_map(|((columns, mut rows, mut edits), mut form, how, some)| {
            let mut forced = vec![false; 8];
            match &mut form {
                Form::Csv(csv) => {
                    csv.header |= how == 3;
                    let named = some.iter().enumerate().filter(|(_, is)| **is);
                    let name = |(index, _)| format!("c{index}").into_bytes().into();
                    (csv.force_quote, forced) = match how {
                        0 => (ForceQuote::None, vec![false; 8]),
                        1 => (ForceQuote::All, vec![true; 8]),
                        2 => (ForceQuote::Columns(some.clone().into()), some),
                        _ => (ForceQuote::Names(named.map(name).collect()), some),
                    };
                }
                // A value that is written as NULL cannot be told from it.
                Form::Text(text) => {
                    let table = rows.iter_mut().chain(&mut edits).flatten();
                    for value in table.filter(|it| it.as_deref() == Some(&text.null)) {
                        *value = None;
                    }
                }
                Form::Binary => {}
            }
            let options = Options {
                form,
                encoding: None,
            };
            let sheet = Sheet {
                options,
                columns,
                forced,
                rows,
            };
            (sheet, edits)
        })
}

proptest! {
    #[test]
    fn rows_are_found_and_read_and_written_again_the_same_however_they_are_cut(
        (sheet, _) in sheets(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let data = sheet.encode();
        prop_assert_eq!(rewrite(&sheet, &data, &cuts, &sheet.rows), data);
    }

    #[test]
    fn a_row_with_other_values_is_written_as_postgresql_writes_one_that_has_them(
        (sheet, edits) in sheets(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let data = sheet.encode();
        let clear = Sheet { rows: edits.clone(), ..sheet.clone() }.encode();
        prop_assert_eq!(rewrite(&sheet, &data, &cuts, &edits), clear);
    }

    #[test]
    fn whatever_is_no_copy_at_all_is_never_changed(
        data in prop::collection::vec(any::<u8>(), 0..200),
        head in any::<bool>(),
        form in forms(),
        columns in 0u16..4,
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut data = data;
        if head {
            data.splice(0..0, *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        }
        let rows = Rows::new(Arc::new(Options { form, encoding: None }), columns);
        let (found, place) = parts(&rows, &data, &cuts);
        prop_assert_eq!(&found, &parts(&rows, &data, &[]).0);
        prop_assert_eq!(place, parts(&rows, &data, &[]).1);
        for (bytes, _) in found {
            if let Some(read) = rows.read(&bytes) {
                prop_assert_eq!(fields(&read).len(), usize::from(columns));
                let mut out = BytesMut::new();
                rows.write(&bytes, &read, [], &mut out);
                prop_assert_eq!(&out[..], &bytes[..]);
            }
        }
    }
}

fn rows(form: Form, columns: u16) -> Rows {
    let encoding = None;
    Rows::new(Arc::new(Options { form, encoding }), columns)
}

#[test]
fn a_row_with_fields_too_few_or_too_many_is_not_read() {
    let text = rows(Form::Text(Text::default()), 2);
    let csv = rows(Form::Csv(Csv::default()), 2);
    assert!(text.read(b"a\tb\n").is_some());
    assert!(csv.read(b"a,b\n").is_some());
    for line in [
        &b"a\n"[..],
        b"a\tb\tc\n",
        b"a\tb",
        b"",
        b"a\tb\\\n",
        b"a\\\tb\n",
    ] {
        assert!(text.read(line).is_none(), "{}", line.escape_ascii());
    }
    for line in [
        &b"a\n"[..],
        b"a,b,c\n",
        b"a,b",
        b"",
        b"a,\"b\n",
        b"\"a,b\"\n",
    ] {
        assert!(csv.read(line).is_none(), "{}", line.escape_ascii());
    }
}

#[test]
fn an_unterminated_quote_leaves_the_row_without_an_end() {
    let csv = rows(Form::Csv(Csv::default()), 2);
    let (found, place) = parts(&csv, b"a,b\nc,\"d\ne,f\n", &[]);
    assert_eq!(found, [(b"a,b\n".to_vec(), Part::Row)]);
    assert!(!place.is_between_rows());
    assert!(!place.is_lost());
}

#[test]
fn binary_data_with_lying_counts_lengths_or_flags_is_lost() {
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let binary = rows(Form::Binary, 1);
    for (case, bytes) in [
        ("another count", &[0, 2, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ("a count under -1", &[0xff, 0xfe, 0, 0]),
        ("a length under -1", &[0, 1, 0xff, 0xff, 0xff, 0xfe, 0, 1]),
        ("no fields where there are columns", &[0, 0]),
    ] {
        let (found, place) = parts(&binary, &[header, bytes].concat(), &[]);
        assert_eq!(found.len(), 1, "{case}");
        assert!(place.is_lost(), "{case}");
    }
    for (case, at, bit) in [
        ("a signature", 3, 1),
        ("a critical flag", 12, 1),
        ("an extension's length", 15, 0x80),
    ] {
        let mut header = *header;
        header[at] ^= bit;
        let (found, place) = parts(&binary, &header, &[]);
        assert!(found.is_empty() && place.is_lost(), "{case}");
    }
    // A length past the end is waited for.
    let (found, place) = parts(
        &binary,
        &[&header[..], &[0, 1, 0, 0, 0, 9, 1]].concat(),
        &[],
    );
    assert_eq!(found.len(), 1);
    assert!(!place.is_lost() && !place.is_between_rows());
}

#[test]
fn escapes_that_only_copy_from_knows_are_undone_too() {
    let text = rows(Form::Text(Text::default()), 1);
    let read = text.read(b"\\101\\x42\\x4\\q\\7\n").unwrap();
    assert_eq!(fields(&read), [Some(b"AB\x04q\x07".to_vec())]);
}

#[test]
fn an_x_without_digits_is_itself() {
    let text = rows(Form::Text(Text::default()), 1);
    let read = text.read(b"\\xg\\x\n").unwrap();
    assert_eq!(fields(&read), [Some(b"xgx".to_vec())]);
}

#[test]
fn every_byte_is_written_as_postgresql_would_and_read_again() {
    let other_csv = Csv {
        quote: b'\'',
        escape: b'"',
        ..Csv::default()
    };
    for form in [
        Form::Text(Text::default()),
        Form::Csv(Csv::default()),
        Form::Csv(other_csv),
        Form::Binary,
    ] {
        let sheet = |byte: u8| Sheet {
            options: Options {
                form: form.clone(),
                encoding: None,
            },
            columns: 2,
            forced: vec![false; 8],
            rows: vec![vec![Some(vec![b'a', byte]), Some(vec![byte, b'b'])]],
        };
        for byte in 0..=u8::MAX {
            let written = rewrite(&sheet(b'x'), &sheet(b'x').encode(), &[], &sheet(byte).rows);
            assert_eq!(written, sheet(byte).encode(), "{form:?} {byte:#x}");
            assert_eq!(
                rewrite(&sheet(byte), &written, &[], &sheet(byte).rows),
                written
            );
        }
    }
}

#[test]
fn in_csv_what_looks_like_the_end_is_in_quotes_where_it_is_alone() {
    for (columns, expected) in [(1, &b"\"\\.\"\n"[..]), (2, b"\\.,x\n")] {
        let csv = rows(Form::Csv(Csv::default()), columns);
        let row = if columns == 1 { &b"x\n"[..] } else { b"x,x\n" };
        let read = csv.read(row).unwrap();
        let mut out = BytesMut::new();
        csv.write(row, &read, [(0, Some(&b"\\."[..]))], &mut out);
        assert_eq!(&out[..], expected);
    }
}

#[test]
fn binary_parts_end_with_their_last_byte_even_where_that_is_a_length() {
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".as_slice();
    let none = [0, 0].as_slice();
    let empty = [0, 1, 0, 0, 0, 0].as_slice();
    for (columns, row) in [(0, none), (1, empty)] {
        let binary = rows(Form::Binary, columns);
        let mut place = binary.beginning();
        for (bytes, part) in [(header, Part::Frame), (row, Part::Row), (row, Part::Row)] {
            assert_eq!(binary.next(&mut place, bytes), Some((bytes.len(), part)));
        }
        assert_eq!(binary.next(&mut place, &[0xff; 2]), Some((2, Part::Frame)));
        assert!(place.is_lost());
    }
}

#[test]
fn words_stay_whole_where_no_letter_digit_or_dot_is_a_quote_or_an_escape() {
    for form in [Form::Text(Text::default()), Form::Binary] {
        assert!(rows(form, 1).keep_words());
    }
    for (quote, escape, keeps) in [
        (b'"', b'"', true),
        (b'\'', b'\\', true),
        (b'a', b'"', false),
        (b'"', b'9', false),
        (b'"', b'.', false),
    ] {
        let csv = Csv {
            quote,
            escape,
            ..Csv::default()
        };
        assert_eq!(rows(Form::Csv(csv), 1).keep_words(), keeps);
    }
}

#[test]
fn a_heading_is_what_comes_before_the_first_row_where_there_is_one() {
    for header in [true, false] {
        let csv = Csv {
            header,
            ..Csv::default()
        };
        let csv = rows(Form::Csv(csv), 1);
        let mut place = csv.beginning();
        assert_eq!(place.is_in_heading(), header);
        assert_eq!(csv.next(&mut place, b"c"), None);
        assert_eq!(place.is_in_heading(), header);
        let part = if header { Part::Frame } else { Part::Row };
        assert_eq!(csv.next(&mut place, b"1\n"), Some((2, part)));
        assert!(!place.is_in_heading());
    }
}

fn csv_that_names_b() -> Rows {
    let named = Csv {
        force_quote: ForceQuote::Names([(*b"b").into()].into()),
        ..Csv::default()
    };
    rows(Form::Csv(named), 2)
}

#[test]
fn in_csv_a_header_line_says_which_columns_are_in_quotes() {
    let mut csv = csv_that_names_b();
    csv.headed(b"a,b\n");
    let row = b"\"x,y\",z\n";
    let read = csv.read(row).unwrap();
    let mut out = BytesMut::new();
    let edits = [(0, Some(&b"1"[..])), (1, Some(&b"2"[..]))];
    csv.write(row, &read, edits, &mut out);
    assert_eq!(&out[..], b"1,\"2\"\n");
}

#[test]
fn in_csv_names_alone_leave_quotes_as_they_came() {
    let csv = csv_that_names_b();
    let row = b"\"x,y\",z\n";
    let read = csv.read(row).unwrap();
    let mut out = BytesMut::new();
    let edits = [(0, Some(&b"1"[..])), (1, Some(&b"2"[..]))];
    csv.write(row, &read, edits, &mut out);
    assert_eq!(&out[..], b"\"1\",2\n");
}

#[test]
fn what_a_response_says_is_read_and_nothing_may_be_left_over() {
    let body = [0, 0, 2, 0, 0, 0, 0];
    let expected = Response {
        format: Format::Text,
        columns: 2,
    };
    assert_eq!(Response::parse(&body), Ok(expected));
    for length in 0..body.len() {
        assert!(Response::parse(&body[..length]).is_err(), "{length}");
    }
    assert!(Response::parse(&[2, 0, 0]).is_err());
    assert!(Response::parse(&[1, 0, 0, 0]).is_err());
}

#[test]
fn values_are_written_in_binary_by_the_binary_form_alone() {
    for (form, format) in [
        (Form::Text(Text::default()), Format::Text),
        (Form::Csv(Csv::default()), Format::Text),
        (Form::Binary, Format::Binary),
    ] {
        assert_eq!(rows(form, 1).format(), format);
    }
}
