//! Keys, zones and certificates of a test, made by the real `pgseal-keymaker`.
//!
//! What is the same for every test is made once per test program: a CA with the certificates asked
//! for so far, and a store just initialised, which each test gets a copy of. (Deriving the CA's key
//! from its passphrase is meant to be slow.)

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::{Owner, Recipient};
use serde_json::Value;

use crate::ca::Identity;
use crate::dir::TestDir;
use crate::program::{Finished, Program};

static ORIGIN: LazyLock<Origin> = LazyLock::new(Origin::make);

const STORE: &str = "store.db";
const MASTER_KEY: &str = "master.key";
const CA: &str = "ca";
const PASSPHRASE: &str = "passphrase";

/// A store of a test's own, with its master key; and the certificates of a CA that all [`Keys`] of
/// a test program share.
#[derive(Debug)]
pub struct Keys {
    dir: TestDir,
}

impl Keys {
    /// The passphrase of the CA's key.
    pub const CA_PASSPHRASE: &str = "a passphrase for tests";

    /// A new store that holds nothing yet.
    pub fn new() -> Self {
        let dir = TestDir::new("keys");
        for name in [STORE, MASTER_KEY] {
            let from = ORIGIN.dir.join(name);
            fs::copy(&from, dir.join(name))
                .unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
        }
        Self { dir }
    }

    /// The store, a file.
    pub fn store(&self) -> PathBuf {
        self.dir.join(STORE)
    }

    /// The file of the master key.
    pub fn master_key_file(&self) -> PathBuf {
        self.dir.join(MASTER_KEY)
    }

    /// The certificate of the CA, a PEM file.
    pub fn ca(&self) -> PathBuf {
        ORIGIN.ca()
    }

    /// Runs `pgseal-keymaker` on this store, with these arguments before those that name it.
    #[track_caller]
    pub fn keymaker(&self, arguments: &[&str]) -> Finished {
        let program = Program::named("pgseal-keymaker").args(arguments);
        program.args(store_arguments(&self.dir)).run()
    }

    /// Adds a client and returns its public key.
    #[track_caller]
    pub fn add_client(&self, id: &str) -> Recipient {
        self.public_key(&["client", "add", id])
    }

    /// Adds a client that may create zones through the control API, and returns its public key.
    #[track_caller]
    pub fn add_zone_creator(&self, id: &str) -> Recipient {
        self.public_key(&["client", "add", id, "--create-zones"])
    }

    /// Adds a zone that these clients may open (`*` for all) and returns its public key; its id is
    /// that of the key's owner.
    #[track_caller]
    pub fn add_zone(&self, clients: &[&str]) -> Recipient {
        let clients = clients.iter().flat_map(|client| ["--client", client]);
        self.public_key(
            &["zone", "add"]
                .into_iter()
                .chain(clients)
                .collect::<Vec<_>>(),
        )
    }

    /// The active public key of a client that is in the store.
    #[track_caller]
    pub fn client(&self, id: &str) -> Recipient {
        self.public_key(&["key", "export-public", "--client", id])
    }

    /// The active public key of a zone that is in the store, such as one made by the control API.
    #[track_caller]
    pub fn zone(&self, id: &str) -> Recipient {
        self.public_key(&["key", "export-public", "--zone", id])
    }

    /// The certificate of a client. It need not be in the store.
    pub fn client_identity(&self, id: &str) -> Identity {
        ORIGIN.identity("client", id)
    }

    /// The certificate of a server.
    pub fn server_identity(&self, id: &str) -> Identity {
        ORIGIN.identity("server", id)
    }

    /// The certificate of an admin.
    pub fn admin_identity(&self, id: &str) -> Identity {
        ORIGIN.identity("admin", id)
    }

    #[track_caller]
    fn public_key(&self, arguments: &[&str]) -> Recipient {
        let answer = self.keymaker(&[&["--json"], arguments].concat()).success();
        recipient(&answer).unwrap_or_else(|| panic!("no public key for a writer: {answer}"))
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

/// What all [`Keys`] have in common.
struct Origin {
    dir: TestDir,
    identities: Mutex<HashMap<(&'static str, String), Identity>>,
}

impl Origin {
    fn make() -> Self {
        let dir = TestDir::new("origin");
        dir.write_private(PASSPHRASE, Keys::CA_PASSPHRASE);
        let init = Program::named("pgseal-keymaker")
            .arg("init")
            .args(store_arguments(&dir));
        init.args(ca_arguments(&dir)).run().success();
        Self {
            dir,
            identities: Mutex::default(),
        }
    }

    fn ca(&self) -> PathBuf {
        self.dir.join(CA).join("ca.crt")
    }

    /// The certificate of this role and id, made when it is first asked for.
    fn identity(&self, role: &'static str, id: &str) -> Identity {
        let mut identities = self
            .identities
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let out = self.dir.join(role);
            let cert = Program::named("pgseal-keymaker").args(["cert", role, id]);
            cert.args(ca_arguments(&self.dir))
                .arg("--out-dir")
                .arg(&out)
                .run()
                .success();
            Identity {
                certificate: out.join(format!("{id}.crt")),
                private_key: out.join(format!("{id}.key")),
                ca: self.ca(),
            }
        };
        identities
            .entry((role, id.to_owned()))
            .or_insert_with(make)
            .clone()
    }
}

fn store_arguments(dir: &TestDir) -> [OsString; 4] {
    let (store, master_key) = (dir.join(STORE), dir.join(MASTER_KEY));
    [
        "--store".into(),
        store.into(),
        "--master-key-file".into(),
        master_key.into(),
    ]
}

fn ca_arguments(dir: &TestDir) -> [OsString; 4] {
    let (ca, passphrase) = (dir.join(CA), dir.join(PASSPHRASE));
    [
        "--ca-dir".into(),
        ca.into(),
        "--ca-passphrase-file".into(),
        passphrase.into(),
    ]
}

/// Whom to seal to, from what is handed out to writers (also by the control API): JSON with kind,
/// id, public key and key id. None if anything is amiss with it.
pub(crate) fn recipient(json: &str) -> Option<Recipient> {
    let handed_out: Value = serde_json::from_str(json).ok()?;
    let text = |name: &str| handed_out.get(name)?.as_str();
    let owner = match text("kind")? {
        "client" => Owner::Client(text("id")?.parse().ok()?),
        "zone" => Owner::Zone(text("id")?.parse().ok()?),
        _ => return None,
    };
    let public_key = STANDARD.decode(text("public_key")?).ok()?;
    let recipient = Recipient::new(owner, public_key.as_slice().try_into().ok()?);
    (recipient.key_id().to_string() == text("key_id")?).then_some(recipient)
}
