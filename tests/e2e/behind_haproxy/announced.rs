//! For whom HAProxy connects: in the server's log, and among its places; and what is no header of the
//! PROXY protocol, or stands where none belongs. Headers are built by hand here.

use std::time::{Duration, Instant};

use harness::http::Request;
use harness::raw::{Ended, message, tags};

use super::*;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// From there nobody announces anything.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);

fn header(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [
        &SIGNATURE,
        [version_and_command, family].as_slice(),
        &length,
        rest,
    ]
    .concat()
}

/// Announces TCP over IPv4 from this address, port 4711.
fn from_v4(address: [u8; 4]) -> Vec<u8> {
    let ports = [0x12, 0x67, 0x24, 0xb1];
    header(
        0x21,
        0x11,
        &[address.as_slice(), &[192, 0, 2, 99], &ports].concat(),
    )
}

/// A server alone, and its database.
struct Stand {
    server: Server,
    _database: Cluster,
    keys: Keys,
}

impl Stand {
    fn start(lines: &[&str]) -> Self {
        let (keys, database) = (keys(), Cluster::start());
        Self {
            // How each session ends is a line at this level.
            server: server(
                &keys,
                "server",
                &database,
                &[&["log.level = 'debug'"], lines].concat(),
            ),
            _database: database,
            keys,
        }
    }

    fn app(&self) -> Hello {
        Hello::from(&self.keys.client_identity("app"))
    }

    fn connect(&self, source: Ipv4Addr) -> Session {
        Session::connect_from(source, ([127, 0, 0, 1], self.server.port()).into())
    }

    /// A connection from the balancer that has sent this.
    fn balanced(&self, bytes: &[u8]) -> Session {
        let mut session = self.connect(BALANCER);
        session.send(bytes);
        session
    }

    /// A session over a connection on which something may have been said.
    #[track_caller]
    fn serves(&self, connection: Session) {
        let mut session = self.app().over(connection.into_stream()).unwrap();
        session.start();
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
        session.send(message::terminate());
        assert_eq!(session.read(), Err(Ended::Closed));
    }

    /// The connection comes to nothing, at once and without a word; the log says why in a line, and it is
    /// counted.
    #[track_caller]
    fn turns_away(&self, mut connection: Session, case: &str, says: &str) {
        let counted = || self.server.counted("peers_refused_total");
        let lines = || {
            let log = self.server.process().log();
            let lines = log.lines().filter(|line| line.contains(says));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        connection.set_timeout(AT_ONCE);
        assert_eq!(connection.read_byte(), Err(Ended::Closed), "{case}");
        until(case, || {
            (lines().len() == 1 && counted() == 1).then_some(())
        });
        assert!(lines()[0].contains("WARN"), "{:?}", lines());
    }
}

/// Far less than `startup_timeout`.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn the_log_names_the_client_that_haproxy_connects_for() {
    let (keys, database) = (keys(), Cluster::start());
    let servers = ["server-1", "server-2"].map(|name| {
        let lines = ["log.level = 'debug'"];
        server(&keys, name, &database, &lines)
    });
    let balancer = Balancer::start(&keys, servers.each_ref(), &[]);
    balancer
        .haproxy
        .wait_until_up("primary", &["server-1", "server-2"]);
    let port = balancer.ports[0].number();
    let mut clients = [(); 2].map(|()| {
        let connection = Session::connect_from(ELSEWHERE, ([127, 0, 0, 1], port).into());
        let client = connection.stream().local_addr().unwrap();
        let mut session = balancer.app.over(connection.into_stream()).unwrap();
        session.start();
        session.send(message::terminate());
        format!("{client}}}")
    });
    // One after the other, so one is on each.
    let mut ended = servers.each_ref().map(|server| {
        let line = server.process().wait_for_line("session ended");
        assert!(line.contains("connection{through=127.0.0.9:"), "{line}");
        // HAProxy's checks go to the ops port, and leave nothing in the log.
        assert!(!server.process().log().contains("turned away"));
        let (_, peer) = line.split_once(" peer=").unwrap();
        peer.split_once(": ").unwrap().0.to_owned()
    });
    clients.sort();
    ended.sort();
    assert_eq!(ended, clients);
}

#[test]
fn what_is_announced_by_ipv4_and_ipv6_is_who_connects() {
    let stand = Stand::start(&[]);
    let v6 = {
        let block = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]; 2].concat();
        header(
            0x21,
            0x21,
            &[block.as_slice(), &[0x12, 0x67, 0x24, 0xb1]].concat(),
        )
    };
    // With type-length-values behind the addresses: PP2_TYPE_NOOP, PP2_TYPE_AUTHORITY.
    let with_values = {
        let block = [
            [192, 0, 2, 8, 192, 0, 2, 99, 0x12, 0x67, 0x24, 0xb1].as_slice(),
            b"\x04\0\x01x\x02\0\x02db",
        ];
        header(0x21, 0x11, &block.concat())
    };
    for (bytes, peer) in [
        (from_v4([192, 0, 2, 7]), "192.0.2.7:4711"),
        (with_values, "192.0.2.8:4711"),
        (v6, "[2001:db8::7]:4711"),
    ] {
        stand.serves(stand.balanced(&bytes));
        let line = stand
            .server
            .process()
            .wait_for_line(&format!("peer={peer}}}"));
        assert!(line.contains("session ended"), "{line}");
    }
    // The control API is on the same port.
    let connection = stand.balanced(&from_v4([192, 0, 2, 7]));
    let control = stand
        .app()
        .alpn(&["http/1.1"])
        .over(connection.into_stream());
    let status = Request::get("/v1/status");
    assert_eq!(
        status.send_over(&mut control.unwrap().into_stream()).status,
        200
    );
}

