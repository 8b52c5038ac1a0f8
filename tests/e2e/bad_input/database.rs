//! A database that lies: what comes from its side is not trusted either. The application gets what
//! was whole, and then one error or a closed connection.

use harness::raw::{message, tags};
use harness::{Random, rounds};

use super::{LENGTHS, messages};
use crate::scripted::{Script, Stand};

/// Lets an application in.
pub fn login() -> Vec<u8> {
    [
        message::tagged(b'R', &[0; 4]),
        message::tagged(b'K', &[1; 8]),
        message::tagged(b'Z', b"I"),
    ]
    .concat()
}

/// `RowDescription` of one column of this type, in text.
fn described(type_oid: u32) -> Vec<u8> {
    let mut body = b"\0\x01c\0\0\0\0\0\0\0".to_vec();
    body.extend(type_oid.to_be_bytes());
    body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    message::tagged(b'T', &body)
}

const BYTEA: u32 = 17;
/// Of integers, in which nothing is looked for.
const INTEGER: u32 = 23;

/// A `DataRow` of one field that announces `length` and has two bytes.
fn row(count: u16, length: i32) -> Vec<u8> {
    let body = [&count.to_be_bytes(), &length.to_be_bytes()[..], b"ab"].concat();
    message::tagged(b'D', &body)
}

/// An `ErrorResponse` that ends the session.
fn fatal(code: &str) -> Vec<u8> {
    let body = format!("SFATAL\0VFATAL\0C{code}\0Mthe database says so\0\0");
    message::tagged(b'E', body.as_bytes())
}

/// What the application gets: the types of the messages, and the SQLSTATE of the last.
type Expected = (&'static str, Option<&'static str>);

const GARBLED: Option<&str> = Some("08P01");
const GONE: Option<&str> = Some("57P01");

