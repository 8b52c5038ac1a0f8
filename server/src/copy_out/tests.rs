//! Messages as they arrive, cut at every byte, and what of them is to be decided on.

use super::*;
use wire::copy::{Csv, Text};

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn header(message: &[u8]) -> Header {
    Header::parse(message).unwrap().unwrap()
}

/// A COPY of one column, in a session with this encoding.
fn begin(format: Format, form: Option<Form>, named: Option<&[u8]>, session: Encoding) -> CopyOut {
    let code = u8::from(format == Format::Binary);
    let options = form.map(|form| {
        let encoding = named.map(Into::into);
        Arc::new(Options { form, encoding })
    });
    CopyOut::begin(&[code, 0, 1, 0, code], options, session)
}

fn copying(form: Form) -> CopyOut {
    let format = match form {
        Form::Text(_) | Form::Csv(_) => Format::Text,
        Form::Binary => Format::Binary,
    };
    begin(format, Some(form), None, Encoding::Utf8)
}

fn rows(copy: &mut CopyOut) -> &mut CopyRows {
    match copy {
        CopyOut::Rows(rows) => rows,
        CopyOut::Unread => panic!("it is known how its rows are written"),
    }
}

/// The rows in the message at the front that nothing follows, once it has been looked at.
fn rows_in(copy: &mut CopyOut, message: &[u8]) -> Vec<Vec<u8>> {
    let whole = header(message).total();
    assert_eq!(copy.look(header(message), message), Look::Enough(whole));
    let (body, mut at) = (&message[Header::LEN..], 0);
    std::iter::from_fn(|| rows(copy).next(body, &mut at, b""))
        .map(|piece| match piece {
            Piece::Row {
                place,
                joined: None,
            } => body[place].to_vec(),
            Piece::Row { .. } | Piece::Gone(_) => panic!("its rows begin and end in it"),
        })
        .collect()
}

fn text() -> Form {
    Form::Text(Text::default())
}

fn csv() -> Form {
    Form::Csv(Csv::default())
}

/// Binary data up to its first row.
const BINARY: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

#[test]
fn rows_are_read_where_it_is_known_how_they_are_written() {
    use Encoding::{Mixed, Utf8};
    use Format::{Binary, Text};
    let sjis = Some(b"SJIS".as_slice());
    for (format, form, named, session, is_read) in [
        (Text, Some(text()), None, Utf8, true),
        (Text, Some(csv()), None, Utf8, true),
        (Text, Some(text()), None, Mixed, false),
        (Text, Some(text()), sjis, Utf8, false),
        (Text, Some(text()), Some(b"utf8"), Mixed, true),
        (Text, Some(Form::Binary), None, Utf8, false),
        (Text, None, None, Utf8, false),
        (Binary, None, None, Utf8, true),
        (Binary, None, None, Mixed, true),
        (Binary, Some(Form::Binary), sjis, Mixed, true),
        (Binary, Some(text()), None, Utf8, false),
    ] {
        let case = format!("{format:?} {form:?} {named:?} {session:?}");
        let copy = begin(format, form, named, session);
        assert_eq!(matches!(copy, CopyOut::Rows(_)), is_read, "{case}");
    }
}

#[test]
fn a_message_waits_for_the_end_of_its_last_row_and_for_nothing_behind() {
    let within = [
        message(b'd', b"one\ntw"),
        message(b'N', b"a notice\n"),
        message(b'd', b"o"),
        message(b'd', b""),
        message(b'd', b" times\nthree"),
    ];
    let input = [within.concat(), message(b'd', b"\n")].concat();
    let enough = within.concat().len();
    // Of each message, first its header is wanted, and then all of it.
    let wanted = |length: usize| {
        let mut start = 0;
        for message in &within {
            let end = start + message.len();
            if length < start + Header::LEN {
                return Look::Wants(start + Header::LEN);
            }
            if length < end {
                return Look::Wants(end);
            }
            start = end;
        }
        Look::Enough(enough)
    };
    let mut growing = copying(text());
    for length in Header::LEN..=input.len() {
        let input = &input[..length];
        for copy in [&mut growing, &mut copying(text())] {
            assert_eq!(copy.look(header(input), input), wanted(length), "{length}");
        }
    }
}

#[test]
fn a_row_without_an_end_is_not_waited_for() {
    let begun = message(b'd', b"one\ntw");
    let done = message(b'c', b"");
    // The count of fields is another than that of columns.
    let row_begins = message(b'd', &[BINARY, b"\0"].concat());
    let is_none = message(b'd', b"\x07");
    for (form, messages, enough) in [
        (text(), [&begun, &done], begun.len()),
        (text(), [&begun, &vec![b'd', 0, 0, 0, 0]], begun.len()),
        (
            Form::Binary,
            [&row_begins, &is_none],
            row_begins.len() + is_none.len(),
        ),
    ] {
        let input = [messages[0].as_slice(), messages[1]].concat();
        let look = copying(form).look(header(&input), &input);
        assert_eq!(look, Look::Enough(enough), "{}", input.escape_ascii());
    }
}

