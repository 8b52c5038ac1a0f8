//! `pgseal-connector` under test.

use tokio_postgres::Client;

use crate::address::Address;
use crate::ca::Identity;
use crate::daemon::{Config, Daemon};
use crate::http::{Request, Response};
use crate::port::{Port, free_port};
use crate::process::Process;

/// A running connector. Dropping it kills it.
#[derive(Debug)]
pub struct Connector {
    daemon: Daemon,
    port: Port,
    api: Port,
}

impl Connector {
    /// Starts a connector to the server at this port of 127.0.0.1, with lines of TOML that add to
    /// its configuration or replace parts of it. `label` names it in messages.
    pub fn start(label: &str, identity: &Identity, server: u16, lines: &[&str]) -> Self {
        let (port, api) = (free_port(), free_port());
        let mut config = Config::default();
        config.set(&format!("listen = '127.0.0.1:{port}'"));
        config.set(&format!("api_listen = '127.0.0.1:{api}'"));
        config.set(&format!("server = '127.0.0.1:{server}'"));
        config.set_tls(identity);
        lines.iter().for_each(|line| config.set(line));
        let ports = vec![port.number(), api.number()];
        let daemon = Daemon::start("pgseal-connector", label, config, ports);
        Self { daemon, port, api }
    }

    /// Where applications connect.
    pub fn address(&self) -> Address {
        Address::local(self.port.number())
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

    /// Kills it if it still runs, and starts it again at the same ports.
    pub fn restart(&mut self) {
        self.daemon.restart();
    }

    /// Its process: logs, signals, memory.
    pub fn process(&self) -> &Process {
        self.daemon.process()
    }
}
