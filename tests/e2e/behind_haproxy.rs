//! Servers behind HAProxy, with the configuration that docs/operations.md shows: what their ops ports
//! answer, where sessions go, and whom the servers take their peers for.

mod announced;
mod balanced;
mod checks;

use std::fs;
use std::net::Ipv4Addr;

use harness::raw::tls::{Hello, TlsStream};
use harness::raw::{Session, rows};
use harness::{Cluster, Haproxy, Keys, Port, Server, free_port, root, until};

/// Where HAProxy connects from.
const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Lines of a server that watches its database, and believes HAProxy.
const LINES: [&str; 2] = [
    "database.monitor.user = 'postgres'",
    "proxy_protocol_from = ['127.0.0.9']",
];

fn keys() -> Keys {
    let keys = Keys::new();
    keys.add_client("app");
    keys
}

fn server(keys: &Keys, name: &str, database: &Cluster, lines: &[&str]) -> Server {
    let (identity, address) = (keys.server_identity(name), database.address());
    let lines = [&LINES, lines].concat();
    Server::start(name, &identity, keys, &address.to_string(), &lines)
}

/// The document's configuration, with addresses of this test in place of its own. What stands in
/// `other` in place of something stands there.
fn configuration(
    servers: [&Server; 2],
    [writes, reads]: [&Port; 2],
    other: &[(&str, &str)],
) -> String {
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, block) = document.split_once("```haproxy\n").unwrap();
    let (block, _) = block.split_once("```\n").unwrap();
    let mut text = block.to_owned();
    let mut replace = |from: &str, to: &str| {
        assert!(text.contains(from), "no {from} in {text}");
        text = text.replace(from, to);
    };
    for (number, server) in (1..).zip(servers) {
        replace(
            &format!("10.0.0.{number}:9393 port 9090"),
            &format!("127.0.0.1:{} port {}", server.port(), server.ops_port()),
        );
    }
    replace("bind 10.0.0.5:9393", &format!("bind 127.0.0.1:{writes}"));
    replace("bind 10.0.0.5:9394", &format!("bind 127.0.0.1:{reads}"));
    replace("send-proxy-v2", &format!("send-proxy-v2 source {BALANCER}"));
    other.iter().for_each(|(from, to)| replace(from, to));
    text
}

/// HAProxy before two servers.
struct Balancer {
    haproxy: Haproxy,
    /// For sessions that write, and for those that only read.
    ports: [Port; 2],
    app: Hello,
}

impl Balancer {
    fn start(keys: &Keys, servers: [&Server; 2], other: &[(&str, &str)]) -> Self {
        let ports = [free_port(), free_port()];
        let text = configuration(servers, ports.each_ref(), other);
        let numbers = ports.each_ref().map(Port::number);
        Self {
            haproxy: Haproxy::start(&text, &numbers),
            ports,
            app: Hello::from(&keys.client_identity("app")),
        }
    }

    #[track_caller]
    fn writer(&self) -> Session<TlsStream> {
        started(&self.app, self.ports[0].number())
    }

    #[track_caller]
    fn reader(&self) -> Session<TlsStream> {
        started(&self.app, self.ports[1].number())
    }
}

#[track_caller]
fn started(app: &Hello, port: u16) -> Session<TlsStream> {
    let mut session = app.connect(port).unwrap();
    session.start();
    session
}

/// The one value of a query's one row.
#[track_caller]
fn value(session: &mut Session<TlsStream>, sql: &str) -> String {
    let answer = rows(&session.query(sql));
    String::from_utf8(answer[0][0].clone().unwrap()).unwrap()
}

/// Whether a session has come to a replica.
#[track_caller]
fn is_on_replica(session: &mut Session<TlsStream>) -> bool {
    value(session, "select pg_is_in_recovery()") == "t"
}

/// Has a replica replay nothing more.
#[track_caller]
fn paused(replica: &Cluster) {
    replica.query("select pg_wal_replay_pause()");
    until("the replay to pause", || {
        let state = replica.value("select pg_get_wal_replay_pause_state()");
        (state == "paused").then_some(())
    });
}
