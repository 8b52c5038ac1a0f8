//! `key list` and `key export-public`, and how keys are shown elsewhere. What changes keys is in
//! `key/life`.

mod life;

pub use life::DestroyedAnswer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystore::{KeyRecord, Store, Timestamp};
use serde::Serialize;

use crate::Error;
use crate::cli::key as cli;
use crate::output::{Line, Output};
use crate::source::open_store;
use crate::times::roughly;

pub fn run(command: cli::Key, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Key::List(args) => {
            let (owner, store) = (args.owner.owner(), open_store(args.store)?);
            if let Some(owner) = &owner {
                // An owner that is not there is an error, not an empty list.
                store.find_key(owner, 1)?;
            }
            output.list::<KeyLine, _>(|last: Option<&UsedKey>| {
                let after = last.map(|last| &last.key);
                let page = store.keys(owner.as_ref(), after, keystore::MAX_PAGE)?;
                page.into_iter()
                    .map(|key| UsedKey::of(&store, key))
                    .collect()
            })
        }
        cli::Key::ExportPublic(args) => {
            let (owner, store) = (args.owner.owner(), open_store(args.store)?);
            output.json(&PublicKeyAnswer::from(&store.active_key(&owner)?))
        }
        cli::Key::Rotate(args) => life::rotate(args, output),
        cli::Key::Retire(args) => life::retire(args, output),
        cli::Key::Restore(args) => life::restore(args, output),
        cli::Key::Destroy(args) => life::destroy(args, output),
    }
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

/// A key, and when it was used last.
pub struct UsedKey {
    pub key: KeyRecord,
    last_used: Option<Timestamp>,
}

impl UsedKey {
    pub fn of(store: &Store, key: KeyRecord) -> Result<Self, keystore::Error> {
        Ok(UsedKey {
            last_used: store.last_use(&key.owner, key.version)?,
            key,
        })
    }
}

/// A key in a list.
#[derive(Serialize)]
pub struct KeyLine {
    #[serde(flatten)]
    key: PublicKeyAnswer,
    state: String,
    created: String,
    /// `null` if no server ever opened with it.
    last_used: Option<String>,
    #[serde(skip)]
    age: String,
    #[serde(skip)]
    unused: Option<String>,
}

impl From<&UsedKey> for KeyLine {
    fn from(used: &UsedKey) -> Self {
        let ago = |time| roughly(Timestamp::now().since(time));
        KeyLine {
            key: (&used.key).into(),
            state: used.key.state.to_string(),
            created: used.key.created.to_string(),
            last_used: used.last_used.map(|time| time.to_string()),
            age: ago(used.key.created),
            unused: used.last_used.map(ago),
        }
    }
}

impl Line for KeyLine {
    const COLUMNS: &'static [&'static str] = &[
        "KIND",
        "OWNER",
        "VERSION",
        "STATE",
        "KEY ID",
        "CREATED",
        "AGE",
        "LAST USED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.kind.clone(),
            self.key.id.clone(),
            self.key.version.to_string(),
            self.state.clone(),
            self.key.key_id.clone(),
            self.created.clone(),
            self.age.clone(),
            match &self.unused {
                Some(period) => format!("{period} ago"),
                None => "never".into(),
            },
        ]
    }
}
