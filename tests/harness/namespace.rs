//! Hosts of a network of their own: network namespaces on one bridge, made with `ip` (iproute2).
//!
//! Only root can make them: on a machine where that is not allowed a test fails and says so.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::dir::run_directory;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A bridge with an address of this host, `<net>.1`. Dropping it removes it; drop it last.
#[derive(Debug)]
pub struct Network {
    bridge: String,
    /// The first three numbers of its addresses.
    net: String,
    next_host: u32,
}

/// A network namespace with an address of its own and no way out of its network. Dropping it removes
/// it; drop what runs in it before.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    address: String,
}

impl Network {
    /// Makes an empty network.
    pub fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test makes network namespaces, which only root can: run it as root"
        );
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let bridge = format!("pgs{}b{number}", id());
        note(&bridge);
        ip(&["link", "add", &bridge, "type", "bridge"]);
        // Networks of tests that run at the same time must differ; a range meant for benchmarks
        // (RFC 2544) that nobody else routes.
        let tried = (0..512).map(|step| (id() + number + step) % 512);
        let free = tried
            .map(|number| format!("198.{}.{}", 18 + number / 256, number % 256))
            .find(|net| !ip(&["-4", "route", "show"]).contains(&format!("{net}.")));
        let net = free.unwrap_or_else(|| panic!("every network of 198.18.0.0/15 is in use"));
        let network = Self {
            bridge,
            net,
            next_host: 2,
        };
        let address = format!("{}/24", network.address());
        ip(&["addr", "add", &address, "dev", &network.bridge]);
        ip(&["link", "set", &network.bridge, "up"]);
        network
    }

    /// The address of this host in the network.
    pub fn address(&self) -> String {
        format!("{}.1", self.net)
    }

    /// Makes a host in it.
    pub fn host(&mut self) -> Namespace {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pgs{}n{number}", id());
        note(&name);
        ip(&["netns", "add", &name]);
        let namespace = Namespace {
            name: name.clone(),
            address: format!("{}.{}", self.net, self.next_host),
        };
        self.next_host += 1;
        let outer = format!("pgs{}v{number}", id());
        ip(&[
            "link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &name,
        ]);
        ip(&["link", "set", &outer, "master", &self.bridge, "up"]);
        let address = format!("{}/24", namespace.address);
        for inside in [
            &["addr", "add", &address, "dev", "eth0"][..],
            &["link", "set", "eth0", "up"],
            &["link", "set", "lo", "up"],
        ] {
            ip(&[&["-n", &name], inside].concat());
        }
        namespace
    }
}

impl Namespace {
    /// Its name, for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// The same, not as text.
    pub fn ip(&self) -> Ipv4Addr {
        let parsed = self.address.parse();
        parsed.unwrap_or_else(|error| panic!("{}: {error}", self.address))
    }

    /// Takes its cable out: what is sent to it and by it is lost, without a word.
    pub fn unplug(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "down"]);
    }

    /// Puts the cable back.
    pub fn plug(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "up"]);
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["link", "del", &self.bridge])
            .output();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .output();
    }
}

/// Has the janitor remove a namespace or bridge, should nobody else come to it.
fn note(name: &str) {
    let file = run_directory().join("namespaces");
    let noted = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| writeln!(file, "{name}"));
    noted.unwrap_or_else(|error| panic!("writing {}: {error}", file.display()));
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("network namespaces are made with ip: `apt-get install iproute2` ({error})")
    });
    assert!(
        output.status.success(),
        "this machine does not let network namespaces be made: ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
