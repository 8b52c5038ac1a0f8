//! What comes before a session, and what ends one, where the chain does not answer as PostgreSQL
//! does, or PostgreSQL answers with silence: both outcomes, side by side.

use harness::raw::message::{self, tagged};
use harness::raw::{Ended, Message, Session, tags};
use harness::{Address, Chain, Keys, Process, Release, Settings};

/// What is sent, and what comes then: bytes that answer requests, and messages by their types and
/// SQLSTATEs.
struct Case {
    name: &'static str,
    sends: Vec<u8>,
    direct: &'static str,
    by_chain: &'static str,
}

fn announcing(tag: u8, length: u32) -> Vec<u8> {
    [[tag].as_slice(), &length.to_be_bytes(), &[0; 100]].concat()
}

/// Bytes that come before any start-up message, at a database that has TLS.
fn before_a_session() -> Vec<Case> {
    let (ssl, gss) = (message::ssl_request, message::gssenc_request);
    let case = |name, sends: &[Vec<u8>], direct, by_chain| Case {
        name,
        sends: sends.concat(),
        direct,
        by_chain,
    };
    vec![
        case("TLS asked for twice", &[ssl(), ssl()], "S", "N E08P01"),
        case(
            "a query behind a request for TLS",
            &[ssl(), message::query("select 1")],
            "S",
            "N E08P01",
        ),
        case(
            "GSSAPI asked for twice",
            &[gss(), gss()],
            "GSSAPI",
            "N E08P01",
        ),
        case(
            "TLS from the first byte",
            &[b"\x16\x03\x01\0\x05hello".to_vec()],
            "TLS",
            "E08P01",
        ),
        case(
            "a request to cancel of 17 bytes",
            &[message::cancel_request(&[1; 9])],
            "",
            "",
        ),
        case(
            "a request to cancel nobody's query",
            &[message::cancel_request(&[1; 8])],
            "",
            "",
        ),
        case("a packet of 3 bytes", &[vec![0, 0, 0, 3, 0]], "", "E08P01"),
        case(
            "a packet of 2 GB",
            &[vec![0x7f, 0xff, 0xff, 0xff, 0]],
            "",
            "E08P01",
        ),
        case(
            "a protocol of another kind",
            &[message::startup_version(2 << 16, &[])],
            "E in words",
            "E0A000",
        ),
    ]
}

/// What ends a session that has begun.
fn in_a_session() -> Vec<Case> {
    let case = |name, sends, direct| Case {
        name,
        sends,
        direct,
        by_chain: direct,
    };
    vec![
        case("a query of 3 bytes", announcing(b'Q', 3), ""),
        case("a query of 2 GB", announcing(b'Q', 0x7fff_ffff), ""),
        case("a Sync of 10,001 bytes", announcing(b'S', 10_001), ""),
        case("a type that is none", tagged(b'?', b"what"), "E08P01"),
    ]
}

fn begun(address: Address) -> Session {
    let mut session = address.raw();
    session.start();
    session
}

/// All that comes until the peer hangs up, in short.
fn answer(mut session: Session, case: &Case) -> String {
    let _ = session.try_send(&case.sends);
    session.finish();
    describe(&session.last_words(case.name))
}

fn describe(heard: &[u8]) -> String {
    let mut words = vec![];
    let mut rest = heard;
    while let Some((&tag, after)) = rest.split_first() {
        let length = after
            .first_chunk()
            .map(|length| u32::from_be_bytes(*length));
        match length.and_then(|length| after.get(4..usize::try_from(length).ok()?)) {
            Some(body) => {
                let message = Message {
                    tag,
                    body: body.to_vec(),
                };
                words.push(format!("{}{}", char::from(tag), message.sqlstate()));
                rest = &after[4 + body.len()..];
            }
            None if tag == b'E' => {
                words.push("E in words".to_owned());
                rest = &[];
            }
            None => {
                words.push(char::from(tag).to_string());
                rest = after;
            }
        }
    }
    words.join(" ")
}

/// A PostgreSQL that was built with GSSAPI says that it has it. From version 17 on TLS may begin at
/// once, and what is none is answered with an alert or not at all.
fn expected<'a>(case: &'a Case, direct: &'a str) -> &'a str {
    match case.direct {
        "GSSAPI" if direct.starts_with('G') => direct,
        "GSSAPI" => "N E08P01",
        "TLS" => direct,
        other => other,
    }
}

fn compare(release: Release) {
    let keys = Keys::new();
    keys.add_client("app");
    let settings = Settings::new().release(release).tls();
    let link = Chain::builder().settings(settings).start_link(&keys);
    let mut differences = vec![];
    let mut judge = |case: &Case, direct: String, by_chain: String| {
        if direct != expected(case, &direct) || by_chain != case.by_chain {
            differences.push(format!("{}: {direct:?} {by_chain:?}", case.name));
        }
    };
    for case in before_a_session() {
        let [direct, by_chain] =
            [link.database.address(), link.address()].map(|address| answer(address.raw(), &case));
        judge(&case, direct, by_chain);
    }
    for case in in_a_session() {
        let [direct, by_chain] =
            [link.database.address(), link.address()].map(|address| answer(begun(address), &case));
        judge(&case, direct, by_chain);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_the_chain_answers_before_a_session_is_as_documented() {
    compare(Release::Installed);
}

#[test]
fn what_the_chain_answers_before_a_session_with_postgresql_18_is_as_documented() {
    compare(Release::Eighteen);
}

#[test]
fn probes_that_close_without_a_word_leave_none_in_the_logs() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().start_link(&keys);
    let log = || [link.connector.process(), link.server.process()].map(Process::log_bytes);
    // What the programs have to say of their start is said.
    link.connector.process().wait_for_line("the server tells");
    let before = log();
    for _ in 0..100 {
        for address in [link.address(), Address::local(link.server.port())] {
            let mut probe = address.raw();
            probe.finish();
            assert_eq!(probe.read(), Err(Ended::Closed));
        }
    }
    assert_eq!(tags(&begun(link.address()).query("select 1")), "TDCZ");
    assert_eq!(log(), before);
}
