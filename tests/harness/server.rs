//! `pgseal-server` under test.

use crate::ca::Identity;
use crate::daemon::{Config, Daemon};
use crate::http::{Request, Response};
use crate::keys::Keys;
use crate::port::{Port, free_port};
use crate::process::Process;
use crate::raw::tls::Hello;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    daemon: Daemon,
    port: Port,
    ops: Port,
}

impl Server {
    /// Starts a server before `database` (`host:port`, or the path of a unix socket), with lines of
    /// TOML that add to its configuration or replace parts of it. `label` names it in messages.
    pub fn start(
        label: &str,
        identity: &Identity,
        keys: &Keys,
        database: &str,
        lines: &[&str],
    ) -> Self {
        let (port, ops) = (free_port(), free_port());
        let mut config = Config::default();
        config.set(&format!("listen = '127.0.0.1:{port}'"));
        config.set(&format!("ops_listen = '127.0.0.1:{ops}'"));
        config.set(&format!("store = '{}'", keys.store().display()));
        config.set(&format!(
            "master_key_file = '{}'",
            keys.master_key_file().display()
        ));
        config.set(&format!("database.address = '{database}'"));
        config.set_tls(identity);
        lines.iter().for_each(|line| config.set(line));
        let ports = vec![port.number(), ops.number()];
        let daemon = Daemon::start("pgseal-server", label, config, ports);
        Self { daemon, port, ops }
    }

    /// The port for data sessions and the control API.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The ops port.
    pub fn ops_port(&self) -> u16 {
        self.ops.number()
    }

    /// Asks the ops port for a page, such as `/health` or `/metrics`.
    #[track_caller]
    pub fn ops(&self, path: &str) -> Response {
        Request::get(path).send(self.ops_port())
    }

    /// Asks the control API on the server's own port, as whoever holds `identity`.
    #[track_caller]
    pub fn control(&self, identity: &Identity, request: &Request) -> Response {
        let session = Hello::from(identity)
            .alpn(&["http/1.1"])
            .connect(self.port());
        let session = session.unwrap_or_else(|error| panic!("the control API: {error}"));
        request.send_over(&mut session.into_stream())
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

    /// What it has counted, by the name and labels of a line of `/metrics`, such as
    /// `values_refused_total{reason="zone_mode"}`. What it does not list yet is 0.
    #[track_caller]
    pub fn counted(&self, line: &str) -> u64 {
        let metrics = self.ops("/metrics");
        let sample = format!("pgseal_server_{line} ");
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

    /// Kills it if it still runs, and starts it again at the same ports.
    pub fn restart(&mut self) {
        self.daemon.restart();
    }

    /// Its process: logs, signals, memory.
    pub fn process(&self) -> &Process {
        self.daemon.process()
    }
}