#[test]
fn a_connection_of_the_balancers_own_is_served_and_a_probe_leaves_no_line() {
    let stand = Stand::start(&[]);
    let unix = header(0x21, 0x31, &[b'/'; 216]);
    let (local, unspecified) = (header(0x20, 0, &[]), header(0x21, 0, b"anything"));
    for bytes in [&local, &unspecified, &unix] {
        stand.serves(stand.balanced(bytes));
    }
    let log = stand.server.process().log();
    assert!(!log.contains("peer=127.0.0.9"), "{log}");
    // As its checks do where they go to this port.
    drop(stand.balanced(&local));
    drop(stand.balanced(&[]));
    stand.serves(stand.balanced(&local));
    assert!(!stand.server.process().log().contains("turned away"));
    assert_eq!(stand.server.counted("peers_refused_total"), 0);
}

#[test]
fn a_peer_of_a_listed_network_without_a_header_is_turned_away() {
    let none =
        "no header of the PROXY protocol, version 2; proxy_protocol_from demands a right one";
    let too_long = [header(0x21, 0x11, &[]).split_at(14).0, &[0xff, 0xff]].concat();
    for (case, bytes, says) in [
        ("TLS", b"\x16\x03\x01\x02\0\x01".to_vec(), none),
        ("a request for TLS", message::ssl_request(), none),
        (
            "version 1",
            b"PROXY TCP4 192.0.2.7 192.0.2.99 4711 9393\r\n".to_vec(),
            none,
        ),
        (
            "version 3",
            header(0x31, 0x11, &[0; 12]),
            "version 3: this server takes version 2",
        ),
        (
            "a command",
            header(0x2f, 0x11, &[0; 12]),
            "the unknown command 15",
        ),
        (
            "a family",
            header(0x21, 0x51, &[0; 12]),
            "address family and transport 0x51",
        ),
        (
            "half an address",
            header(0x21, 0x11, &[0; 11]),
            "malformed PROXY protocol",
        ),
        ("too long", too_long, "of 65551 bytes"),
    ] {
        let stand = Stand::start(&[]);
        stand.turns_away(stand.balanced(&bytes), case, says);
        let log = stand.server.process().log();
        assert!(
            log.contains("connection{through=127.0.0.9:"),
            "{case}: {log}"
        );
        // Nobody else needs one.
        stand.serves(stand.connect(ELSEWHERE));
    }
}

#[test]
fn a_header_from_a_network_that_is_not_listed_is_turned_away() {
    let stand = Stand::start(&[]);
    let mut connection = stand.connect(ELSEWHERE);
    connection.send(from_v4([192, 0, 2, 7]));
    let says = "a header of the PROXY protocol where none belongs";
    stand.turns_away(connection, "unlisted", says);
    let log = stand.server.process().log();
    assert!(log.contains("connection{peer=127.0.0.7:"), "{log}");
    assert!(!log.contains("192.0.2.7"), "{log}");
    // Nor a second one behind a first.
    let stand = Stand::start(&[]);
    let twice = [from_v4([192, 0, 2, 7]), from_v4([192, 0, 2, 8])].concat();
    stand.turns_away(stand.balanced(&twice), "twice", says);
}

#[test]
fn half_of_a_header_is_given_up_in_time() {
    let stand = Stand::start(&["startup_timeout = '2s'"]);
    let whole = from_v4([192, 0, 2, 7]);
    let began = Instant::now();
    let waiting = [1, 15, 20].map(|cut| stand.balanced(&whole[..cut]));
    for mut connection in waiting {
        assert_eq!(connection.read_byte(), Err(Ended::Closed));
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1900), "{took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    // One that breaks off is told of at once.
    let mut half = stand.balanced(&whole[..20]);
    half.finish();
    assert_eq!(half.read_byte(), Err(Ended::Closed));
    stand.server.process().wait_for_line("reason=connection: ");
}

#[test]
fn connections_behind_a_balancer_have_their_places_by_the_address_that_it_announces() {
    let places = ["max_starting = 8", "startup_timeout = '1h'"];
    let stand = Stand::start(&places);
    // Once it is answered, it is known for whom it is.
    let begun = |address| {
        let mut connection = stand.balanced(&from_v4(address));
        connection.send(message::ssl_request());
        assert_eq!(connection.read_byte(), Ok(b'S'));
        connection
    };
    let honest = begun([192, 0, 2, 1]);
    let crowd: Vec<_> = (0..20).map(|_| begun([192, 0, 2, 66])).collect();
    // It is the oldest, and alone of its network.
    stand.serves(honest);
    assert!(stand.server.counted("peers_dropped_total") >= 12);
    drop(crowd);
}

#[test]
fn a_connector_behind_a_balancer_is_known_by_its_own_address() {
    let stand = Stand::start(&[]);
    let connection = stand.balanced(&from_v4([192, 0, 2, 1]));
    let app = stand.app().alpn(&["http/1.1"]);
    let mut listening = app.over(connection.into_stream()).unwrap();
    listening.send(b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let admin = stand.keys.admin_identity("root");
    let address = until("it to be told of", || {
        let status = stand.server.control(&admin, &Request::get("/v1/status"));
        let told = status.json()["connectors"][0]["address"].take();
        told.as_str().map(str::to_owned)
    });
    assert_eq!(address, "192.0.2.1:4711");
}
