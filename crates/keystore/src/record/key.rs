//! Keys: their records, states, ids, and when they were used last.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::{KeyId, Owner, PublicKey};
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A key pair as the store lists it: all but the private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whose key it is.
    pub owner: Owner,
    /// Counts the owner's keys, from 1.
    pub version: u32,
    /// What writers seal to.
    pub public_key: PublicKey,
    /// Names the key in envelopes; follows from the public key.
    pub key_id: KeyId,
    /// What it is used for.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Handed out to writers, and opens.
    Active,
    /// Opens what was sealed to it, but is not handed out any more.
    OpenOnly,
    /// Neither handed out nor opens; it can be restored.
    Retired,
    /// Its private half is gone for good; what was sealed to it never opens again.
    Destroyed,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyState::Active => "active",
            KeyState::OpenOnly => "open-only",
            KeyState::Retired => "retired",
            KeyState::Destroyed => "destroyed",
        })
    }
}

/// The body of a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    public_key: String,
    key_id: String,
    state: KeyState,
    created: Timestamp,
}

impl From<&KeyRecord> for KeyBody {
    fn from(key: &KeyRecord) -> Self {
        KeyBody {
            public_key: STANDARD.encode(key.public_key.as_bytes()),
            key_id: key.key_id.to_string(),
            state: key.state,
            created: key.created,
        }
    }
}

impl KeyBody {
    /// The key of this owner and version; an error when the public key is none, or of another id.
    pub fn key(self, owner: Owner, version: u32) -> Result<KeyRecord, String> {
        let bytes = STANDARD
            .decode(&self.public_key)
            .map_err(|_| "the public key is not base64")?;
        let public_key =
            PublicKey::try_from(bytes.as_slice()).map_err(|error| error.to_string())?;
        let key_id: KeyId = self
            .key_id
            .parse()
            .map_err(|error: envelope::KeyError| error.to_string())?;
        if public_key.key_id() != key_id {
            return Err(format!(
                "the public key has id {}, stated is {key_id}",
                public_key.key_id()
            ));
        }
        Ok(KeyRecord {
            owner,
            version,
            public_key,
            key_id,
            state: self.state,
            created: self.created,
        })
    }
}

/// The body of a key id: the name of the key that has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyIdBody {
    pub key: String,
}

/// The body of a key's last use.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsedBody {
    /// When a server opened with it, to the hour.
    pub last: Timestamp,
}
