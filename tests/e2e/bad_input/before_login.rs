//! Where a session should begin: start-up packets that are none, TLS that is none, and peers that
//! do not go on.

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use harness::raw::tls::Hello;
use harness::raw::{Ended, message, tags};
use harness::{Random, rounds};

use super::doors::{DATA, Door, Stand};
use super::{LENGTHS, messages};

fn startup() -> Vec<u8> {
    message::startup(&[("user", "postgres"), ("database", "postgres")])
}

/// A start-up packet that announces this length.
fn announcing(length: u32) -> Vec<u8> {
    [&length.to_be_bytes(), startup().get(4..).unwrap()].concat()
}

/// A good start with so many letters in a parameter.
fn startup_with(letters: usize) -> Vec<u8> {
    let name = "x".repeat(letters);
    message::startup(&[("user", "postgres"), ("application_name", &name)])
}

/// What a TLS client says first.
fn client_hello(stand: &Stand) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = Hello::from(&stand.app());
    let client = thread::spawn(move || hello.connect(port).is_err());
    let mut stream = listener.accept().unwrap().0;
    let mut bytes = vec![0; 16 * 1024];
    let count = stream.read(&mut bytes).unwrap();
    bytes.truncate(count);
    drop(stream);
    assert!(client.join().unwrap(), "nobody answered it");
    bytes
}

