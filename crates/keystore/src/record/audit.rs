//! The audit log: what happened, and the form of its entries.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Permitted, SettingName, SettingValue, Timestamp};

/// Label of the hash that chains entries.
const CHAIN: &[u8] = b"pgseal audit v1\0";

/// Something that was done to a store. Owners are written `client/<id>` and `zone/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "docs/keystore-format.md has a table of them, field by field"
)]
pub enum Event {
    StoreCreated {
        master_key: String,
        receipts: String,
    },
    ClientAdded {
        client: String,
        key: String,
        create_zones: bool,
        zones_per_day: Option<u32>,
    },
    ClientChanged {
        client: String,
        create_zones: bool,
        zones_per_day: Option<u32>,
    },
    ZoneAdded {
        zone: String,
        key: String,
        clients: Permitted,
    },
    GrantAdded {
        zone: String,
        client: String,
    },
    GrantRemoved {
        zone: String,
        client: String,
    },
    KeyRotated {
        owner: String,
        version: u32,
        key: String,
    },
    KeyRetired {
        owner: String,
        version: u32,
    },
    KeyRestored {
        owner: String,
        version: u32,
    },
    KeyDestroyed {
        owner: String,
        version: u32,
        key: String,
    },
    DestructionOrdered {
        zone: String,
        grace_seconds: u64,
    },
    DestructionCancelled {
        zone: String,
    },
    ZoneDestroyed {
        zone: String,
    },
    CertificateRecorded {
        serial: String,
        identity: String,
        expires: Timestamp,
    },
    CertificateRevoked {
        serial: String,
        identity: Option<String>,
        expires: Option<Timestamp>,
        reason: Option<String>,
    },
    SettingChanged {
        name: SettingName,
        from: Option<SettingValue>,
        to: Option<SettingValue>,
    },
    MasterRotationBegun {
        from: String,
        to: String,
    },
    MasterRotated {
        to: String,
    },
    MasterForgotten {
        master_key: String,
    },
    StoreCopied {
        to: String,
    },
    StoreMoved {
        to: String,
    },
    StoreMoveFailed {
        to: String,
    },
    StoreRestored {
        from: String,
    },
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log, from 1.
    pub number: u64,
    /// When it was written, by the writer's clock.
    pub at: Timestamp,
    /// Who did it: `operator <user>@<host>`, `client <id> through server <id>`, or `admin <id> for
    /// <user> through server <id>`, the user where the admin's program says for whom.
    pub by: String,
    /// What was done.
    pub event: Event,
    /// The hash of the entry before; of the first, 64 zeros.
    pub previous: String,
    /// Its hash, which the next one holds; 64 hexadecimal digits.
    pub hash: String,
    /// What the hash was taken over: the entry as it stands in the store, JSON.
    pub body: String,
}

/// The body of an entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditBody {
    pub number: u64,
    pub at: Timestamp,
    pub by: String,
    #[serde(rename = "what")]
    pub event: Event,
    /// The hash of the entry before; of the first, 64 zeros.
    pub previous: String,
}

/// The body of the log's head: how far it goes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadBody {
    pub count: u64,
    /// The hash of the last entry.
    pub hash: String,
}

impl Default for HeadBody {
    fn default() -> Self {
        HeadBody {
            count: 0,
            hash: "0".repeat(64),
        }
    }
}

impl Entry {
    /// An entry as it stands in the store, or in an export.
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        let parsed: AuditBody = serde_json::from_slice(body)?;
        Ok(Entry {
            number: parsed.number,
            at: parsed.at,
            by: parsed.by,
            event: parsed.event,
            previous: parsed.previous,
            hash: Self::hash_of(body),
            body: String::from_utf8_lossy(body).into_owned(),
        })
    }

    /// The hash of an entry's body: SHA-256 over `"pgseal audit v1" ‖ 00 ‖ body`.
    #[must_use]
    pub fn hash_of(body: &[u8]) -> String {
        let digest = Sha256::new()
            .chain_update(CHAIN)
            .chain_update(body)
            .finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
