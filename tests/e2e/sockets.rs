//! The connector's unix sockets: which users of the host they let in, and their files.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use harness::http::Request;
use harness::raw::{message, rows};
use harness::{Chain, Connector, Keys, Link, Program, Signal, as_owner, psql, psql_program, until};

const ANSWER: &str = "select 6 * 7";

/// A server, and a connector before it that listens on sockets.
struct Stand {
    connector: Connector,
    link: Link,
    keys: Keys,
}

impl Stand {
    fn start(lines: &[&str]) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let link = Chain::builder().start_link(&keys);
        let identity = keys.client_identity("app");
        let port = link.server.port();
        let connector = Connector::start_with_sockets("connector", &identity, port, lines);
        Self {
            connector,
            link,
            keys,
        }
    }

    /// One that lets in another user than the one that runs the tests.
    fn for_another_user() -> Self {
        let other = rustix::process::geteuid().as_raw() + 1;
        Self::start(&[&format!("allow_users = [{other}]")])
    }

    fn conninfo(&self) -> String {
        let directory = self.connector.socket_dir().display();
        format!("host={directory} port=5432 user=postgres dbname=postgres")
    }

    fn api(&self, path: &str) -> harness::http::Response {
        let mut stream = UnixStream::connect(self.connector.api_socket()).unwrap();
        Request::get(path).send_over(&mut stream)
    }
}

fn users_refused(stand: &Stand) -> String {
    let metrics = stand.connector.api(&Request::get("/metrics"));
    let line = metrics.text().lines().find_map(|line| {
        line.strip_prefix("pgseal_connector_users_refused_total ")
            .map(str::to_owned)
    });
    line.unwrap()
}