#[test]
fn data_that_is_not_read_waits_for_its_message_alone() {
    let [first, second] = [b"one\ntw".as_slice(), b"o\n"].map(|body| message(b'd', body));
    let input = [first.as_slice(), &second].concat();
    for length in Header::LEN..=input.len() {
        let look = CopyOut::Unread.look(header(&input), &input[..length]);
        let expected = match length < first.len() {
            true => Look::Wants(first.len()),
            false => Look::Enough(first.len()),
        };
        assert_eq!(look, expected, "{length}");
    }
}

#[test]
fn a_row_is_decided_on_where_it_begins_and_its_rest_leaves_with_it_or_stays() {
    let [first, second] = [b"one\ntw".as_slice(), b"o\nthree\n"];
    let behind = [message(b'S', b"TimeZone\0UTC\0"), message(b'd', second)].concat();
    for is_gone in [false, true] {
        let mut copy = copying(text());
        let rows = rows(&mut copy);
        let mut at = 0;
        let place = |piece: Option<Piece>| match piece {
            Some(Piece::Row { place, joined }) => ("row", place, joined),
            Some(Piece::Gone(place)) => ("gone", place, None),
            None => ("none", 0..0, None),
        };
        let whole = place(rows.next(first, &mut at, &behind));
        assert_eq!(whole, ("row", 0..4, None));
        let cut = place(rows.next(first, &mut at, &behind));
        assert_eq!(cut, ("row", 4..6, Some(b"two\n".to_vec())));
        assert!(rows.next(first, &mut at, &behind).is_none());
        at = 0;
        if is_gone {
            rows.rest_is_gone();
            let rest = place(rows.next(second, &mut at, b""));
            assert_eq!(rest, ("gone", 0..2, None));
        }
        let next = place(rows.next(second, &mut at, b""));
        assert_eq!(next, ("row", 2..8, None));
    }
}

#[test]
fn rows_are_found_behind_a_message_that_passed_in_pieces() {
    for (passing, behind) in [
        ("\"a\nb", "c\"\nnext\n"),
        ("\"a\nb\"\nhal", "f\nnext\n"),
        ("\"a\nb\"\n", "next\n"),
    ] {
        let [passing, behind] = [passing, behind].map(|body| message(b'd', body.as_bytes()));
        let in_two = (0..=passing.len()).map(|at| {
            let (first, rest) = passing.split_at(at);
            vec![first, rest]
        });
        for pieces in in_two.chain([passing.chunks(1).collect()]) {
            let mut copy = copying(csv());
            copy.passes(header(&passing));
            for piece in &pieces {
                copy.passed(piece);
            }
            // Of what does not pass in pieces no note is taken.
            copy.passed(b"");
            assert_eq!(rows_in(&mut copy, &behind), [b"next\n"], "{pieces:?}");
        }
    }
}

#[test]
fn a_message_is_passed_over_where_its_rows_hold_nothing_sealed() {
    let mut copy = copying(Form::Text(Text {
        header: true,
        ..Text::default()
    }));
    for (body, is_passed_over) in [
        // The heading is to be read.
        (b"card\n".as_slice(), false),
        (b"4000\n0012\n", true),
        (b"4000\npgs1.9XBn\n", false),
        (b"0012\n", true),
    ] {
        let message = message(b'd', body);
        copy.look(header(&message), &message);
        let passed_over = rows(&mut copy).pass_over(body);
        assert_eq!(passed_over, is_passed_over, "{}", body.escape_ascii());
        if !passed_over {
            rows_in(&mut copy, &message);
        }
    }
}

#[test]
fn rows_that_may_hold_quotes_within_words_are_always_looked_into() {
    let quoted_by = |quote| {
        Form::Csv(Csv {
            quote,
            ..Csv::default()
        })
    };
    for (form, keeps_words) in [
        (text(), true),
        (csv(), true),
        (Form::Binary, true),
        (quoted_by(b's'), false),
        (quoted_by(b'.'), false),
    ] {
        let mut copy = copying(form.clone());
        let rows = rows(&mut copy);
        assert!(rows.may_hold_envelopes(b"pgs1.9XBn\n"), "{form:?}");
        let may = rows.may_hold_envelopes(b"4000\n");
        assert_eq!(may, !keeps_words, "{form:?}");
    }
}
