//! `pgseal-connector` under test.

use std::path::{Path, PathBuf};

use tokio_postgres::Client;

use crate::address::Address;
use crate::ca::Identity;
use crate::daemon::{Config, Daemon};
use crate::dir::TestDir;
use crate::host::Host;
use crate::http::{Request, Response};
use crate::port::{Port, free_port};
use crate::process::Process;

/// The connector's port on a host of its own.
const OWN_PORT: u16 = 9494;

/// As libpq looks for it, port 5432.
const SOCKET: &str = ".s.PGSQL.5432";
const API_SOCKET: &str = "api";

/// A running connector. Dropping it kills it.
#[derive(Debug)]
pub struct Connector {
    daemon: Daemon,
    /// One for each of its listeners.
    ports: Vec<Port>,
    api: Port,
    sockets: TestDir,
}

impl Connector {
    /// Starts a connector to the server at this port of 127.0.0.1, with lines of TOML that add to
    /// its configuration or replace parts of it. `label` names it in messages.
    pub fn start(label: &str, identity: &Identity, server: u16, lines: &[&str]) -> Self {
        Self::start_at(label, identity, &to(server), lines, Listen::By(&[""]))
    }

    /// [`start`](Self::start) one that listens on unix sockets too, in a directory of its own.
    pub fn start_with_sockets(
        label: &str,
        identity: &Identity,
        server: u16,
        lines: &[&str],
    ) -> Self {
        Self::start_at(label, identity, &to(server), lines, Listen::BySocketToo)
    }

    /// [`start`](Self::start) one that chooses between several servers (each as in `servers`). It has a
    /// listener for each of `needs`: what stands behind its address in `listen`.
    pub fn start_among(
        label: &str,
        identity: &Identity,
        servers: &[String],
        needs: &[&str],
        lines: &[&str],
    ) -> Self {
        let servers = format!("servers = ['{}']", servers.join("', '"));
        // A machine that is busy with other tests is no server that is down.
        let patient = ["warm_tunnels = 4", "checks.timeout = '10s'"];
        let lines = [&patient, lines].concat();
        Self::start_at(label, identity, &servers, &lines, Listen::By(needs))
    }

    fn start_at(
        label: &str,
        identity: &Identity,
        server: &str,
        lines: &[&str],
        listen: Listen<'_>,
    ) -> Self {
        let api = free_port();
        let sockets = TestDir::new("sockets");
        let needs = match listen {
            Listen::By(needs) => needs,
            Listen::BySocketToo => &[""],
        };
        let ports: Vec<_> = needs.iter().map(|_| free_port()).collect();
        let mut addresses: Vec<_> = ports
            .iter()
            .zip(needs)
            .map(|(port, needs)| format!("127.0.0.1:{port} {needs}"))
            .collect();
        let mut api_addresses = vec![format!("127.0.0.1:{api}")];
        if let Listen::BySocketToo = listen {
            // They come first, so that they are there once the ports are.
            addresses.insert(0, sockets.join(SOCKET).display().to_string());
            api_addresses.insert(0, sockets.join(API_SOCKET).display().to_string());
        }
        let mut config = Config::default();
        config.set(&format!("listen = {addresses:?}"));
        config.set(&format!("api_listen = {api_addresses:?}"));
        config.set(server);
        config.set_tls(identity);
        // What tests count and cut is one session's, unless they say otherwise.
        config.set("warm_tunnels = 0");
        lines.iter().for_each(|line| config.set(line));
        let mut waited_for: Vec<_> = ports.iter().map(Port::number).collect();
        waited_for.push(api.number());
        let daemon = Daemon::start("pgseal-connector", label, config, waited_for);
        Self {
            daemon,
            ports,
            api,
            sockets,
        }
    }

    /// Starts a connector on a host, at its address and the program's own ports, with copies of the
    /// files it needs there. `lines` say at least where its server is.
    pub fn start_on(host: &Host, label: &str, identity: &Identity, lines: &[&str]) -> Self {
        let mut config = Config::default();
        config.set(&format!("listen = '{}:{OWN_PORT}'", host.address()));
        config.set_tls(&host.install_identity(identity));
        lines.iter().for_each(|line| config.set(line));
        Self {
            daemon: Daemon::start_on(host, "pgseal-connector", label, config, vec![OWN_PORT]),
            // Not its own, which are on another host.
            ports: vec![free_port()],
            api: free_port(),
            sockets: TestDir::new("sockets"),
        }
    }

    /// The directory of its unix socket, for `host=`; the port is 5432.
    pub fn socket_dir(&self) -> &Path {
        self.sockets.path()
    }

    /// The path of its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.sockets.join(SOCKET)
    }

    /// The path of the local API's unix socket.
    pub fn api_socket(&self) -> PathBuf {
        self.sockets.join(API_SOCKET)
    }

    /// Where applications connect.
    pub fn address(&self) -> Address {
        self.address_of(0)
    }

    /// Where they connect to one of its listeners, the first being 0.
    #[track_caller]
    pub fn address_of(&self, listener: usize) -> Address {
        Address::local(self.ports[listener].number())
    }

    /// Opens a session as user postgres in database postgres.
    pub async fn connect(&self) -> Client {
        self.address().connect().await
    }

    /// The port of the local API.
    pub fn api_port(&self) -> u16 {
        self.api.number()
    }

    /// Sends a request to the local API.
    #[track_caller]
    pub fn api(&self, request: &Request) -> Response {
        request.send(self.api_port())
    }

    /// What it has counted, by the name and labels of a line of `/metrics`, such as
    /// `server_checks_failed_total{server="127.0.0.1:1"}`. What it does not list yet is 0.
    #[track_caller]
    pub fn counted(&self, line: &str) -> u64 {
        let metrics = self.api(&Request::get("/metrics"));
        let sample = format!("pgseal_connector_{line} ");
        let value = metrics
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(&sample));
        value.map_or(0, |value| {
            value
                .parse()
                .unwrap_or_else(|error| panic!("{sample}{value}: {error}"))
        })
    }

    /// Changes lines of its configuration and asks it to read that again (SIGHUP).
    pub fn reconfigure(&mut self, lines: &[&str]) {
        self.daemon.reconfigure(lines);
    }

    /// Changes lines of its configuration, asks it to read that again, and waits until it has
    /// taken it over.
    #[track_caller]
    pub fn apply(&mut self, lines: &[&str]) {
        self.daemon.apply(lines);
    }

    /// Starts it again with these further variables of its environment.
    pub fn restart_fixed(&mut self, variables: &[(&str, &str)]) {
        self.daemon.fix(&[], variables);
        self.restart();
    }

    /// Changes lines of its configuration and does not tell it.
    pub fn configure(&mut self, lines: &[&str]) {
        self.daemon.configure(lines);
    }

    /// Has it leave its place to another process (SIGUSR2), and gives the one that was there, with its
    /// sessions.
    #[track_caller]
    pub fn hand_over(&mut self) -> Process {
        self.daemon.hand_over()
    }

    /// Kills it if it still runs, and starts it again at the same ports.
    pub fn restart(&mut self) {
        self.daemon.restart();
    }

    /// Its process: logs, signals, memory.
    pub fn process(&self) -> &Process {
        self.daemon.process()
    }
}

/// Where it listens for applications.
#[derive(Clone, Copy)]
enum Listen<'a> {
    /// By TCP, with what stands behind each address.
    By(&'a [&'a str]),
    /// On unix sockets, and by TCP.
    BySocketToo,
}

fn to(server: u16) -> String {
    format!("server = '127.0.0.1:{server}'")
}
