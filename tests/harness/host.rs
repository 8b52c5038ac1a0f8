//! Hosts of a fleet: each with a network namespace, a user and a directory of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::ca::Identity;
use crate::dir::TestDir;
use crate::namespace::{Namespace, Network};
use crate::program::Program;

/// Users without a name, one for each host; nobody else has them.
const FIRST_USER: u32 = 61_000;

/// One host. What runs on it reaches its network, and no file of another host's user.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    user: u32,
    dir: TestDir,
}

impl Host {
    /// Makes one with the user of this number among a fleet's.
    pub fn new(network: &mut Network, number: u32) -> Self {
        let host = Self {
            namespace: network.host(),
            user: FIRST_USER + number,
            dir: TestDir::new(&format!("host-{number}")),
        };
        host.give(host.dir.path(), 0o700);
        host
    }

    /// Its address in the network.
    pub fn address(&self) -> String {
        self.namespace.address()
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Where its own files are.
    pub fn dir(&self) -> &TestDir {
        &self.dir
    }

    /// Has a program run on it, as its user.
    pub fn runs(&self, program: Program) -> Program {
        let user = self.user.to_string();
        program
            .namespace(self.namespace.name())
            .account(Some(&user))
    }

    /// Copies a file to it, for its user's eyes only.
    pub fn install(&self, from: &Path) -> PathBuf {
        let name = from.file_name().expect("a file has a name");
        let parent = from.parent().and_then(Path::file_name);
        let parent = parent.map_or(String::new(), |name| name.to_string_lossy().into_owned());
        let to = self
            .dir
            .join(&format!("{parent}-{}", name.to_string_lossy()));
        fs::copy(from, &to).unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
        self.give(&to, 0o600);
        to
    }

    /// Copies the files of one end of TLS to it.
    pub fn install_identity(&self, identity: &Identity) -> Identity {
        Identity {
            certificate: self.install(&identity.certificate),
            private_key: self.install(&identity.private_key),
            ca: self.install(&identity.ca),
        }
    }

    /// Gives a file or directory to its user.
    pub fn give(&self, path: &Path, mode: u32) {
        let given = fs::set_permissions(path, Permissions::from_mode(mode))
            .and_then(|()| chown(path, Some(self.user), Some(self.user)));
        given.unwrap_or_else(|error| panic!("giving {} away: {error}", path.display()));
    }
}
