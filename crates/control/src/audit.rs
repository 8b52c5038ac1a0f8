//! The audit log, as a server reads it to admins: a part of it, the newest first or in its order; and
//! whether it is whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most entries of one answer.
pub const MAX_AUDIT: usize = 1000;

/// `GET /v1/audit`: which entries. What is absent does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditQuery {
    /// Entries after the one of this number, in their order. Without it, the newest come first,
    pub after: Option<u64>,
    /// and only those before this number.
    pub before: Option<u64>,
    /// How many at most; [`MAX_AUDIT`] is the most.
    pub limit: Option<usize>,
    /// What stands in who did it.
    pub by: Option<String>,
    /// The name of what happened, such as `zone-added`.
    pub event: Option<String>,
    /// What it is about: an owner's id, as `tenant-1` or `zone/tenant-1`, a setting, a serial number.
    pub about: Option<String>,
    /// Not before this time, in seconds since 1970,
    pub since: Option<u64>,
    /// and before this one.
    pub until: Option<u64>,
}

/// The entries that were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// The server's id.
    pub server: String,
    /// The last entry of the whole log.
    pub head: AuditMark,
    /// The entries, in the order that was asked for.
    pub entries: Vec<AuditEntry>,
    /// How far was looked: the next page is before this number, or after it. `null` at the log's end.
    pub next: Option<u64>,
    /// What is wrong with the part of the log that was looked through, each in one line.
    pub faults: Vec<String>,
}

/// An entry, as `pgseal-keymaker audit export` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Its place in the log, from 1.
    pub number: u64,
    /// Its hash, which the next one holds.
    pub hash: String,
    /// The entry as it stands in the store: the JSON that the hash is taken over.
    pub body: String,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AuditBody {
    /// When it was written, in seconds since 1970, by the writer's clock.
    pub at: u64,
    /// Who did it.
    pub by: String,
    /// What was done: `event` names it, the other fields are its own.
    pub what: Map<String, Value>,
}

impl AuditEntry {
    /// What it says; `None` if that is in a form of a newer version.
    #[must_use]
    pub fn read(&self) -> Option<AuditBody> {
        serde_json::from_str(&self.body).ok()
    }
}

/// An entry by its number and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditMark {
    /// Its number; 0 is before the first.
    pub number: u64,
    /// Its hash, 64 hexadecimal digits; all zero before the first.
    pub hash: String,
}

impl AuditMark {
    /// Before the first entry.
    #[must_use]
    pub fn beginning() -> Self {
        Self {
            number: 0,
            hash: "0".repeat(64),
        }
    }
}

/// `GET /v1/audit/verify` with an [`AuditMark`]: a stretch of the log after that entry, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditVerified {
    /// The server's id.
    pub server: String,
    /// The last entry of the stretch: the next one begins behind it.
    pub to: AuditMark,
    /// The last entry of the whole log.
    pub head: AuditMark,
    /// What is wrong with the stretch, each in one line.
    pub faults: Vec<String>,
}
