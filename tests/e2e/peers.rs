//! Peers that are not who they should be get nowhere, and hear why where that is safe: those of a
//! server, and the servers of a connector.

mod of_connector;
mod of_server;

use std::fs;
use std::path::Path;

use harness::{Ca, Identity, TestDir};

/// The same identity, trusting these CAs instead of its own.
fn trusting(identity: &Identity, cas: &[&Path], dir: &TestDir) -> Identity {
    let certificates: Vec<Vec<u8>> = cas.iter().map(|ca| fs::read(ca).unwrap()).collect();
    Identity {
        ca: dir.write("trusted.crt", certificates.concat()),
        ..identity.clone()
    }
}

/// CAs that nobody trusts: one with a name of its own, and one with the name of the right one.
fn strangers() -> [Ca; 2] {
    [Ca::named("somebody else's CA"), Ca::new()]
}
