//! The largest there is: fields, parameters, rows and results of many columns. Memory does not grow
//! with them.

use std::env;
use std::io::Read;
use std::thread;

use harness::raw::{Session, literal, message, rows, tags};
use harness::{Chain, Link, PATIENCE, Random};
use sha2::{Digest, Sha256};

use super::Stand;

/// Bytes of a value, of which a field in text has twice as many and two. In a long run the largest
/// that PostgreSQL sends: a field of 1,073,741,814 bytes.
const VALUE: usize = 40 << 20;
const LONG_VALUE: usize = 536_870_906;

/// Bytes of a parameter; in a long run just under what PostgreSQL takes in a message, 2^30 - 2.
const PARAMETER: usize = 80 << 20;
const LONG_PARAMETER: usize = (1 << 30) - 100;

/// How much more memory either program may take for them, in bytes.
const ROOM: u64 = 12 << 20;

fn by_length(short: usize, long: usize) -> usize {
    env::var_os("PGSEAL_TEST_LONG").map_or(short, |_| long)
}

/// The most memory that both programs have had.
fn peaks(link: &Link) -> [u64; 2] {
    [link.server.process(), link.connector.process()].map(|process| process.peak_memory())
}

#[track_caller]
fn has_grown_by_at_most(link: &Link, before: [u64; 2], room: u64) {
    for (now, before) in peaks(link).into_iter().zip(before) {
        let grown = now - before;
        assert!(grown <= room, "{grown} bytes more than before");
    }
}

