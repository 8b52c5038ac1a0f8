//! In a session: messages with lying lengths, cut, flipped, too long, and random bytes. What can be
//! a message goes to PostgreSQL, which says what it thinks of it.

use harness::raw::message;
use harness::{Random, rounds};

use super::doors::{Door, Stand};
use super::{LENGTHS, messages};

const DOORS: [Door; 3] = [
    Door::ServerClassicTls,
    Door::ServerDirectTls,
    Door::Connector,
];

/// Every type that an application may send, and two that it may not.
const TYPES: &[u8] = b"QPBDECHSFdcfpX\0Z";

/// A good conversation of many kinds of messages.
fn conversation() -> Vec<u8> {
    [
        message::query("select 1"),
        message::parse("one", "select $1::text"),
        message::bind("", "one", &[Some(b"a value")], 1),
        message::describe_portal(""),
        message::execute("", 0),
        message::close_statement("one"),
        message::sync(),
        message::query("copy (select 2) to stdout"),
    ]
    .concat()
}

/// A message of this type that announces this length, and a hundred bytes.
fn announcing(tag: u8, length: u32) -> Vec<u8> {
    [[tag].as_slice(), &length.to_be_bytes(), &[0; 100]].concat()
}

/// `Bind` of no parameters but with these counts and lengths in it.
fn bind(formats: u16, parameters: u16, length: u32) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend(formats.to_be_bytes());
    body.extend(parameters.to_be_bytes());
    body.extend(length.to_be_bytes());
    message::tagged(b'B', &body)
}

fn cases(random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let good = conversation();
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| cases.push((name, bytes));
    for tag in TYPES {
        for length in LENGTHS {
            let name = format!("{} of {length} bytes", char::from(*tag).escape_debug());
            add(name, announcing(*tag, length));
        }
    }
    for count in (0..good.len()).step_by(7) {
        add(
            format!("{count} bytes of a conversation"),
            good[..count].into(),
        );
    }
    for number in 0..rounds(60) {
        add(
            format!("a conversation flipped ({number})"),
            random.flip(&good),
        );
    }
    for number in 0..rounds(20) {
        let count = 1 + random.below(3_000);
        add(format!("random bytes ({number})"), random.bytes(count));
    }
    for (formats, parameters, length) in [
        (u16::MAX, 0, 0),
        (0, u16::MAX, 0),
        (0, 1, 5),
        (0, 1, (1 << 31) - 1),
        (0, 2, u32::MAX),
        (0, 1, 1 << 31),
    ] {
        let name = format!("Bind that lies: {formats} {parameters} {length}");
        add(
            name,
            [bind(formats, parameters, length), message::sync()].concat(),
        );
    }
    add(
        "a name without an end".into(),
        message::tagged(b'P', &[b'x'; 5_000]),
    );
    add(
        "a query without an end".into(),
        message::tagged(b'Q', b"select 1"),
    );
    add(
        "Describe over the limit".into(),
        message::tagged(b'D', &[b'x'; 9_997]),
    );
    add(
        "a query of a megabyte".into(),
        message::query(&"x".repeat(1 << 20)),
    );
    add(
        "COPY data where there is no COPY".into(),
        message::copy_data(&[b'x'; 1 << 20]).repeat(8),
    );
    add(
        "ten thousand times Sync".into(),
        message::sync().repeat(10_000),
    );
    cases
}

#[test]
fn what_is_no_message_ends_in_an_error_or_a_closed_connection() {
    let (stand, mut random) = (Stand::start("5s"), Random::new());
    let cases = cases(&mut random);
    for (index, (case, bytes)) in cases.iter().enumerate() {
        let door = DOORS[index % DOORS.len()];
        let case = format!("{door:?}, {case}");
        let mut session = stand.open(door);
        session.start();
        // It may be closed before all has been sent.
        let _ = session.try_send(bytes);
        session.finish();
        messages(&session.last_words(&case), &case);
    }
    stand.is_unharmed();
}

#[test]
fn a_length_that_postgresql_would_not_take_closes_the_session_at_once() {
    let stand = Stand::start("5s");
    for door in DOORS {
        for (tag, length) in [
            (b'Q', 0),
            (b'Q', 3),
            (b'Q', u32::MAX),
            (b'D', 10_001),
            (b'S', 1 << 30),
        ] {
            let mut session = stand.open(door);
            session.start();
            session.send(announcing(tag, length));
            let case = format!("{door:?}, {} of {length} bytes", char::from(tag));
            messages(&session.last_words(&case), &case);
        }
    }
    stand.is_unharmed();
}
