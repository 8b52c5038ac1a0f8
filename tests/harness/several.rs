//! Several servers before one database, and a connector that chooses between them.

use crate::address::Address;
use crate::cluster::Cluster;
use crate::connector::Connector;
use crate::keys::Keys;
use crate::server::Server;
use crate::settings::Settings;

/// They run until dropped, the connector first.
#[derive(Debug)]
pub struct Several {
    /// Where the application connects.
    pub connector: Connector,
    /// The servers, in the order of the connector's list.
    pub servers: Vec<Server>,
    /// The database of them all.
    pub database: Cluster,
    /// Their keys.
    pub keys: Keys,
}

impl Several {
    /// Starts so many, with client `app`. The connector's list has them first and then `others`;
    /// `lines` of TOML add to its configuration.
    pub fn start(count: usize, others: &[&str], lines: &[&str]) -> Self {
        Self::start_with(Keys::new(), count, others, lines)
    }

    /// [`start`](Self::start) with these keys.
    pub fn start_with(keys: Keys, count: usize, others: &[&str], lines: &[&str]) -> Self {
        keys.add_client("app");
        // Where sessions come faster than they end, it is not PostgreSQL that refuses.
        let database = Settings::new()
            .line("max_connections = 500")
            .start_cluster();
        let start = |number| {
            let name = format!("server-{number}");
            let identity = keys.server_identity(&name);
            let address = database.address().to_string();
            Server::start(&name, &identity, &keys, &address, &[])
        };
        let servers: Vec<_> = (1..=count).map(start).collect();
        let ours = addresses(&servers).into_iter();
        let list: Vec<_> = ours.chain(others.iter().map(ToString::to_string)).collect();
        let identity = keys.client_identity("app");
        let connector = Connector::start_among("connector", &identity, &list, &[""], lines);
        Self {
            connector,
            servers,
            database,
            keys,
        }
    }

    /// The servers' addresses, as in a connector's list.
    pub fn list(&self) -> Vec<String> {
        addresses(&self.servers)
    }

    /// Puts all servers on each one's list of peers, itself included.
    pub fn make_peers(&mut self) {
        let peers = format!("peers = {:?}", self.list());
        let each = self.servers.iter_mut();
        each.for_each(|server| server.apply(&[&peers]));
    }

    /// Where the application connects.
    pub fn address(&self) -> Address {
        self.connector.address()
    }
}

fn addresses(servers: &[Server]) -> Vec<String> {
    let servers = servers.iter();
    servers
        .map(|it| format!("127.0.0.1:{}", it.port()))
        .collect()
}
