//! The protocol by hand: what PostgreSQL answers, and TLS between two ends of the harness.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use harness::http::Request;
use harness::raw::tls::Hello;
use harness::raw::{Ended, Session, message, tags};
use harness::{Ca, Cluster, Impostor, Leaf, Settings, until};

#[test]
fn postgresql_answers_as_documented() {
    let cluster = Cluster::start();
    let mut session = cluster.address().raw();
    let greeting = tags(&session.start());
    assert!(
        greeting.starts_with('R') && greeting.ends_with("KZ"),
        "{greeting}"
    );
    assert_eq!(tags(&session.query("select 1; ; select 2")), "TDCTDCZ");
    assert_eq!(
        session.query("select null, 'x'")[1].row(),
        [None, Some(b"x".to_vec())]
    );
    let error = session.query("select 1 / (x - 2) from generate_series(1, 3) x");
    assert_eq!(tags(&error), "TDEZ");
    assert_eq!(error[2].sqlstate(), "22012");

    let mut batch = message::parse("s", "select $1::text || $2");
    batch.extend(message::describe_statement("s"));
    batch.extend(message::bind("", "s", &[Some(b"a"), Some(b"b")], 1));
    batch.extend(message::describe_portal(""));
    batch.extend(message::execute("", 0));
    batch.extend(message::close_portal(""));
    batch.extend(message::close_statement("s"));
    batch.extend(message::sync());
    session.send(batch);
    let answer = session.read_until_ready();
    assert_eq!(tags(&answer), "1tT2TDC33Z");
    assert_eq!(answer[5].row(), [Some(b"ab".to_vec())]);

    session.query("create table t (x text)");
    session.send(message::query("copy t from stdin"));
    assert_eq!(session.read().unwrap().tag, b'G');
    session.send(
        [
            message::copy_data(b"on"),
            message::copy_data(b"e\n"),
            message::copy_done(),
        ]
        .concat(),
    );
    assert_eq!(tags(&session.read_until_ready()), "CZ");
    session.send(message::terminate());
    assert_eq!(session.read(), Err(Ended::Closed));
}

#[test]
fn requests_before_the_start_are_answered_by_one_byte() {
    let cluster = Settings::new().tls().start_cluster();
    let mut session = cluster.address().raw();
    session.send(message::ssl_request());
    assert_eq!(session.read_byte(), Ok(b'S'));
    let mut session = Hello::anonymous()
        .alpn(&[])
        .over(session.into_stream())
        .unwrap();
    session.start();
    assert_eq!(tags(&session.query("select 1")), "TDCZ");
}

#[test]
fn a_cancel_request_reaches_the_session_whose_key_it_has() {
    let cluster = Cluster::start();
    let mut session = cluster.address().raw();
    let greeting = session.start();
    let key = greeting.iter().find(|message| message.tag == b'K').unwrap();
    session.send(message::query("select pg_sleep(600)"));
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    until("the query to begin", || {
        (cluster.value(sleeping) == "1").then_some(())
    });
    let mut cancel = cluster.address().raw();
    cancel.send(message::cancel_request(&key.body));
    assert_eq!(cancel.read(), Err(Ended::Closed));
    let answer = session.read_until_ready();
    let error = answer.iter().find(|message| message.tag == b'E').unwrap();
    assert_eq!(error.sqlstate(), "57014");
}

#[test]
fn a_password_in_clear_is_sent_by_hand() {
    let cluster = Settings::new().user("clear", "open sesame", harness::Auth::Password);
    let cluster = cluster.start_cluster();
    let mut session = cluster.address().raw();
    session.send(message::startup(&[
        ("user", "clear"),
        ("database", "postgres"),
    ]));
    assert_eq!(session.read().unwrap().body, [0, 0, 0, 3]);
    session.send(message::password("open sesame"));
    assert!(tags(&session.read_until_ready()).ends_with("KZ"));
}

#[test]
fn a_version_too_new_is_negotiated_down() {
    let cluster = Cluster::start();
    let mut session = cluster.address().raw();
    let parameters = [("user", "postgres"), ("database", "postgres")];
    session.send(message::startup_version(message::VERSION_3_2, &parameters));
    assert_eq!(session.read().unwrap().tag, b'v');
    session.finish();
}

#[test]
fn an_impostor_hears_what_a_careless_peer_tells_it() {
    let ca = Ca::new();
    let impostor = Impostor::start(&ca.issue(&Leaf::server("impostor")));
    let client = ca.issue(&Leaf::client("app"));
    let mut session = Hello::from(&client).connect(impostor.port()).unwrap();
    let connection = &session.stream().conn;
    assert_eq!(connection.alpn_protocol(), Some(b"postgresql".as_slice()));
    assert_eq!(
        connection.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    session.send("the first words");
    until("the impostor to hear", || {
        (impostor.connections() == 1).then_some(())
    });
    assert_eq!(impostor.heard(), b"the first words");
}

#[test]
fn an_impostor_speaks_no_old_tls() {
    let ca = Ca::new();
    let impostor = Impostor::start(&ca.issue(&Leaf::server("impostor").expired()));
    assert!(Hello::anonymous().tls12().connect(impostor.port()).is_err());
    assert!(
        Hello::anonymous()
            .alpn(&["h2"])
            .connect(impostor.port())
            .is_err()
    );
}

#[test]
fn a_page_is_asked_for_and_read_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let head: Vec<String> = stream
            .by_ref()
            .lines()
            .map(Result::unwrap)
            .take(6)
            .collect();
        let mut body = [0; 4];
        stream.read_exact(&mut body).unwrap();
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 201 Created\r\n\r\nhello")
            .unwrap();
        (head, body)
    });
    let request = Request::post("/page")
        .header("Origin", "elsewhere")
        .body("four");
    let page = request.send(port);
    assert_eq!((page.status, page.text()), (201, "hello"));
    let head = [
        "POST /page HTTP/1.1",
        "Host: localhost",
        "Origin: elsewhere",
        "Connection: close",
        "Content-Length: 4",
        "",
    ];
    let (asked, body) = server.join().unwrap();
    assert_eq!(asked, head);
    assert_eq!(body, *b"four");
}

#[test]
fn connecting_where_nobody_listens_is_an_error() {
    let port = harness::free_port();
    assert!(Session::try_connect(([127, 0, 0, 1], port.number()).into()).is_err());
}
