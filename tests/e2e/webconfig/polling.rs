//! How the page asks servers: on connections that it keeps, for as long as they are what they were.

use harness::{Direction, Keys, Server, Tap, free_port, until};

use super::*;

/// A page over a server, and what goes between them.
struct Tapped {
    page: Webconfig,
    tap: Tap,
    _server: Server,
    keys: Keys,
}

impl Tapped {
    fn start() -> Self {
        let (keys, port) = (Keys::new(), free_port());
        let database = format!("127.0.0.1:{port}");
        let identity = keys.server_identity("polled");
        let server = Server::start("polled", &identity, &keys, &database, &[]);
        let tap = Tap::to(server.port());
        // A busy machine is no server that does not answer.
        let patient = ["answer_timeout = '60s'"];
        let page = Webconfig::start(&keys.admin_identity("page"), &[tap.port()], &patient);
        Self {
            page,
            tap,
            _server: server,
            keys,
        }
    }

    /// Waits for some questions: the page says nothing else to a server.
    fn wait_for_questions(&self) {
        for _ in 0..5 {
            let asked = self.tap.count(Direction::AppToDb);
            until("a question", || {
                (self.tap.count(Direction::AppToDb) > asked).then_some(())
            });
        }
    }

    /// The page makes its so many'th connection to the server, and asks a while without making another.
    #[track_caller]
    fn makes_connections(&self, count: usize) {
        until("the connection", || {
            (self.tap.connections() >= count).then_some(())
        });
        self.wait_for_questions();
        assert_eq!(self.tap.connections(), count);
    }
}

#[test]
fn questions_share_a_connection_until_it_breaks_or_the_certificate_is_another() {
    let mut stand = Tapped::start();
    // One to listen, and one to ask.
    stand.makes_connections(2);
    stand.tap.cut();
    stand.makes_connections(4);
    // What the page has of TLS is read again: what it listens on stays, and it asks anew.
    stand.page.apply(&[]);
    stand.makes_connections(5);
}

/// Connections to this port of 127.0.0.1 that are open (proc(5), `/proc/net/tcp`).
fn open_to(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace());
    let is_open = |mut row: std::str::SplitWhitespace<'_>| {
        let (to, state) = (row.nth(2), row.next());
        to == Some(format!("0100007F:{port:04X}").as_str()) && state == Some("01")
    };
    rows.filter(|row| is_open(row.clone())).count()
}

#[test]
fn a_server_whose_certificate_is_revoked_is_asked_nothing_more() {
    let stand = Tapped::start();
    let port = stand.tap.port();
    stand.makes_connections(2);
    assert_eq!(open_to(port), 2);
    let identity = stand.keys.server_identity("polled");
    let certificate = identity.certificate.display().to_string();
    stand
        .keys
        .keymaker(&["cert", "revoke", &certificate])
        .success();
    until("all to be closed", || (open_to(port) == 0).then_some(()));
}
