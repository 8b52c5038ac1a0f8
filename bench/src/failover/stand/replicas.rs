//! Two replicas on hosts of their own behind one server.

use harness::raw::{Session, message, rows};
use harness::{
    Address, Cluster, Connector, Keys, Namespace, Network, Server, Settings, Signal, until,
};

use super::{Balanced, CHECKS, Fault, INTERVALS, Path, Stand, connector};

/// Its sessions need a replica.
const NEEDS: [&str; 1] = ["target=replica"];

/// All of it. Dropped from the top.
pub struct Replicas {
    /// A connector and a server before HAProxy, twice.
    by_haproxy: [(Connector, Server, Balanced); 2],
    connector: Connector,
    server: Server,
    /// The one that faults befall, and the other.
    replicas: [Cluster; 2],
    _primary: Cluster,
    hosts: [Namespace; 2],
    _network: Network,
    _keys: Keys,
}

impl Replicas {
    /// Starts it.
    pub fn start() -> Self {
        let mut network = Network::new();
        let hosts = [network.host(), network.host()];
        // Where sessions come faster than they end, it is not PostgreSQL that refuses.
        let settings = Settings::new().line("max_connections = 500");
        let primary = settings.start_cluster();
        let replicas = hosts
            .each_ref()
            .map(|host| settings.start_replica_apart(&primary, host));
        let addresses = replicas.each_ref().map(|it| it.address().to_string());
        let keys = Keys::new();
        keys.add_client("app");
        let (app, list) = (keys.client_identity("app"), addresses.to_vec());
        let lines = [&CHECKS[..], &["database.monitor.user = 'postgres'"]].concat();
        let identity = keys.server_identity("server");
        let server = Server::start_among("server", &identity, &keys, &list, &NEEDS, &lines);
        let by_haproxy = INTERVALS.map(|interval| {
            let balanced = Balanced::start(interval, addresses.each_ref().map(String::as_str));
            let label = format!("server-{interval}");
            let identity = keys.server_identity(&label);
            let address = format!("127.0.0.1:{}", balanced.port);
            let server = Server::start(&label, &identity, &keys, &address, &[]);
            (connector(&app, interval, server.port()), server, balanced)
        });
        Self {
            by_haproxy,
            connector: connector(&app, "pgseal", server.port()),
            server,
            replicas,
            _primary: primary,
            hosts,
            _network: network,
            _keys: keys,
        }
    }
}

impl Stand for Replicas {
    const LOST: &'static str = "replica";

    fn address(&self, path: Path) -> Address {
        let [(three, ..), (one, ..)] = &self.by_haproxy;
        match path {
            Path::Pgseal => self.connector.address(),
            Path::Haproxy3s => three.address(),
            Path::Haproxy1s => one.address(),
        }
    }

    fn wait_until_whole(&self) {
        for replica in &self.replicas {
            let up = format!("database_up{{database=\"{}\"}}", replica.address());
            until("the server to know that a replica is up", || {
                (self.server.counted(&up) == 1).then_some(())
            });
        }
        let balanced = self.by_haproxy.iter();
        balanced.for_each(|(.., balanced)| balanced.wait_until_whole());
    }

    fn session_on_lost(&self, path: Path) -> Session {
        let host = self.hosts[0].address();
        until("a session on a certain replica", || {
            let mut session = self.address(path).raw();
            session.start();
            let answer = session.query("select host(inet_server_addr())");
            if rows(&answer)[0][0].as_deref() == Some(host.as_bytes()) {
                return Some(session);
            }
            session.send(message::terminate());
            None
        })
    }

    fn bring(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.replicas[0].crash(),
            Fault::Dropped => self.hosts[0].unplug(),
            Fault::Hung => self.replicas[0].signal(Signal::STOP),
        }
    }

    fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.replicas[0].start_again(),
            Fault::Dropped => self.hosts[0].plug(),
            Fault::Hung => self.replicas[0].signal(Signal::CONT),
        }
    }
}
