//! The three listeners that speak HTTP: requests that are none, that never end, and that are too
//! large.

use std::io::Read;

use harness::raw::{Session, Stream};
use harness::{Random, rounds};

use super::doors::{Door, HTTP, Stand};

/// How much of something endless is sent before the test gives up, in bytes.
const ENDLESS: usize = 64 << 20;

const GOOD: &[u8] = b"GET /v1/client HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /v1/zones HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn with_header(header: &str) -> Vec<u8> {
    format!("GET /v1/client HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n")
        .into_bytes()
}

fn cases(random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| cases.push((name, bytes));
    for count in (0..GOOD.len()).step_by(5) {
        add(format!("{count} bytes of a request"), GOOD[..count].into());
    }
    for number in 0..rounds(40) {
        add(format!("a request flipped ({number})"), random.flip(GOOD));
        let count = 1 + random.below(5_000);
        add(format!("random bytes ({number})"), random.bytes(count));
    }
    for length in [
        "-1",
        "18446744073709551615",
        "99999999999999999999",
        "4, 5",
        "x",
    ] {
        let header = format!("Content-Length: {length}\r\n");
        add(format!("a body of {length} bytes"), post(&header, b"{}"));
    }
    let chunked = "Transfer-Encoding: chunked\r\n";
    for size in ["ffffffffffffffff", "7fffffff", "-1", "zz"] {
        let body = format!("{size}\r\n{{}}\r\n");
        add(format!("a chunk of {size}"), post(chunked, body.as_bytes()));
    }
    let long = "x".repeat(1 << 20);
    add(
        "a body over the limit".into(),
        post("Content-Length: 1048576\r\n", long.as_bytes()),
    );
    add(
        "a long path".into(),
        format!("GET /{long} HTTP/1.1\r\n\r\n").into(),
    );
    add(
        "a long header".into(),
        with_header(&format!("X-Long: {long}")),
    );
    add(
        "many headers".into(),
        with_header(&"X: y\r\n".repeat(5_000)),
    );
    add("a header without a colon".into(), with_header("nonsense"));
    add("a version to come".into(), b"GET / HTTP/9.9\r\n\r\n".into());
    add(
        "the beginning of HTTP/2".into(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
    );
    add(
        "a start-up packet".into(),
        b"\0\0\0\x08\x04\xd2\x16\x2f".into(),
    );
    cases
}

/// Nothing, or a response that does not blame the program itself.
#[track_caller]
fn is_response(heard: &[u8], case: &str) {
    let status = heard.get(9..12).and_then(|code| str::from_utf8(code).ok());
    let fine = heard.starts_with(b"HTTP/1.") && matches!(status, Some(code) if code < "500");
    assert!(heard.is_empty() || fine, "{case}: {}", heard.escape_ascii());
}

#[test]
fn what_is_no_request_is_answered_as_such_or_closed() {
    let (stand, mut random) = (Stand::start("5s"), Random::new());
    for (case, bytes) in cases(&mut random) {
        for door in HTTP {
            let case = format!("{door:?}, {case}");
            let mut session = stand.open(door);
            // It may be closed before all has been sent.
            let _ = session.try_send(&bytes);
            session.finish();
            is_response(&session.last_words(&case), &case);
        }
    }
    stand.is_unharmed();
}

/// Sends `begin` and then `more` again and again, until nobody takes it; answers what came back.
fn send_endlessly(
    mut session: Session<Box<dyn Stream>>,
    begin: &[u8],
    more: &[u8],
) -> Option<Vec<u8>> {
    let many = more.repeat(64 * 1024 / more.len());
    session.send(begin);
    let taken = (0..ENDLESS / many.len()).find(|_| session.try_send(&many).is_err());
    taken?;
    let mut heard = Vec::new();
    let _ = session.into_stream().read_to_end(&mut heard);
    Some(heard)
}

#[test]
fn a_request_that_never_ends_is_ended() {
    let stand = Stand::start("5s");
    let line = b"GET / HTTP/1.1\r\nHost: localhost\r\n".as_slice();
    let chunked = post("Transfer-Encoding: chunked\r\n", b"");
    let cases: [(&str, &[u8], &[u8]); 4] = [
        ("a head", line, b"X-More: of it\r\n"),
        ("a header", b"GET / HTTP/1.1\r\nX: ", b"more"),
        ("a request line", b"GET /", b"more"),
        ("a body", &chunked, b"4\r\nmore\r\n"),
    ];
    for (case, begin, more) in cases {
        for door in HTTP {
            let case = format!("{door:?}, {case} that never ends");
            let heard = send_endlessly(stand.open(door), begin, more);
            let heard = heard.unwrap_or_else(|| panic!("{case}: {ENDLESS} bytes were taken"));
            is_response(&heard, &case);
        }
    }
    stand.is_unharmed();
}

#[test]
fn a_head_that_is_not_gone_on_with_is_let_go() {
    let stand = Stand::start("5s");
    let open = |door: Door| {
        let mut session = stand.open(door);
        session.send(&GOOD[..GOOD.len() / 2]);
        (door, session)
    };
    for (door, session) in HTTP.map(open) {
        let case = format!("{door:?}, half a head");
        is_response(&session.last_words(&case), &case);
    }
    stand.is_unharmed();
}
