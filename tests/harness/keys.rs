//! Keys, zones and certificates of a test, made by the real `pgseal-keymaker`.
//!
//! What is the same for every test is made once per test program: a CA with the certificates asked
//! for so far, and a store just initialised, which each test gets a copy of. (Deriving the CA's key
//! from its passphrase is meant to be slow.)

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::{ClientId, Owner, PublicKey, Recipient, ZoneId};
use serde_json::Value;

use crate::ca::Identity;
use crate::dir::TestDir;
use crate::program::{Finished, Program};

static ORIGIN: LazyLock<Origin> = LazyLock::new(Origin::make);

/// What all tests share.
struct Origin {
    dir: TestDir,
    identities: Mutex<HashMap<(String, String), Identity>>,
}

/// A store of a test's own, with its master key; and certificates of the CA that all [`Keys`] of a
/// test program share.
#[derive(Debug)]
pub struct Keys {
    dir: TestDir,
}

const STORE: &str = "store.db";
const MASTER_KEY: &str = "master.key";

impl Keys {
    /// A new store that holds nothing yet.
    pub fn new() -> Self {
        let keys = Self { dir: TestDir::new("keys") };
        for file in [STORE, MASTER_KEY] {
            let from = ORIGIN.dir.join(file);
            fs::copy(&from, keys.dir.join(file))
                .unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
        }
        keys
    }

    /// The store's file.
    pub fn store(&self) -> PathBuf {
        self.dir.join(STORE)
    }

    /// The file of the master key.
    pub fn master_key_file(&self) -> PathBuf {
        self.dir.join(MASTER_KEY)
    }

    /// Runs `pgseal-keymaker` on this store with these arguments.
    #[track_caller]
    pub fn keymaker(&self, arguments: &[&str]) -> Finished {
        keymaker(&self.dir).args(arguments).run()
    }

    /// Adds a client and returns its public key.
    #[track_caller]
    pub fn add_client(&self, id: &str) -> Recipient {
        self.keymaker(&["client", "add", id]).success();
        self.public_key_of_client(id)
    }

    /// The active public key of a client that is in the store.
    #[track_caller]
    pub fn public_key_of_client(&self, id: &str) -> Recipient {
        let owner = Owner::Client(ClientId::try_from(id).expect("a test's client id is well-formed"));
        self.public_key(owner, &["--client", id])
    }

    /// Adds a zone that these clients may open, and returns its id and public key.
    #[track_caller]
    pub fn add_zone(&self, clients: &[&str]) -> Recipient {
        let mut arguments = vec!["zone", "add", "--json"];
        clients.iter().for_each(|client| arguments.extend(["--client", client]));
        let zone = json(&self.keymaker(&arguments).success());
        self.public_key_of_zone(text(&zone, "id"))
    }

    /// The active public key of a zone that is in the store.
    #[track_caller]
    pub fn public_key_of_zone(&self, id: &str) -> Recipient {
        let owner = Owner::Zone(ZoneId::try_from(id).expect("a test's zone id is well-formed"));
        self.public_key(owner, &["--zone", id])
    }

    /// The certificate of a client, by a CA that is the same in the whole test program.
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
    fn public_key(&self, owner: Owner, which: &[&str]) -> Recipient {
        let arguments = [&["key", "export-public", "--json"], which].concat();
        let exported = json(&self.keymaker(&arguments).success());
        let bytes = STANDARD.decode(text(&exported, "public_key"));
        let bytes = bytes.unwrap_or_else(|error| panic!("a public key not in base64: {error}"));
        let key = PublicKey::try_from(bytes.as_slice());
        let recipient =
            Recipient::new(owner, key.unwrap_or_else(|error| panic!("a public key: {error}")));
        assert_eq!(text(&exported, "id"), recipient.owner().id());
        assert_eq!(text(&exported, "key_id"), recipient.key_id().to_string());
        recipient
    }
}
