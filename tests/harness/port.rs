//! Ports for programs under test, distinct in all tests that run on this machine.
//!
//! A port is reserved by binding an abstract unix socket named after it: the kernel gives such a
//! name to one holder on the machine and frees it when that holder ends in whatever way. (A file as
//! a lock would have to be removed, and a bound TCP port could not be used by the program.)

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Below 32768, where Linux begins to give ports to outgoing connections, and above the ports that
/// programs have by default.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A reserved TCP port on 127.0.0.1; free for others again when dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _reservation: UnixListener,
}

impl Port {
    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }

    fn reserve(number: u16) -> Option<Self> {
        let name = format!("pgseal-test-port-{number}");
        let address = SocketAddr::from_abstract_name(name).ok()?;
        let reservation = UnixListener::bind_addr(&address).ok()?;
        // Somebody who reserves nothing may be listening there.
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self {
            number,
            _reservation: reservation,
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// Reserves a port that nobody listens on, between 20000 and 32000.
pub fn free_port() -> Port {
    let random = RandomState::new().hash_one(());
    let skipped = usize::try_from(random % 12_000).expect("a small number fits");
    RANGE
        .cycle()
        .skip(skipped)
        .take(RANGE.len())
        .find_map(Port::reserve)
        .unwrap_or_else(|| panic!("every port from {} to {} is in use", RANGE.start, RANGE.end))
}
