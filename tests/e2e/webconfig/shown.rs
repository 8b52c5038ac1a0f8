//! What the page shows, and that it shows it anew by itself.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use harness::{Browser, PATIENCE, until};

use super::*;

/// The stream of events of a page.
pub(super) struct Events(BufReader<TcpStream>);

impl Events {
    pub(super) fn open(page: &Webconfig, browser: &Browser, name: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", page.port())).unwrap();
        let (cookie, host) = (&browser.cookie, "Host: localhost");
        let head = format!("GET /events/{name} HTTP/1.1\r\n{host}\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// Reads on until a line of it says this; gives whether one did before the stream's end.
    pub(super) fn until(&mut self, says: &str) -> bool {
        let (mut line, begun) = (String::new(), Instant::now());
        while begun.elapsed() < PATIENCE {
            line.clear();
            match self.0.read_line(&mut line) {
                Ok(0) | Err(_) => return false,
                Ok(_) if line.contains(says) => return true,
                Ok(_) => {}
            }
        }
        false
    }
}

#[test]
fn a_server_that_drains_is_shown_to_and_is_told_to_by_the_page() {
    let stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    let address = format!("127.0.0.1:{}", stand.chain.primary.server.port());
    for (draining, shows) in [("true", "it is draining"), ("false", "2 servers, all well")] {
        let fields = [("server", address.as_str()), ("draining", draining)];
        leads_to(&alice.fill_in("/", "/drain", &fields), "/");
        until("the page to show it", || {
            alice.get("/").text().contains(shows).then_some(())
        });
    }
}

#[test]
fn a_stream_of_events_ends_with_its_session() {
    let stand = Stand::start();
    let alice = stand.page.user("alice", "viewer");
    let mut events = Events::open(&stand.page, &alice, "zone-mode");
    assert!(events.until("On each server"));
    leads_to(&alice.fill_in("/", "/sign-out", &[]), "/sign-in");
    assert!(!events.until("never said"));
    // It was the stream's end, and not the test's patience.
    let mut rest = Vec::new();
    assert_eq!(events.0.read_until(0, &mut rest).unwrap(), 0);
}

#[test]
fn a_page_that_is_only_left_open_does_not_keep_its_session() {
    let stand = Stand::start_with(Chain::builder().start(), &["session_timeout = '3s'"]);
    let vera = stand.page.user("vera", "viewer");
    let mut events = Events::open(&stand.page, &vera, "fleet");
    assert!(events.until("2 servers"));
    assert!(!events.until("never said"));
    leads_to(&vera.get("/"), "/sign-in");
}
