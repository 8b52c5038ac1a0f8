//! Several servers, each on a host of its own, and a connector on this one that chooses between them.

use crate::address::Address;
use crate::cluster::Cluster;
use crate::connector::Connector;
use crate::deadline::until;
use crate::host::Host;
use crate::keys::Keys;
use crate::namespace::Network;
use crate::raw::Session;
use crate::server::Server;
use crate::settings::Settings;

/// They run until dropped: from the top, what runs on hosts first, the network last. All servers are
/// before one database, on this host, which they reach by a unix socket: whose host is cut off from the
/// network has lost its peers and not its database.
#[derive(Debug)]
pub struct Apart {
    /// Where the application connects.
    pub connector: Connector,
    /// The servers, in the order of the connector's list.
    pub servers: Vec<Server>,
    /// The database of them all.
    pub database: Cluster,
    /// The servers' hosts.
    pub hosts: Vec<Host>,
    /// The keys of all.
    pub keys: Keys,
    _network: Network,
}

impl Apart {
    /// Starts a server on a host for each of these users (which no other test has at the same time), with
    /// client `app`. `lines` of TOML add to the connector's configuration.
    pub fn start(users: &[u32], lines: &[&str]) -> Self {
        let mut network = Network::new();
        let mut host = |user: &u32| Host::new(&mut network, *user);
        let hosts: Vec<_> = users.iter().map(&mut host).collect();
        let keys = Keys::new();
        keys.add_client("app");
        // Where sessions come faster than they end, it is not PostgreSQL that refuses.
        let database = Settings::new()
            .line("max_connections = 500")
            .start_cluster();
        let start = |(number, host): (usize, &Host)| {
            let label = format!("server-{number}");
            let identity = keys.server_identity(&label);
            let lines = [
                format!("store = '{}'", host.install(&keys.store()).display()),
                format!("database.address = '{}'", database.socket().display()),
            ];
            let lines = lines.each_ref().map(String::as_str);
            Server::start_on(host, &label, &identity, &keys.master_key_file(), &lines)
        };
        let servers: Vec<_> = hosts.iter().enumerate().map(start).collect();
        let list: Vec<_> = hosts.iter().map(address_of).collect();
        let identity = keys.client_identity("app");
        let connector = Connector::start_among("connector", &identity, &list, &[""], lines);
        let apart = Self {
            connector,
            servers,
            database,
            hosts,
            keys,
            _network: network,
        };
        (0..users.len()).for_each(|server| apart.is_up(server));
        apart
    }

    /// Where the application connects.
    pub fn address(&self) -> Address {
        self.connector.address()
    }

    /// Where a server listens, for connectors: `host:port`.
    #[track_caller]
    pub fn server_address(&self, server: usize) -> String {
        address_of(&self.hosts[server])
    }

    /// Waits until the connector takes a server for up.
    #[track_caller]
    pub fn is_up(&self, server: usize) {
        let line = format!("server_up{{server=\"{}\"}}", self.server_address(server));
        until("the connector to know that a server is up", || {
            (self.connector.counted(&line) == 1).then_some(())
        });
    }

    /// Opens sessions through `address` until one is on this server.
    #[track_caller]
    pub fn session_on(&self, server: usize, address: Address) -> Session {
        let server = &self.servers[server];
        until("a session on a certain server", || {
            let before = server.counted("sessions");
            let mut session = address.raw();
            session.start();
            (server.counted("sessions") > before).then_some(session)
        })
    }
}

fn address_of(host: &Host) -> String {
    format!("{}:9393", host.address())
}
