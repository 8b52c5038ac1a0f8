//! Two servers on hosts of their own before one database.

use harness::raw::Session;
use harness::{Address, Apart, Connector, Signal};

use super::{Balanced, CHECKS, Fault, INTERVALS, Path, Stand, connector};

/// Users of hosts that no test has.
const USERS: [u32; 2] = [30, 31];

/// The one that faults befall.
const LOST: usize = 0;

/// All of it. Dropped from the top.
pub struct Servers {
    by_haproxy: [(Connector, Balanced); 2],
    servers: Apart,
}

impl Servers {
    /// Starts it.
    pub fn start() -> Self {
        let servers = Apart::start(&USERS, &CHECKS);
        let identity = servers.keys.client_identity("app");
        let addresses = [0, 1].map(|server| servers.server_address(server));
        let by_haproxy = INTERVALS.map(|interval| {
            let balanced = Balanced::start(interval, addresses.each_ref().map(String::as_str));
            let port = balanced.port.number();
            (connector(&identity, interval, port), balanced)
        });
        Self {
            by_haproxy,
            servers,
        }
    }
}

impl Stand for Servers {
    const LOST: &'static str = "server";

    fn address(&self, path: Path) -> Address {
        let [(three, _), (one, _)] = &self.by_haproxy;
        match path {
            Path::Pgseal => self.servers.address(),
            Path::Haproxy3s => three.address(),
            Path::Haproxy1s => one.address(),
        }
    }

    fn wait_until_whole(&self) {
        (0..USERS.len()).for_each(|server| self.servers.is_up(server));
        let balanced = self.by_haproxy.iter();
        balanced.for_each(|(_, balanced)| balanced.wait_until_whole());
    }

    fn session_on_lost(&self, path: Path) -> Session {
        self.servers.session_on(LOST, self.address(path))
    }

    fn bring(&mut self, fault: Fault) {
        let process = self.servers.servers[LOST].process();
        match fault {
            Fault::Killed => {
                process.kill();
            }
            Fault::Dropped => self.servers.hosts[LOST].namespace().unplug(),
            Fault::Hung => process.signal(Signal::STOP),
        }
    }

    fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.servers.servers[LOST].restart(),
            Fault::Dropped => self.servers.hosts[LOST].namespace().plug(),
            Fault::Hung => self.servers.servers[LOST].process().signal(Signal::CONT),
        }
    }
}