/// The digest of a row's only field, and its length, as it comes, piece by piece.
fn digest(session: &Session) -> (usize, String) {
    let mut stream = session.stream();
    let mut header = [0; 11];
    stream.read_exact(&mut header).unwrap();
    assert_eq!((header[0], &header[5..7]), (b'D', &[0, 1][..]));
    let length = u32::from_be_bytes(*header.last_chunk().unwrap()) as usize;
    let (mut left, mut hash) = (length, Sha256::new());
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        let read = stream.read(&mut piece[..left.min(1 << 20)]).unwrap();
        assert!(read > 0, "{left} bytes are missing");
        hash.update(&piece[..read]);
        left -= read;
    }
    (length, hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_largest_field_that_postgresql_sends_passes_and_takes_no_memory() {
    let mut stand = Stand::start(&Chain::builder());
    let size = by_length(VALUE, LONG_VALUE);
    let mut direct = stand.link.database.address().raw();
    direct.start();
    direct.set_timeout(10 * PATIENCE);
    for sql in [
        "create table large (value bytea); alter table large alter value set storage external",
        &format!(
            "insert into large select substr(string_agg(sha512(int4send(i)), ''), 1, {size}) \
             from generate_series(1, {size} / 64 + 1) i"
        ),
    ] {
        let answer = direct.query(sql);
        assert!(!tags(&answer).contains('E'), "{answer:?}");
    }
    let answer =
        direct.query("select encode(sha256(convert_to(value::text, 'utf8')), 'hex') from large");
    let expected = rows(&answer).remove(0).remove(0).unwrap();
    let mut session = stand.session();
    session.set_timeout(10 * PATIENCE);
    session.query("select 1");
    let before = peaks(&stand.link);
    session.send(message::query("select value from large"));
    assert_eq!(session.read().unwrap().tag, b'T');
    assert_eq!(
        digest(&session),
        (2 * size + 2, String::from_utf8(expected).unwrap())
    );
    assert_eq!(tags(&session.read_until_ready()), "CZ");
    assert_eq!(stand.link.server.counted("long_rows_passed_total"), 1);
    for policy in ["null", "error"] {
        let line = format!("on_refused = '{policy}'");
        stand.link.server.apply(&[&line]);
        let answer = session.query("select value from large");
        assert_eq!(tags(&answer), "TEZ", "{policy}");
        assert_eq!(answer[1].sqlstate(), "42501", "{policy}");
    }
    has_grown_by_at_most(&stand.link, before, ROOM);
    assert_eq!(tags(&session.query("select 1")), "TDCZ");
}

#[test]
fn a_parameter_of_nearly_a_gibibyte_gets_there_and_takes_no_memory() {
    let stand = Stand::start(&Chain::builder());
    let size = by_length(PARAMETER, LONG_PARAMETER);
    let mut session = stand.session();
    session.query("select 1");
    let before = peaks(&stand.link);
    session.send(message::parse(
        "",
        "select length($1::bytea), encode(sha256($1), 'hex')",
    ));
    // Bind with one parameter, in binary.
    let head = [&b"\0\0\0\x01\0\x01\0\x01"[..], &(size as u32).to_be_bytes()].concat();
    let length = 4 + head.len() + size + 2;
    session.send([&b"B"[..], &(length as u32).to_be_bytes(), &head].concat());
    let piece = Random::new().bytes(1 << 20);
    let (mut left, mut hash, mut number) = (size, Sha256::new(), 0_u64);
    while left > 0 {
        // No two pieces are the same.
        let piece = [&number.to_be_bytes()[..], &piece].concat();
        let piece = &piece[..left.min(1 << 20)];
        hash.update(piece);
        session.send(piece);
        left -= piece.len();
        number += 1;
    }
    session.send([0, 0]);
    session.send([message::execute("", 0), message::sync()].concat());
    session.set_timeout(10 * PATIENCE);
    let answer = session.read_until_ready();
    assert_eq!(tags(&answer), "12DCZ", "{:?}", answer.first());
    let row = &rows(&answer)[0];
    assert_eq!(row[0].as_deref(), Some(size.to_string().as_bytes()));
    assert_eq!(row[1].as_deref(), Some(hex(&hash.finalize()).as_bytes()));
    has_grown_by_at_most(&stand.link, before, ROOM);
}

/// Length of a value in a long row; a row in text is twice as long.
const LONG: usize = 3 << 20;

#[test]
fn long_rows_of_several_sessions_at_once_keep_within_open_memory() {
    const MEMORY: u64 = 24 << 20;
    let chain = Chain::builder()
        .server("max_open_row = '8MiB'")
        .server("open_memory = '24MiB'");
    let stand = Stand::start(&chain.on_refused("error"));
    let clear = b"0123456789abcdef".repeat(LONG / 16);
    let sealed = literal(&stand.app.seal(&clear).unwrap());
    let table = format!("create table stored as select {sealed} as value");
    stand.link.database.query(&table);
    stand.session().query("select 1");
    let before = peaks(&stand.link);
    let text = format!(r"\x{}", hex(&clear)).into_bytes();
    thread::scope(|scope| {
        for number in 0..6 {
            let (stand, clear, text) = (&stand, &clear, &text);
            scope.spawn(move || {
                let mut session = stand.session();
                for _ in 0..2 {
                    let sql = "select value from stored, generate_series(1, 2)";
                    let (answer, expected) = match number % 2 {
                        0 => (session.query(sql), text),
                        _ => (session.extended(sql, 1), clear),
                    };
                    let opened = rows(&answer);
                    assert_eq!(opened.len(), 2);
                    assert!(opened.iter().all(|row| row[0].as_ref() == Some(expected)));
                }
            });
        }
    });
    has_grown_by_at_most(&stand.link, before, MEMORY + ROOM);
}

/// As many as a table may have, with names as long as they may be.
const COLUMNS: usize = 1600;

#[test]
fn of_1600_columns_with_long_names_all_that_hold_values_are_opened() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let sealed = literal(&stand.app.seal(b"opened").unwrap());
    let table = format!("create table stored as select {sealed} as value");
    stand.link.database.query(&table);
    let kinds = ["value", "'text'::text", "null::bytea", r"'\x00'::bytea"];
    let columns = (0..COLUMNS).map(|number| {
        let kind = kinds[number % kinds.len()];
        format!(r#"{kind} as "{number:x>63}""#)
    });
    let columns: Vec<String> = columns.collect();
    let sql = format!("select {} from stored", columns.join(", "));
    let mut direct = stand.link.database.address().raw();
    direct.start();
    let mut session = stand.session();
    for format in [0, 1] {
        let (answer, sealed) = (
            session.extended(&sql, format),
            direct.extended(&sql, format),
        );
        assert_eq!(tags(&answer), "12TDCZ");
        // Types and names as they are; they alone are longer than a chunk.
        assert_eq!(answer[2], sealed[2]);
        assert!(answer[2].body.len() > 100_000);
        let (answer, mut expected) = (rows(&answer), rows(&sealed));
        let opened = match format {
            0 => format!(r"\x{}", hex(b"opened")).into_bytes(),
            _ => b"opened".to_vec(),
        };
        for field in expected[0].iter_mut().step_by(kinds.len()) {
            *field = Some(opened.clone());
        }
        assert_eq!(expected[0].len(), COLUMNS);
        assert_eq!(answer, expected);
    }
}
