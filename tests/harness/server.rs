//! `pgseal-server` under test.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use crate::ca::Identity;
use crate::daemon::{Config, Daemon};
use crate::host::Host;
use crate::http::{Request, Response};
use crate::keys::Keys;
use crate::port::{Port, free_port};
use crate::process::Process;
use crate::raw::tls::Hello;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    daemon: Daemon,
    address: IpAddr,
    /// For data sessions and the control API: one for each of its listeners.
    ports: Vec<u16>,
    /// For operators' tools.
    ops: u16,
    _reserved: Vec<Port>,
}

/// The server's ports on a host of its own.
const OWN_PORTS: [u16; 2] = [9393, 9090];

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
        let database = format!("database.address = '{database}'");
        Self::start_at(label, identity, keys, &database, &[""], lines)
    }

    /// [`start`](Self::start) one that chooses between several databases (each as in `databases`). It has
    /// a listener for each of `needs`: what stands behind its address in `listen`.
    pub fn start_among(
        label: &str,
        identity: &Identity,
        keys: &Keys,
        databases: &[String],
        needs: &[&str],
        lines: &[&str],
    ) -> Self {
        let databases = format!("databases = {databases:?}");
        Self::start_at(label, identity, keys, &databases, needs, lines)
    }

    fn start_at(
        label: &str,
        identity: &Identity,
        keys: &Keys,
        database: &str,
        needs: &[&str],
        lines: &[&str],
    ) -> Self {
        let ops = free_port();
        let mut reserved: Vec<_> = needs.iter().map(|_| free_port()).collect();
        let addresses = reserved.iter().zip(needs);
        let addresses = addresses.map(|(port, needs)| format!("127.0.0.1:{port} {needs}"));
        let mut config = Config::default();
        config.set(&format!("listen = {:?}", addresses.collect::<Vec<_>>()));
        config.set(&format!("ops_listen = '127.0.0.1:{ops}'"));
        config.set(&format!("store = '{}'", keys.store().display()));
        config.set(&format!(
            "master_key_file = '{}'",
            keys.master_key_file().display()
        ));
        config.set(database);
        config.set_tls(identity);
        lines.iter().for_each(|line| config.set(line));
        let ports: Vec<_> = reserved.iter().map(Port::number).collect();
        let waited_for = ports.iter().copied().chain([ops.number()]).collect();
        let daemon = Daemon::start("pgseal-server", label, config, waited_for);
        let number = ops.number();
        reserved.push(ops);
        Self {
            daemon,
            address: Ipv4Addr::LOCALHOST.into(),
            ports,
            ops: number,
            _reserved: reserved,
        }
    }

    /// Starts a server on a host, at its address and the program's own ports, with copies of the
    /// files it needs there. `lines` say at least where its store and its database are.
    pub fn start_on(
        host: &Host,
        label: &str,
        identity: &Identity,
        master_key_file: &Path,
        lines: &[&str],
    ) -> Self {
        let address = host.address();
        let [port, ops] = OWN_PORTS;
        let master_key_file = host.install(master_key_file);
        let mut config = Config::default();
        config.set(&format!("listen = '{address}:{port}'"));
        config.set(&format!("ops_listen = '{address}:{ops}'"));
        config.set(&format!(
            "master_key_file = '{}'",
            master_key_file.display()
        ));
        config.set_tls(&host.install_identity(identity));
        lines.iter().for_each(|line| config.set(line));
        Self {
            daemon: Daemon::start_on(host, "pgseal-server", label, config, OWN_PORTS.to_vec()),
            address: address
                .parse()
                .unwrap_or_else(|error| panic!("{address}: {error}")),
            ports: vec![port],
            ops,
            _reserved: Vec::new(),
        }
    }

    /// The port for data sessions and the control API.
    pub fn port(&self) -> u16 {
        self.port_of(0)
    }

    /// The same of one of its listeners, the first being 0.
    #[track_caller]
    pub fn port_of(&self, listener: usize) -> u16 {
        self.ports[listener]
    }

    /// The ops port.
    pub fn ops_port(&self) -> u16 {
        self.ops
    }

    /// Asks the ops port for a page, such as `/health` or `/metrics`.
    #[track_caller]
    pub fn ops(&self, path: &str) -> Response {
        Request::get(path).send_to((self.address, self.ops_port()).into())
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

    /// Starts it again from a copy of its program, which is returned.
    pub fn restart_from_copy(&mut self) -> PathBuf {
        self.daemon.restart_from_copy()
    }

    /// Starts it again with these further arguments and variables of its environment.
    pub fn restart_fixed(&mut self, arguments: &[&str], variables: &[(&str, &str)]) {
        self.daemon.fix(arguments, variables);
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
