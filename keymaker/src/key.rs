//! `key list` and `key export-public`, and how keys are shown elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::{ClientId, Owner, ZoneId};
use keystore::KeyRecord;
use serde::Serialize;

use crate::Error;
use crate::cli;
use crate::output::{Line, Output};
use crate::source::open_store;

pub fn run(command: cli::Key, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Key::List(args) => {
            let owner = owner(args.owner.client, args.owner.zone);
            let store = open_store(args.store)?;
            if let Some(owner) = &owner {
                // An owner that is not there is an error, not an empty list.
                store.active_key(owner)?;
            }
            let page =
                |last: Option<&KeyRecord>| store.keys(owner.as_ref(), last, keystore::MAX_PAGE);
            output.list::<KeyLine, _>(page)
        }
        cli::Key::ExportPublic(args) => {
            let owner = owner(args.owner.client, args.owner.zone);
            let owner = owner.expect("the argument parser asks for one of the two");
            let store = open_store(args.store)?;
            output.json(&PublicKeyAnswer::from(&store.active_key(&owner)?))
        }
    }
}

fn owner(client: Option<ClientId>, zone: Option<ZoneId>) -> Option<Owner> {
    client.map(Owner::Client).or(zone.map(Owner::Zone))
}

/// A public key as writers get it, from here and from the control API.
#[derive(Serialize)]
pub struct PublicKeyAnswer {
    kind: String,
    id: String,
    public_key: String,
    key_id: String,
    version: u32,
}

impl From<&KeyRecord> for PublicKeyAnswer {
    fn from(key: &KeyRecord) -> Self {
        PublicKeyAnswer {
            kind: key.owner.kind().to_string(),
            id: key.owner.id().into(),
            public_key: STANDARD.encode(key.public_key.as_bytes()),
            key_id: key.key_id.to_string(),
            version: key.version,
        }
    }
}

impl PublicKeyAnswer {
    /// The key, without its owner, for people.
    pub fn fields(&self) -> [(&'static str, String); 3] {
        [
            ("public key", self.public_key.clone()),
            ("key id", self.key_id.clone()),
            ("version", self.version.to_string()),
        ]
    }
}

/// A key in a list.
#[derive(Serialize)]
pub struct KeyLine {
    #[serde(flatten)]
    key: PublicKeyAnswer,
    state: String,
    created: String,
}

impl From<&KeyRecord> for KeyLine {
    fn from(key: &KeyRecord) -> Self {
        KeyLine {
            key: key.into(),
            state: key.state.to_string(),
            created: key.created.to_string(),
        }
    }
}

impl Line for KeyLine {
    const COLUMNS: &'static [&'static str] =
        &["KIND", "OWNER", "VERSION", "STATE", "KEY ID", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.kind.clone(),
            self.key.id.clone(),
            self.key.version.to_string(),
            self.state.clone(),
            self.key.key_id.clone(),
            self.created.clone(),
        ]
    }
}
