//! Peers that vanish without a word, with their host or its network: each of our sockets finds out
//! by itself, within the time that is configured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use harness::raw::{Session, message, tags};
use harness::{Cluster, Connector, Host, Keys, Network, Program, Server, Settings, until};

/// `tcp_keepalive`; after twice of it a silent peer is given up.
const KEEPALIVE: Duration = Duration::from_secs(6);

/// `tcp_user_timeout`, where it is set.
const USER_TIMEOUT: Duration = Duration::from_secs(3);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);

/// Connector and server on hosts of their own; the application and the database on this one.
/// Dropped from the top: what runs on hosts first, the network last.
struct Stand {
    connector: Connector,
    server: Server,
    database: Cluster,
    /// The connector's, and the server's.
    hosts: [Host; 2],
    _keys: Keys,
    _network: Network,
}

impl Stand {
    fn start(line: &str) -> Self {
        let mut network = Network::new();
        let hosts = [10, 11].map(|user| Host::new(&mut network, user));
        let keys = Keys::new();
        keys.add_client("app");
        let settings = Settings::new().line("listen_addresses = '*'");
        let database = settings
            .access("host all all 198.18.0.0/15 trust")
            .start_cluster();
        let address = format!("{}:{}", network.address(), database.address().port());
        let lines = [
            format!("store = '{}'", hosts[1].install(&keys.store()).display()),
            format!("database.address = '{address}'"),
            line.to_owned(),
        ];
        let server = Server::start_on(
            &hosts[1],
            "server",
            &keys.server_identity("server"),
            &keys.master_key_file(),
            &lines.each_ref().map(String::as_str),
        );
        let at_server = format!("server = '{}:9393'", hosts[1].address());
        let identity = keys.client_identity("app");
        let lines = [at_server.as_str(), line];
        let connector = Connector::start_on(&hosts[0], "connector", &identity, &lines);
        Self {
            connector,
            server,
            database,
            hosts,
            _keys: keys,
            _network: network,
        }
    }

    fn session(&self) -> Session {
        let address: SocketAddr = format!("{}:9494", self.hosts[0].address()).parse().unwrap();
        // The connector may not have heard yet who is revoked.
        let mut session = until("a session", || {
            let mut session = Session::connect(address);
            session.send(message::startup(&[("user", "postgres")]));
            (session.read().ok()?.tag == b'R').then_some(session)
        });
        session.read_until_ready();
        session
    }

    /// Waits until the server has no session, and the database no backend of one.
    fn session_is_given_up_within(&self, promise: Duration, since: Instant) {
        until("the server to give the session up", || {
            (self.server.counted("sessions") == 0).then_some(())
        });
        assert!(since.elapsed() < promise + SLACK, "{:?}", since.elapsed());
        let left = format!(
            "select count(*) from pg_stat_activity where client_addr = '{}'",
            self.hosts[1].address()
        );
        until("the database to hear of it", || {
            (self.database.value(&left) == "0").then_some(())
        });
    }

    /// Waits until the kernel has a keepalive timer for every connection of a host, to or from each
    /// of these ports.
    fn every_socket_asks(&self, host: &Host, ports: &[u16]) {
        let sockets = Program::at("ss")
            .args(["-tnoH", "state", "established"])
            .namespace(host.namespace().name());
        until("every connection to be looked after", || {
            let all = sockets.run().success();
            let has = |port: &u16| all.lines().any(|line| line.contains(&format!(":{port} ")));
            assert!(ports.iter().all(has), "{ports:?} in {all}");
            let asks = |line: &str| line.contains("timer:(keepalive,");
            all.lines().all(asks).then_some(())
        });
    }
}

fn keepalive() -> String {
    format!("tcp_keepalive = '{}s'", KEEPALIVE.as_secs())
}

#[test]
fn a_connector_whose_host_vanishes_leaves_no_session_behind() {
    let stand = Stand::start(&keepalive());
    let mut session = stand.session();
    assert_eq!(tags(&session.query("select 1")), "TDCZ");
    let begun = Instant::now();
    let database = stand.database.address().port();
    stand.every_socket_asks(&stand.hosts[0], &[9494, 9393]);
    stand.every_socket_asks(&stand.hosts[1], &[9393, database]);
    stand.hosts[0].namespace().unplug();
    stand.session_is_given_up_within(2 * KEEPALIVE, begun);
    // It has lost both its peers, and knows.
    stand
        .connector
        .process()
        .wait_for_line("a session ended early");
    assert!(
        begun.elapsed() < 2 * KEEPALIVE + SLACK,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_application_whose_server_vanishes_with_its_host_is_told() {
    let stand = Stand::start(&keepalive());
    let mut waiting = stand.session();
    waiting.send(message::query("select pg_sleep(600)"));
    let asked = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    until("the query to begin", || {
        (stand.database.value(asked) == "1").then_some(())
    });
    // What is not acknowledged yet would keep TCP from asking.
    stand.every_socket_asks(&stand.hosts[0], &[9494, 9393]);
    let begun = Instant::now();
    stand.hosts[1].namespace().unplug();
    let heard = waiting.read_until_closed();
    assert!(
        begun.elapsed() < 2 * KEEPALIVE + SLACK,
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(tags(&heard), "E");
    assert_eq!(heard[0].sqlstate(), "57P01");
    // The server has lost the database as well.
    stand.server.process().wait_for_line("session ended");
    assert!(
        begun.elapsed() < 2 * KEEPALIVE + SLACK,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_result_on_its_way_to_a_host_that_vanished_is_given_up_after_tcp_user_timeout() {
    let line = format!("tcp_user_timeout = '{}s'", USER_TIMEOUT.as_secs());
    let stand = Stand::start(&line);
    let mut session = stand.session();
    session.send(message::query(
        "select repeat('x', 1000), generate_series(1, 100000000)",
    ));
    for _ in 0..1000 {
        session.read().unwrap();
    }
    let begun = Instant::now();
    stand.hosts[0].namespace().unplug();
    stand.session_is_given_up_within(USER_TIMEOUT, begun);
}
