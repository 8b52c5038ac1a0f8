//! A primary and its replica, a server before each, and a connector before both.

use crate::address::Address;
use crate::connector::Connector;
use crate::keys::Keys;
use crate::pair::Pair;
use crate::raw::Session;
use crate::server::Server;

/// They run until dropped, the connector first.
#[derive(Debug)]
pub struct Nodes {
    /// Where applications connect.
    pub connector: Connector,
    /// The primary's server, and the replica's. Each watches its database.
    pub servers: [Server; 2],
    /// The databases.
    pub pair: Pair,
    /// The keys of all.
    pub keys: Keys,
}

impl Nodes {
    /// Starts them, with client `app`. The connector has a listener for each of `needs`: what stands
    /// behind its address. `lines` of TOML add to its configuration.
    pub fn start(needs: &[&str], lines: &[&str]) -> Self {
        let (keys, pair) = (Keys::new(), Pair::start());
        keys.add_client("app");
        let servers = [("primary", &pair.primary), ("replica", &pair.replica)];
        let servers = servers.map(|(name, database)| {
            let address = database.address().to_string();
            let identity = keys.server_identity(name);
            let watch = ["database.monitor.user = 'postgres'"];
            Server::start(name, &identity, &keys, &address, &watch)
        });
        let identity = keys.client_identity("app");
        let list = servers.each_ref().map(server_address);
        let connector = Connector::start_among("connector", &identity, &list, needs, lines);
        Self {
            connector,
            servers,
            pair,
            keys,
        }
    }

    /// Where applications connect to one of the connector's listeners, the first being 0.
    #[track_caller]
    pub fn address_of(&self, listener: usize) -> Address {
        self.connector.address_of(listener)
    }

    /// A session through one of the connector's listeners.
    #[track_caller]
    pub fn session(&self, listener: usize) -> Session {
        let mut session = self.address_of(listener).raw();
        session.start();
        session
    }
}

fn server_address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}