#[tokio::test]
async fn an_application_is_served_by_socket_as_by_tcp() {
    let stand = Stand::start(&[]);
    let sealed = stand.keys.client("app").seal(b"a sealed value").unwrap();
    let (by_socket, connection) = tokio_postgres::connect(&stand.conninfo(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let by_tcp = stand.connector.connect().await;
    for session in [&by_socket, &by_tcp] {
        let row = session.query_one("select $1::bytea", &[&sealed]).await;
        assert_eq!(row.unwrap().get::<_, &[u8]>(0), b"a sealed value");
    }
    let by_psql = psql(&stand.conninfo(), ["-Atc", ANSWER]).success();
    assert_eq!(by_psql, "42\n");
    let client = stand.api("/v1/client");
    assert_eq!(client.status, 200);
    let expected = stand.keys.client("app").key_id();
    assert_eq!(client.recipient().key_id(), expected);
    assert_eq!(stand.api("/health").status, 200);
    assert_eq!(users_refused(&stand), "0");
}

#[test]
fn a_user_that_is_not_named_is_told_why_and_logged() {
    let stand = Stand::for_another_user();
    let refused = psql(&stand.conninfo(), ["-Atc", ANSWER]);
    assert_eq!(refused.code, Some(2));
    let said = &refused.stderr;
    assert!(
        said.contains("FATAL:  this user may not use pgseal-connector")
            && said.contains("allow_users"),
        "{said}"
    );
    let uid = rustix::process::geteuid().as_raw();
    let line = stand.connector.process().wait_for_line("turned away");
    assert!(
        line.contains(&format!("uid {uid} pid ")) && line.contains("allow_users"),
        "{line}"
    );
    for path in ["/v1/client", "/metrics", "/health", "/nothing"] {
        let response = stand.api(path);
        assert_eq!(response.status, 403, "{path}");
        assert!(response.text().contains("allow_users"), "{response:?}");
    }
    let line = stand.connector.process().wait_for_line("the local API");
    assert!(line.contains(&format!("uid {uid} pid ")), "{line}");
    assert_eq!(users_refused(&stand), "5");
    // By TCP nothing shows who it is, and the log has said so.
    let by_tcp = psql(&stand.connector.address().conninfo(), ["-Atc", ANSWER]);
    assert_eq!(by_tcp.success(), "42\n");
    let warned = stand
        .connector
        .process()
        .wait_for_line("every user of this host");
    assert!(warned.contains("WARN"), "{warned}");
}

#[test]
fn where_no_user_is_named_only_the_connectors_own_is_let_in() {
    let stand = Stand::start(&[]);
    let ask = |program: Program| program.run().code;
    let psql = || psql_program(&stand.conninfo(), ["-Atc", ANSWER]);
    assert_eq!(ask(psql()), Some(0));
    // Only root can be another user.
    if rustix::process::geteuid().is_root() {
        assert_eq!(ask(as_owner(psql())), Some(2));
        assert_eq!(users_refused(&stand), "1");
    }
}

#[test]
fn a_user_that_is_not_named_cancels_nothing() {
    let stand = Stand::for_another_user();
    let mut session = stand.connector.address().raw();
    let greeting = session.start();
    let key = greeting.iter().find(|message| message.tag == b'K').unwrap();
    let mut cancel = UnixStream::connect(stand.connector.socket()).unwrap();
    cancel
        .write_all(&message::cancel_request(&key.body))
        .unwrap();
    let mut answer = Vec::new();
    cancel.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"", "a cancel request never gets an answer");
    assert_eq!(users_refused(&stand), "1");
    let metrics = stand.connector.api(&Request::get("/metrics"));
    assert!(
        metrics
            .text()
            .contains("pgseal_connector_cancels_total 0\n")
    );
    assert_eq!(stand.link.server.counted("cancels_total"), 0);
    assert_eq!(rows(&session.query("select 1")).len(), 1);
}

#[test]
fn a_socket_goes_with_its_connector_and_one_that_a_killed_one_has_left_makes_way() {
    let mut stand = Stand::start(&[]);
    let files = [stand.connector.socket(), stand.connector.api_socket()];
    stand.connector.process().kill();
    assert!(
        files.iter().all(|file| file.exists()),
        "nobody removes them"
    );
    stand.connector.restart();
    assert_eq!(psql(&stand.conninfo(), ["-Atc", ANSWER]).success(), "42\n");
    assert!(stand.connector.process().terminate().success());
    let left: Vec<_> = fs::read_dir(stand.connector.socket_dir())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_running_session_outlives_the_socket_of_a_connector_that_drains() {
    let stand = Stand::start(&[]);
    let mut session = UnixStream::connect(stand.connector.socket()).unwrap();
    let startup = message::startup(&[("user", "postgres"), ("database", "postgres")]);
    session.write_all(&startup).unwrap();
    let ready = |session: &mut UnixStream| {
        let mut answer = Vec::new();
        while !answer.ends_with(b"Z\0\0\0\x05I") {
            let mut byte = [0];
            session.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        answer
    };
    ready(&mut session);
    stand.connector.process().signal(Signal::TERM);
    until("the socket to be gone", || {
        (!stand.connector.socket().exists()).then_some(())
    });
    session.write_all(&message::query(ANSWER)).unwrap();
    let answer = ready(&mut session);
    assert!(answer.windows(2).any(|text| text == b"42"));
    session.write_all(&message::terminate()).unwrap();
    assert!(stand.connector.process().wait().success());
}

/// Runs a connector that is to fail over this file, and gives what it says.
fn refused(stand: &Stand, file: &Path) -> String {
    let identity = stand.keys.client_identity("app");
    let finished = Program::named("pgseal-connector")
        .args(["--server", "127.0.0.1:1", "--api-listen", "127.0.0.1:0"])
        .args(["--listen".as_ref(), file.as_os_str()])
        .args([
            "--tls-certificate".as_ref(),
            identity.certificate.as_os_str(),
        ])
        .args([
            "--tls-private-key".as_ref(),
            identity.private_key.as_os_str(),
        ])
        .args(["--tls-ca".as_ref(), identity.ca.as_os_str()])
        .run();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    finished.stderr
}

#[test]
fn a_second_connector_on_a_path_fails_with_one_line_and_the_first_serves_on() {
    let stand = Stand::start(&[]);
    let file = stand.connector.socket();
    let says = refused(&stand, &file);
    let expected = format!(
        "pgseal-connector: listen: {}: another program listens there; end it, or choose another path\n",
        file.display()
    );
    assert_eq!(says, expected);
    assert_eq!(psql(&stand.conninfo(), ["-Atc", ANSWER]).success(), "42\n");
}

#[test]
fn a_file_that_is_no_socket_stays_and_is_named() {
    let stand = Stand::start(&[]);
    let file = stand.connector.socket_dir().join("somebodys");
    fs::write(&file, "precious").unwrap();
    let says = refused(&stand, &file);
    let expected = format!("listen: {}: what is there is no socket", file.display());
    assert!(says.contains(&expected), "{says}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}
