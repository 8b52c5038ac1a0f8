//! Data of COPY, cut into messages at any byte, and those anywhere too: what the application reads is
//! the same COPY on clear data.

use super::*;

/// A COPY, as its statement and its response say it, and its data.
struct Copy {
    sql: &'static str,
    response: Vec<u8>,
    /// Its data with this value in the rows.
    data: fn(&[u8]) -> Vec<u8>,
}

impl Copy {
    fn new(sql: &'static str, columns: u8, binary: bool, data: fn(&[u8]) -> Vec<u8>) -> Self {
        let format = u8::from(binary);
        let formats = [0, format].repeat(columns.into());
        Self {
            sql,
            response: message(b'H', &[&[format, 0, columns][..], &formats].concat()),
            data,
        }
    }

    fn asked(&self) -> Vec<u8> {
        message(b'Q', &[self.sql.as_bytes(), b"\0"].concat())
    }

    /// What the database says, its data being in these messages.
    fn said(&self, data: &[u8]) -> Vec<u8> {
        let before = [start(), self.response.clone()].concat();
        let after = [
            message(b'c', b""),
            message(b'C', b"COPY 3\0"),
            message(b'Z', b"I"),
        ];
        [before.as_slice(), data, &after.concat()].concat()
    }
}

/// The end of start-up, of which opening in text must hear something.
fn start() -> Vec<u8> {
    [
        message(b'S', b"client_encoding\0UTF8\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}

fn text(value: &[u8]) -> Vec<u8> {
    let value = [b"\\".as_slice(), &hexadecimal(value)].concat();
    let row = |number: &[u8]| [number, b"\t", &value, b"\ta\\tb\\\\\n"].concat();
    [row(b"1"), b"2\t\\N\t\n".to_vec(), row(b"3")].concat()
}

fn csv(value: &[u8]) -> Vec<u8> {
    let value = hexadecimal(value);
    let row = |number: &[u8]| [number, b";'", &value, b"';'a\nb '''\n"].concat();
    [
        b"n;v;t\n".to_vec(),
        row(b"'1'"),
        b"'2';;''\n".to_vec(),
        row(b"'3'"),
    ]
    .concat()
}

fn binary(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    let row = [
        b"\0\x03\0\0\0\x01n",
        length.as_slice(),
        value,
        b"\0\0\0\x01t",
    ]
    .concat();
    let null = b"\0\x03\0\0\0\0\xff\xff\xff\xff\0\0\0\x02tt".to_vec();
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    [header, row.clone(), null, row, vec![0xff, 0xff]].concat()
}

fn copies() -> [Copy; 3] {
    let sql = "copy t to stdout (format csv, header, delimiter ';', quote '''', force_quote *)";
    [
        Copy::new("copy t to stdout", 3, false, text),
        Copy::new(sql, 3, false, csv),
        Copy::new("copy t to stdout (format binary)", 3, true, binary),
    ]
}

fn copy_data(data: &[u8]) -> Vec<u8> {
    message(b'd', data)
}

/// The data in what leaves, and all else.
fn taken_apart(mut left: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut data, mut others) = (Vec::new(), Vec::new());
    while let Some(header) = wire::Header::parse(left).unwrap() {
        let (message, rest) = left.split_at(header.total());
        match header.tag {
            b'd' if header.body == 0 => panic!("an empty message"),
            b'd' => data.extend_from_slice(&message[5..]),
            _ => others.extend_from_slice(message),
        }
        left = rest;
    }
    assert!(left.is_empty());
    (data, others)
}

#[tokio::test]
async fn copied_values_open_however_rows_are_cut_into_messages() {
    let fixture = Fixture::new("error");
    let sealed = fixture.recipient.seal(b"plain").unwrap();
    for copy in copies() {
        let (came, clear) = ((copy.data)(&sealed), (copy.data)(b"plain"));
        let others = taken_apart(&copy.said(&[])).1;
        let opens = async |data: Vec<u8>, case: &str| {
            let came = copy.said(&data);
            // In pieces that no message ends with, and as a whole.
            for size in [97, came.len()] {
                let pieces = Pieces::new(came.chunks(size));
                let left = fixture.db_to_app(&copy.asked(), pieces).await;
                let left = taken_apart(&left);
                let case = format!("{} {case}, {size}", copy.sql);
                assert!(left.0 == clear, "{case}: {}", left.0.escape_ascii());
                assert!(left.1 == others, "{case}: {}", left.1.escape_ascii());
            }
        };
        for at in 1..came.len() {
            let (first, second) = came.split_at(at);
            let data = [copy_data(first), copy_data(second)].concat();
            opens(data, &format!("cut at {at}")).await;
        }
        for size in 1..60 {
            let data: Vec<u8> = came.chunks(size).flat_map(copy_data).collect();
            opens(data, &format!("in messages of {size}")).await;
        }
    }
}

#[tokio::test]
async fn messages_between_those_of_a_copied_row_stay_in_their_order() {
    let fixture = Fixture::new("error");
    let sealed = fixture.recipient.seal(b"plain").unwrap();
    let notice = message(b'N', b"SNOTICE\0Mhere\0\0");
    for copy in copies() {
        let (came, clear) = ((copy.data)(&sealed), (copy.data)(b"plain"));
        let pieces: Vec<Vec<u8>> = came.chunks(50).map(copy_data).collect();
        let came = copy.said(&pieces.join(notice.as_slice()));
        let left = fixture
            .db_to_app(&copy.asked(), Pieces::new([&came[..]]))
            .await;
        let left = taken_apart(&left);
        let others = taken_apart(&copy.said(&notice.repeat(pieces.len() - 1))).1;
        assert_eq!(left, (clear, others), "{}", copy.sql);
    }
}

#[tokio::test]
async fn copied_rows_without_a_value_pass_message_for_message_wherever_they_are_cut() {
    let fixture = Fixture::new("error");
    for copy in copies() {
        let data =
            (copy.data)(b"\xf5pgs\x01 looks like one, and is none, for it is too short to be");
        for size in 1..data.len() {
            let pieces: Vec<u8> = data.chunks(size).flat_map(copy_data).collect();
            let came = copy.said(&pieces);
            let left = fixture
                .db_to_app(&copy.asked(), Pieces::new(came.chunks(61)))
                .await;
            assert!(
                left == came,
                "{} by {size}: {}",
                copy.sql,
                left.escape_ascii()
            );
        }
    }
}

#[tokio::test]
async fn data_that_is_no_copy_passes_as_it_came() {
    let fixture = Fixture::new("ciphertext");
    let sealed = fixture.recipient.seal(b"plain").unwrap();
    for (index, copy) in copies().iter().enumerate() {
        let data = (copy.data)(&sealed);
        // It ends within its first row; a quote, or a field, that does not end; other columns.
        let mut cases = vec![data[..80].to_vec()];
        cases.push(match index {
            0 => data
                .iter()
                .map(|byte| if *byte == b'\t' { b' ' } else { *byte })
                .collect(),
            1 => [b"n;v;t\n'".to_vec(), data[6..].to_vec()].concat(),
            _ => [&data[..23], &[0x7f, 0xff, 0xff, 0xff], &data[24..]].concat(),
        });
        cases.push(match index {
            0 | 1 => [
                b"1;2;3;4\t\t\t;".to_vec(),
                data.split(|byte| *byte == b'\n')
                    .next_back()
                    .unwrap()
                    .to_vec(),
            ]
            .concat(),
            _ => [&data[..19], &[0, 4], &data[21..]].concat(),
        });
        for (number, data) in cases.iter().enumerate() {
            for size in [7, 64, data.len()] {
                let pieces: Vec<u8> = data.chunks(size).flat_map(copy_data).collect();
                let came = copy.said(&pieces);
                let left = fixture
                    .db_to_app(&copy.asked(), Pieces::new(came.chunks(61)))
                    .await;
                let case = format!("{} {number} by {size}", copy.sql);
                assert!(left == came, "{case}: {}", left.escape_ascii());
            }
        }
    }
}

#[tokio::test]
async fn a_copied_row_that_is_none_is_refused_where_a_value_seems_to_be_in_it() {
    let fixture = Fixture::new("error");
    let sealed = fixture.recipient.seal(b"plain").unwrap();
    // One column less than its rows have.
    let copy = Copy::new("copy t to stdout", 2, false, text);
    let before = b"1\t2\t3\n".as_slice();
    let came = copy.said(&copy_data(&[before, &text(&sealed)].concat()));
    let left = fixture
        .db_to_app(&copy.asked(), Pieces::new([&came[..]]))
        .await;
    let (data, others) = taken_apart(&left);
    assert_eq!(data, before);
    let error = refusals::VALUE.to_message();
    let expected = [start(), copy.response.clone(), error.to_vec()];
    assert_eq!(others, [expected.concat(), message(b'Z', b"I")].concat());
}

#[tokio::test]
async fn an_error_stands_where_a_refused_value_was_copied() {
    let fixture = Fixture::new("error");
    let mut sealed = fixture.recipient.seal(b"plain").unwrap();
    *sealed.last_mut().unwrap() ^= 1;
    let error = refusals::VALUE.to_message();
    for copy in copies() {
        let (good, bad) = ((copy.data)(b"plain"), (copy.data)(&sealed));
        let same = good
            .iter()
            .zip(&bad)
            .take_while(|(good, bad)| good == bad)
            .count();
        // Up to the beginning of its first row.
        let before = match copy.response[5] {
            0 => bad[..same]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1),
            _ => 19,
        };
        let begun = match before {
            0 => Vec::new(),
            _ => copy_data(&bad[..before]),
        };
        let leaves = [start(), copy.response.clone(), begun, error.to_vec()];
        let leaves = [leaves.concat(), message(b'Z', b"I")].concat();
        for at in before.max(1)..bad.len() {
            let (first, second) = bad.split_at(at);
            let came = copy.said(&[copy_data(first), copy_data(second)].concat());
            let left = fixture
                .db_to_app(&copy.asked(), two(&came, came.len() / 2))
                .await;
            if at == before {
                // Then it is in the second message.
                assert_eq!(taken_apart(&left).0, bad[..before]);
                continue;
            }
            assert!(
                left == leaves,
                "{} at {at}: {}",
                copy.sql,
                left.escape_ascii()
            );
        }
    }
}

#[tokio::test]
async fn of_a_copy_whose_statement_cannot_be_read_nothing_opens() {
    let sql = "copy t to stdout (some_day 'x')";
    for (on_refused, passes) in [("ciphertext", true), ("null", false), ("error", false)] {
        let fixture = Fixture::new(on_refused);
        let sealed = fixture.recipient.seal(b"plain").unwrap();
        let copy = Copy::new(sql, 3, false, text);
        let before = b"1\t2\t3\n".as_slice();
        let data = [copy_data(before), copy_data(&text(&sealed))].concat();
        let came = copy.said(&data);
        let left = fixture
            .db_to_app(&copy.asked(), Pieces::new(came.chunks(61)))
            .await;
        match passes {
            true => assert_eq!(left, came),
            false => {
                let (data, others) = taken_apart(&left);
                assert_eq!(data, before);
                let error = refusals::VALUE.to_message();
                let expected = [start(), copy.response.clone(), error.to_vec()];
                assert_eq!(others, [expected.concat(), message(b'Z', b"I")].concat());
            }
        }
        let counted = fixture.shared.metrics.render();
        assert!(
            counted.contains("reason=\"copy_unread\"} 1"),
            "{on_refused}"
        );
        // Binary data is what it says it is.
        let copy = Copy::new(sql, 3, true, binary);
        let came = copy.said(&copy_data(&binary(&sealed)));
        let left = fixture
            .db_to_app(&copy.asked(), Pieces::new([&came[..]]))
            .await;
        assert_eq!(taken_apart(&left).0, binary(b"plain"));
    }
}

#[tokio::test]
async fn a_functions_result_opens_in_the_format_that_was_asked_for() {
    let fixture = Fixture::new("error");
    let sealed = fixture.recipient.seal(b"plain").unwrap();
    let result = |value: &[u8]| {
        let length = u32::try_from(value.len()).unwrap().to_be_bytes();
        message(b'V', &[&length, value].concat())
    };
    let said = |value: &[u8]| {
        let ready = message(b'Z', b"I");
        let null = message(b'V', &[0xff; 4]);
        [ready.clone(), result(value), ready.clone(), null, ready].concat()
    };
    for (format, came, leaves) in [
        (0, hexadecimal(&sealed), hexadecimal(b"plain")),
        (1, sealed.clone(), b"plain".to_vec()),
    ] {
        let call = message(b'F', &[0, 0, 4, 210, 0, 0, 0, 0, 0, format]);
        let (came, leaves) = (said(&came), said(&leaves));
        for at in 0..=came.len() {
            let pieces = two(&came, at);
            let left = fixture.db_to_app(&call.repeat(2), pieces).await;
            assert!(left == leaves, "{format} at {at}: {}", left.escape_ascii());
        }
    }
}