/// Bytes that begin no session, or one that PostgreSQL itself refuses or soon loses.
fn cases(stand: &Stand, random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let (good, hello) = (startup(), client_hello(stand));
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| cases.push((name, bytes));
    for length in LENGTHS {
        add(format!("a packet of {length} bytes"), announcing(length));
    }
    for count in 0..good.len() {
        add(
            format!("{count} bytes of a start-up packet"),
            good[..count].into(),
        );
    }
    for count in (0..hello.len()).step_by(97) {
        add(
            format!("{count} bytes of a TLS greeting"),
            hello[..count].into(),
        );
    }
    for number in 0..rounds(40) {
        add(
            format!("a start-up packet flipped ({number})"),
            random.flip(&good),
        );
        add(
            format!("a TLS greeting flipped ({number})"),
            random.flip(&hello),
        );
    }
    for number in 0..rounds(20) {
        let (few, many) = (1 + random.below(300), 1 + random.below(50_000));
        add(format!("few random bytes ({number})"), random.bytes(few));
        add(format!("many random bytes ({number})"), random.bytes(many));
        let tls = [b"\x16\x03\x01".as_slice(), &random.bytes(many)].concat();
        add(format!("random bytes that begin as TLS ({number})"), tls);
    }
    for request in [message::ssl_request(), message::gssenc_request()] {
        add("a request twice".into(), request.repeat(2));
        add("a request a thousand times".into(), request.repeat(1000));
        add(
            "a request with bytes too many".into(),
            message::untagged(&[&request[4..], b"x"].concat()),
        );
    }
    for count in [0, 3, 257, 9_000] {
        let key = vec![1; 4 + count];
        add(
            format!("a cancel request with a key of {count}"),
            message::cancel_request(&key),
        );
    }
    add(
        "a start-up packet over the limit".into(),
        startup_with(10_000),
    );
    add("a megabyte of one letter".into(), vec![b'A'; 1 << 20]);
    add("a query first".into(), message::query("select 1"));
    add(
        "a page asked for".into(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
    );
    add(
        "protocol 2".into(),
        message::startup_version(2 << 16, &[("user", "a")]),
    );
    add(
        "protocol 4".into(),
        message::startup_version(4 << 16, &[("user", "a")]),
    );
    add("no parameters".into(), message::untagged(&[0, 3, 0, 0]));
    add(
        "no user".into(),
        message::startup(&[("database", "postgres")]),
    );
    cases
}

/// Without the bytes that answer requests for encryption. A message of such a type has a zero behind
/// it, because it is short.
fn without_answers(mut heard: &[u8]) -> &[u8] {
    while let [b'S' | b'N', rest @ ..] = heard
        && rest.first() != Some(&0)
    {
        heard = rest;
    }
    heard
}

#[test]
fn what_is_no_start_ends_in_an_error_or_a_closed_connection() {
    let (stand, mut random) = (Stand::start("5s"), Random::new());
    for (case, bytes) in cases(&stand, &mut random) {
        for door in DATA {
            let case = format!("{door:?}, {case}");
            let mut session = stand.open(door);
            // It may be closed before all has been sent.
            let _ = session.try_send(&bytes);
            session.finish();
            let heard = session.last_words(&case);
            let heard = without_answers(&heard);
            // Records of TLS say nothing in clear.
            if !matches!(heard, [0x14..=0x16, 3, ..]) {
                messages(heard, &case);
            }
        }
    }
    stand.is_unharmed();
}

#[test]
fn whoever_says_too_little_is_let_go_after_startup_timeout() {
    let stand = Stand::start("1s");
    let (good, hello) = (startup(), client_hello(&stand));
    let half = good.len() / 2;
    let mut cases: Vec<(Door, &str, &[u8])> = vec![
        (
            Door::ServerInClear,
            "half a TLS greeting",
            &hello[..hello.len() / 2],
        ),
        (Door::ServerInClear, "a whole TLS greeting", &hello),
        (Door::ServerInClear, "one byte of TLS", &hello[..1]),
    ];
    let (request, announced) = (message::gssenc_request(), announcing(10_000));
    for door in DATA {
        cases.push((door, "one byte", &good[..1]));
        cases.push((door, "a length", &good[..4]));
        cases.push((door, "half a start", &good[..half]));
        cases.push((door, "all but one byte", &good[..good.len() - 1]));
        cases.push((door, "a start that is announced longer", &announced));
    }
    for door in [Door::ServerInClear, Door::Connector] {
        cases.push((door, "nothing", b""));
        cases.push((door, "a request and no more", &request));
    }
    let begin = Instant::now();
    let sessions: Vec<_> = cases
        .into_iter()
        .map(|(door, case, bytes)| {
            let mut session = stand.open(door);
            session.send(bytes);
            (format!("{door:?}, {case}"), session)
        })
        .collect();
    for (case, session) in sessions {
        session.last_words(&case);
    }
    let elapsed = begin.elapsed().as_secs();
    assert!(elapsed < 10, "that is the default, not what was configured");
    stand.is_unharmed();
}

#[test]
fn a_start_in_pieces_is_a_start() {
    let stand = Stand::start("5s");
    for door in [
        Door::ServerClassicTls,
        Door::ServerDirectTls,
        Door::Connector,
    ] {
        let mut session = stand.open(door);
        for byte in startup() {
            session.send([byte]);
        }
        assert!(
            tags(&session.read_until_ready()).ends_with("KZ"),
            "{door:?}"
        );
    }
    stand.is_unharmed();
}

#[test]
fn each_kind_of_encryption_is_asked_for_once() {
    let stand = Stand::start("5s");
    let (ssl, gss) = (message::ssl_request, message::gssenc_request);
    let ask = |door, requests: &[Vec<u8>]| {
        let mut session = stand.open(door);
        let answers: Vec<_> = requests
            .iter()
            .map(|request| {
                session.send(request);
                session.read_byte()
            })
            .collect();
        (session, answers)
    };
    for requests in [
        vec![],
        vec![ssl()],
        vec![gss()],
        vec![ssl(), gss()],
        vec![gss(), ssl()],
    ] {
        let (mut session, answers) = ask(Door::Connector, &requests);
        assert_eq!(answers, vec![Ok(b'N'); requests.len()]);
        assert!(tags(&session.start()).ends_with("KZ"));
    }
    for again in [[ssl(), gss(), ssl()], [gss(), ssl(), gss()]] {
        let (session, answers) = ask(Door::Connector, &again);
        assert_eq!(answers, [Ok(b'N'), Ok(b'N'), Ok(b'E')]);
        let heard = [b"E".as_slice(), &session.last_words("again")].concat();
        assert_eq!(messages(&heard, "again")[0].sqlstate(), "08P01");
    }
    // The server encrypts when asked, so nothing is asked for after that.
    let (session, answers) = ask(Door::ServerInClear, &[gss(), ssl()]);
    assert_eq!(answers, [Ok(b'N'), Ok(b'S')]);
    drop(session);
    let (_, answers) = ask(Door::ServerInClear, &[gss(), gss()]);
    assert_eq!(answers, [Ok(b'N'), Err(Ended::Closed)]);
    stand.is_unharmed();
}

#[test]
fn what_comes_in_clear_behind_a_request_for_tls_is_no_session() {
    let stand = Stand::start("5s");
    for stuffed in [
        startup(),
        message::ssl_request(),
        message::query("select 1"),
    ] {
        let mut session = stand.open(Door::ServerInClear);
        session.send([message::ssl_request(), stuffed].concat());
        let heard = session.last_words("stuffed");
        // Yes to TLS, and the alert that what came is none.
        assert_eq!(heard[0], b'S');
        assert!(
            matches!(heard[1..], [] | [0x15, ..]),
            "{}",
            heard.escape_ascii()
        );
    }
    stand.is_unharmed();
}

#[test]
fn a_start_in_clear_is_refused_with_what_to_do() {
    let stand = Stand::start("5s");
    let mut session = stand.open(Door::ServerInClear);
    session.send(startup());
    let refused = session.read_until_closed();
    assert_eq!(refused[0].sqlstate(), "28000");
    assert!(refused[0].field(b'H').unwrap().contains("pgseal-connector"));
}
