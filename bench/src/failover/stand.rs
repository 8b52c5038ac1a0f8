//! Two servers on hosts of their own before one database, and three ways to them.

use std::fmt;

use harness::{Address, Apart, Connector, Haproxy, Port, Signal, free_port};

/// What befalls a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its process is killed: its host refuses connections.
    Killed,
    /// Its host's cable is out: nothing is answered, and nothing refused.
    Dropped,
    /// Its process is stopped: its host takes connections, and nobody answers.
    Hung,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Killed, Self::Dropped, Self::Hung];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Killed => "killed",
            Self::Dropped => "packets dropped",
            Self::Hung => "hung",
        })
    }
}

/// How applications come to the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// By a connector that chooses, with the settings it has by default.
    Pgseal,
    /// By a connector before HAProxy, whose checks are three seconds apart, as guides have them.
    Haproxy3s,
    /// The same, one second apart.
    Haproxy1s,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pgseal, Self::Haproxy3s, Self::Haproxy1s];
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pgseal => "pgseal",
            Self::Haproxy3s => "HAProxy, inter 3s",
            Self::Haproxy1s => "HAProxy, inter 1s",
        })
    }
}

/// All of it. Dropped from the top.
pub struct Stand {
    by_haproxy: [ByHaproxy; 2],
    /// The servers, and the connector that chooses between them.
    pub servers: Apart,
}

/// A connector that knows HAProxy alone, and that before the servers.
struct ByHaproxy {
    connector: Connector,
    haproxy: Haproxy,
    _port: Port,
}

/// The defaults, but for what a run of faults in a row would meet and a single one does not: a server
/// that was lost and is back gets its whole share at once, so that the next fault hits as many connects.
const CHECKS: [&str; 2] = ["checks.timeout = '500ms'", "checks.slow_start = '1ms'"];

/// Users of hosts that no test has.
const USERS: [u32; 2] = [30, 31];

impl Stand {
    /// Starts it.
    pub fn start() -> Self {
        let servers = Apart::start(&USERS, &CHECKS);
        let by_haproxy = ["3s", "1s"].map(|interval| ByHaproxy::start(&servers, interval));
        Self {
            by_haproxy,
            servers,
        }
    }

    /// Where applications connect.
    pub fn address(&self, path: Path) -> Address {
        let [three, one] = &self.by_haproxy;
        match path {
            Path::Pgseal => self.servers.address(),
            Path::Haproxy3s => three.connector.address(),
            Path::Haproxy1s => one.connector.address(),
        }
    }

    /// Waits until both servers are up, on every way.
    pub fn wait_until_whole(&self) {
        (0..USERS.len()).for_each(|server| self.servers.is_up(server));
        for by in &self.by_haproxy {
            by.haproxy.wait_until_up("servers", &NAMES);
        }
    }

    /// Has a fault befall a server.
    pub fn bring(&self, fault: Fault, server: usize) {
        let process = self.servers.servers[server].process();
        match fault {
            Fault::Killed => {
                process.kill();
            }
            Fault::Dropped => self.servers.hosts[server].namespace().unplug(),
            Fault::Hung => process.signal(Signal::STOP),
        }
    }

    /// Ends it.
    pub fn mend(&mut self, fault: Fault, server: usize) {
        match fault {
            Fault::Killed => self.servers.servers[server].restart(),
            Fault::Dropped => self.servers.hosts[server].namespace().plug(),
            Fault::Hung => self.servers.servers[server].process().signal(Signal::CONT),
        }
    }
}

/// HAProxy's names of the servers.
const NAMES: [&str; 2] = ["a", "b"];

impl ByHaproxy {
    fn start(servers: &Apart, interval: &str) -> Self {
        let port = free_port();
        let [a, b] = [0, 1].map(|server| servers.server_address(server));
        let configuration = format!(
            "defaults
    log global
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 5s

listen servers
    bind 127.0.0.1:{port}
    balance roundrobin
    default-server inter {interval} fall 3 rise 2 on-marked-down shutdown-sessions
    server a {a} check
    server b {b} check
"
        );
        let haproxy = Haproxy::start(&configuration, &[port.number()]);
        let identity = servers.keys.client_identity("app");
        let label = format!("connector-{interval}");
        let connector = Connector::start(&label, &identity, port.number(), &[]);
        Self {
            connector,
            haproxy,
            _port: port,
        }
    }
}
