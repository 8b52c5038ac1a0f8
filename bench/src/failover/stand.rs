//! What is lost, how, and by which ways applications come to it.

mod replicas;
mod servers;

use std::fmt;

use harness::raw::Session;
use harness::{Address, Connector, Haproxy, Identity, Port, free_port};

pub use replicas::Replicas;
pub use servers::Servers;

/// Two of something, one of which is lost, and three ways to them.
pub trait Stand {
    /// What is lost.
    const LOST: &'static str;

    /// Where applications connect.
    fn address(&self, path: Path) -> Address;

    /// Waits until both are up, on every way.
    fn wait_until_whole(&self);

    /// A session by this way on the one that faults befall.
    fn session_on_lost(&self, path: Path) -> Session;

    /// Has a fault befall it.
    fn bring(&mut self, fault: Fault);

    /// Ends that.
    fn mend(&mut self, fault: Fault);
}

/// What befalls it.
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

/// How applications come to the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// By pgseal, which chooses, with the settings it has by default.
    Pgseal,
    /// By HAProxy before them, whose checks are three seconds apart, as guides have them.
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

/// Between the checks of the two ways by HAProxy.
const INTERVALS: [&str; 2] = ["3s", "1s"];

/// The defaults, but for what a run of faults in a row would meet and a single one does not: one that was
/// lost and is back gets its whole share at once, so that the next fault hits as many connects.
const CHECKS: [&str; 2] = ["checks.timeout = '500ms'", "checks.slow_start = '1ms'"];

/// HAProxy before both.
struct Balanced {
    haproxy: Haproxy,
    port: Port,
}

/// HAProxy's names of the two.
const NAMES: [&str; 2] = ["a", "b"];

impl Balanced {
    /// Starts one, with checks so far apart.
    fn start(interval: &str, [a, b]: [&str; 2]) -> Self {
        let port = free_port();
        let configuration = format!(
            "defaults
    log global
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 5s

listen both
    bind 127.0.0.1:{port}
    balance roundrobin
    default-server inter {interval} fall 3 rise 2 on-marked-down shutdown-sessions
    server a {a} check
    server b {b} check
"
        );
        let haproxy = Haproxy::start(&configuration, &[port.number()]);
        Self { haproxy, port }
    }

    fn wait_until_whole(&self) {
        self.haproxy.wait_until_up("both", &NAMES);
    }
}

/// A connector that knows one address.
fn connector(identity: &Identity, interval: &str, port: u16) -> Connector {
    let label = format!("connector-{interval}");
    Connector::start(&label, identity, port, &[])
}