/// Ways to say something unfit, and what is to come of them.
fn lies() -> Vec<(Script, Expected)> {
    let after = |prefix: &[u8], says: &[u8]| [login().as_slice(), prefix, says].concat();
    let (bytea, number) = (described(BYTEA), described(INTEGER));
    let offer = |body: &[u8]| message::tagged(b'R', &[&[0, 0, 0, 10], body].concat());
    let whole = |name, says: Vec<u8>| Script::new(name, &says);
    let cut = |name, says: Vec<u8>| Script::new(name, &says).then_closes();
    let fine = [
        row(1, 2),
        message::tagged(b'C', b"SELECT 1\0"),
        message::tagged(b'Z', b"I"),
    ]
    .concat();
    vec![
        (cut("no word", vec![]), ("E", GONE)),
        (
            whole("a page", b"HTTP/1.1 400 Bad Request\r\n\r\n".into()),
            ("E", GARBLED),
        ),
        (
            whole("an empty authentication", message::tagged(b'R', b"")),
            ("E", GARBLED),
        ),
        (
            whole("only PLUS on offer", offer(b"SCRAM-SHA-256-PLUS\0\0")),
            ("E", GARBLED),
        ),
        (
            whole("an offer without an end", offer(b"SCRAM-SHA-256-PLUS\0")),
            ("E", GARBLED),
        ),
        (
            whole(
                "an offer with more behind it",
                offer(b"SCRAM-SHA-256\0\0more"),
            ),
            ("E", GARBLED),
        ),
        (
            whole("a field of -2 bytes", after(&bytea, &row(1, -2))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field of 3 bytes in 2", after(&bytea, &row(1, 3))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field of 2 GB in 2", after(&bytea, &row(1, i32::MAX))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field of 1 byte in 2", after(&bytea, &row(1, 1))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field too few", after(&bytea, &row(2, 2))),
            ("RKZTE", GARBLED),
        ),
        (
            whole(
                "a row longer than PostgreSQL can send",
                after(
                    &bytea,
                    &[b"D".as_slice(), &0x4000_0004u32.to_be_bytes()].concat(),
                ),
            ),
            ("RKZTE", GARBLED),
        ),
        (
            whole("65,535 fields", after(&bytea, &row(u16::MAX, 2))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("an empty row", after(&bytea, &message::tagged(b'D', b""))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a lie never described", after(b"", &row(1, 3))),
            ("RKZE", GARBLED),
        ),
        (
            cut("half a row", after(&bytea, &row(1, 2)[..9])),
            ("RKZTE", GONE),
        ),
        (
            cut("half a header", after(&bytea, b"D\0\0")),
            ("RKZTE", GONE),
        ),
        (
            cut(
                "half a message that passes",
                after(&number, &row(1, 2)[..9]),
            ),
            ("RKZTE", GONE),
        ),
        // It is on its way already: nothing can be put behind its half.
        (
            cut(
                "half a long message that passes",
                after(
                    &number,
                    &message::tagged(b'D', &[&[0, 1][..], &[0; 10_000]].concat())[..9],
                ),
            ),
            ("RKZT", None),
        ),
        // Passed on as they came: what is in them is between the database and the application.
        (
            cut(
                "a description cut short",
                after(&message::tagged(b'T', b"\0\x02c\0"), &fine),
            ),
            ("RKZTDCZE", GONE),
        ),
        (
            cut("a row that nobody opens", after(&number, &row(1, 3))),
            ("RKZTDE", GONE),
        ),
        (
            cut(
                "a key of two bytes",
                [message::tagged(b'K', b"ab"), login()].concat(),
            ),
            ("KRKZE", GONE),
        ),
        (
            cut(
                "readiness without a status",
                after(b"", &message::tagged(b'Z', b"")),
            ),
            ("RKZZE", GONE),
        ),
        (
            cut(
                "answers to nothing",
                after(
                    b"",
                    &["1", "2", "3", "n", "s", "I", "t", "G", "H", "W", "c", "?"]
                        .map(|tag| message::tagged(tag.as_bytes()[0], b""))
                        .concat(),
                ),
            ),
            ("RKZ123nsItGHWc?E", GONE),
        ),
        (
            cut("its own last word", after(b"", &fatal("57P03"))),
            ("RKZE", Some("57P03")),
        ),
    ]
}

#[test]
fn a_lying_database_ends_the_session_with_one_error_in_its_place() {
    let lies = lies();
    let scripts = lies.iter().map(|(script, _)| script.clone()).collect();
    let stand = Stand::start(scripts, &[]);
    for (script, (types, sqlstate)) in lies {
        let mut heard = stand.ask(&script.name);
        if sqlstate.is_none() {
            // Up to the message that was cut off.
            let half = heard.len() - 9;
            assert_eq!(heard.get(half), Some(&b'D'), "{}", script.name);
            heard.truncate(half);
        }
        let heard = messages(&heard, &script.name);
        assert_eq!(tags(&heard), types, "{}: {heard:?}", script.name);
        if let Some(sqlstate) = sqlstate {
            assert_eq!(
                heard.last().unwrap().sqlstate(),
                sqlstate,
                "{}",
                script.name
            );
        }
    }
    stand.ends_unharmed();
}

#[test]
fn whatever_a_database_sends_the_session_ends_and_the_programs_live() {
    let mut random = Random::new();
    let mut scripts = Vec::new();
    let good = [login(), described(BYTEA), row(1, 2), fatal("57P03")].concat();
    for tag in b"RSKZTDECNAGHdv" {
        for length in LENGTHS {
            let says = [[*tag].as_slice(), &length.to_be_bytes(), &[0; 20]].concat();
            let name = format!("{} of {length} bytes", char::from(*tag));
            scripts.push(Script::new(&name, &says).then_closes());
            let name = format!("{name} in a session");
            scripts.push(Script::new(&name, &[login(), says].concat()).then_closes());
        }
    }
    for number in 0..rounds(60) {
        let count = 1 + random.below(2_000);
        let name = format!("random bytes ({number})");
        scripts.push(Script::new(&name, &random.bytes(count)).then_closes());
        let says = [login(), random.bytes(count)].concat();
        scripts.push(Script::new(&format!("{name} in a session"), &says).then_closes());
        let name = format!("a flipped session ({number})");
        scripts.push(Script::new(&name, &random.flip(&good)).then_closes());
    }
    // After an error, an empty one too, nobody says more.
    scripts.push(Script::new("an empty error", &message::tagged(b'E', b"")).then_closes());
    let names: Vec<_> = scripts.iter().map(|script| script.name.clone()).collect();
    let stand = Stand::start(scripts, &[]);
    for name in names {
        stand.ask(&name);
    }
    stand.ends_unharmed();
}

#[test]
fn a_database_that_answers_the_request_for_tls_with_nonsense_is_not_reached() {
    let scripts = vec![
        Script::at_once("no", b"N"),
        Script::at_once(
            "no, and goes on in clear",
            &[b"N".as_slice(), &login()].concat(),
        ),
        Script::at_once("an error", &fatal("57P03")),
        Script::at_once(
            "yes, and goes on in clear",
            &[b"S".as_slice(), &login()].concat(),
        ),
        Script::at_once("yes, and hangs up", b"S").then_closes(),
        Script::at_once("nothing, and hangs up", b"").then_closes(),
        Script::at_once("nothing", b""),
    ];
    let names: Vec<_> = scripts.iter().map(|script| script.name.clone()).collect();
    let lines = [
        "database.sslmode = 'require'",
        "database.connect_timeout = '500ms'",
    ];
    let stand = Stand::start(scripts, &lines);
    for name in names {
        let heard = messages(&stand.ask(&name), &name);
        assert_eq!(tags(&heard), "E", "{name}");
        assert_eq!(heard[0].sqlstate(), "08006", "{name}");
    }
    stand.ends_unharmed();
}
