//! The whole chain: a primary and a replica, a server before each, a connector before each server.

use tokio_postgres::Client;

use crate::address::Address;
use crate::cluster::Cluster;
use crate::connector::Connector;
use crate::keys::Keys;
use crate::pair::Pair;
use crate::process::Process;
use crate::server::Server;
use crate::settings::Settings;
use crate::tap::Tap;

/// The running chain: two [`Link`]s whose servers share one store.
#[derive(Debug)]
pub struct Chain {
    /// The way to the replica. It is stopped first.
    pub replica: Link,
    /// The way to the primary.
    pub primary: Link,
    /// The keys of the whole chain.
    pub keys: Keys,
    client: String,
}

/// The way from an application to one database.
#[derive(Debug)]
pub struct Link {
    /// Where the application connects.
    pub connector: Connector,
    /// Records what goes between connector and server, in a chain that is [tapped].
    ///
    /// [tapped]: ChainBuilder::tapped
    pub tunnel_tap: Option<Tap>,
    /// Opens what the database sends.
    pub server: Server,
    /// Records what goes between server and database, in a chain that is [tapped].
    ///
    /// [tapped]: ChainBuilder::tapped
    pub database_tap: Option<Tap>,
    /// The database, to be asked directly.
    pub database: Cluster,
}

/// What a chain is to be like.
#[derive(Clone, Debug)]
pub struct ChainBuilder {
    settings: Settings,
    client: String,
    creates_zones: bool,
    server_lines: Vec<String>,
    connector_lines: Vec<String>,
    tapped: bool,
    by_socket: bool,
}

impl Chain {
    /// Starts a chain as it comes: client `app`, the programs' own defaults.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Describes a chain first.
    pub fn builder() -> ChainBuilder {
        ChainBuilder {
            settings: Settings::new(),
            client: "app".to_owned(),
            creates_zones: false,
            server_lines: Vec::new(),
            connector_lines: Vec::new(),
            tapped: false,
            by_socket: false,
        }
    }

    /// Waits until the replica has replayed all that the primary has written so far.
    #[track_caller]
    pub fn wait_for_replay(&self) {
        self.replica
            .database
            .wait_for_replay(&self.primary.database.wal_end());
    }

    /// The public key of the client that the connectors are, to seal values to.
    pub fn client(&self) -> envelope::Recipient {
        self.keys.client(&self.client)
    }

    /// Changes lines of both servers' configuration and asks them to read it again (SIGHUP).
    pub fn reconfigure_servers(&mut self, lines: &[&str]) {
        self.primary.server.reconfigure(lines);
        self.replica.server.reconfigure(lines);
    }

    /// All that the four programs have logged so far, for [`scan`](crate::scan).
    pub fn logs(&self) -> Vec<u8> {
        let processes = [&self.primary, &self.replica]
            .into_iter()
            .flat_map(|link| [link.server.process(), link.connector.process()]);
        processes
            .map(Process::log_bytes)
            .collect::<Vec<_>>()
            .concat()
    }
}

impl Link {
    /// Where the application connects.
    pub fn address(&self) -> Address {
        self.connector.address()
    }

    /// Opens a session through connector and server, as user postgres in database postgres.
    pub async fn connect(&self) -> Client {
        self.connector.connect().await
    }

    /// Starts one more connector to this link's server, as another client.
    pub fn connector_of(&self, keys: &Keys, client: &str) -> Connector {
        let label = format!("connector-{client}");
        Connector::start(
            &label,
            &keys.client_identity(client),
            self.server.port(),
            &[],
        )
    }
}

impl ChainBuilder {
    /// Sets up the databases so.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The connectors are this client; otherwise `app`.
    pub fn client(mut self, id: &str) -> Self {
        id.clone_into(&mut self.client);
        self
    }

    /// Lets that client create zones through the control API, by server and connector.
    pub fn creates_zones(mut self) -> Self {
        self.creates_zones = true;
        self.connector("local_api.zones = true")
    }

    /// Adds a line to both servers' configuration, such as `zone_mode = 'on'`.
    pub fn server(mut self, line: &str) -> Self {
        self.server_lines.push(line.to_owned());
        self
    }

    /// Adds a line to both connectors' configuration.
    pub fn connector(mut self, line: &str) -> Self {
        self.connector_lines.push(line.to_owned());
        self
    }

    /// `zone_mode` of both servers: `off`, `on` or `mixed`.
    pub fn zone_mode(self, mode: &str) -> Self {
        self.server(&format!("zone_mode = '{mode}'"))
    }

    /// `on_refused` of both servers: `ciphertext`, `null` or `error`.
    pub fn on_refused(self, policy: &str) -> Self {
        self.server(&format!("on_refused = '{policy}'"))
    }

    /// Puts a [`Tap`] between connector and server and one between server and database.
    pub fn tapped(mut self) -> Self {
        self.tapped = true;
        self
    }

    /// Lets the servers reach their databases by unix socket (where no tap can be).
    pub fn by_socket(mut self) -> Self {
        self.by_socket = true;
        self
    }

    /// Starts everything, from the databases up.
    pub fn start(&self) -> Chain {
        let (pair, keys) = std::thread::scope(|scope| {
            let pair = scope.spawn(|| self.settings.start_pair());
            let keys = Keys::new();
            let add = if self.creates_zones {
                Keys::add_zone_creator
            } else {
                Keys::add_client
            };
            add(&keys, &self.client);
            let pair = pair
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (pair, keys)
        });
        let Pair { replica, primary } = pair;
        let primary = self.link("primary", primary, &keys);
        let replica = self.link("replica", replica, &keys);
        Chain {
            replica,
            primary,
            keys,
            client: self.client.clone(),
        }
    }

    /// Starts the way to a primary alone, for tests that need no replica. The store is the caller's,
    /// who adds the client to it.
    pub fn start_link(&self, keys: &Keys) -> Link {
        self.link("primary", self.settings.start_cluster(), keys)
    }

    fn link(&self, name: &str, database: Cluster, keys: &Keys) -> Link {
        let database_tap = self.tapped.then(|| Tap::to(database.address().port()));
        let address = if self.by_socket {
            database.socket().display().to_string()
        } else {
            database_tap
                .as_ref()
                .map_or(database.address(), Tap::address)
                .to_string()
        };
        let identity = keys.server_identity(name);
        let server = Server::start(
            &format!("server-{name}"),
            &identity,
            keys,
            &address,
            &lines(&self.server_lines),
        );
        let tunnel_tap = self.tapped.then(|| Tap::to(server.port()));
        let connector = Connector::start(
            &format!("connector-{name}"),
            &keys.client_identity(&self.client),
            tunnel_tap.as_ref().map_or(server.port(), Tap::port),
            &lines(&self.connector_lines),
        );
        Link {
            connector,
            tunnel_tap,
            server,
            database_tap,
            database,
        }
    }
}

fn lines(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}
