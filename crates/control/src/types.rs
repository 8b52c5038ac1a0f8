//! What travels over the control API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CertificateStatus, RevocationStatus};

/// Which sealed values a server opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneMode {
    /// Those sealed to a client.
    #[default]
    Off,
    /// Those sealed to a zone.
    On,
    /// Both.
    Mixed,
}

/// What becomes of a sealed value that may not or cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRefused {
    /// It stays as it is.
    #[default]
    Ciphertext,
    /// Its whole field becomes NULL.
    Null,
    /// The query fails.
    Error,
}

impl ZoneMode {
    /// Its name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Mixed => "mixed",
        }
    }
}

impl std::fmt::Display for ZoneMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl OnRefused {
    /// Its name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ciphertext => "ciphertext",
            Self::Null => "null",
            Self::Error => "error",
        }
    }
}

impl std::fmt::Display for OnRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An owner's active public key: what a writer seals to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerKey {
    /// `client` or `zone`.
    pub kind: String,
    /// The owner's id.
    pub id: String,
    /// 32 bytes, base64 with padding.
    pub public_key: String,
    /// 8 bytes, hex: writers check it against the public key.
    pub key_id: String,
    /// Counts up from 1 with each rotation.
    pub version: u32,
}

/// What a new zone may be told at its creation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZoneRequest {
    /// The zone's id; one is made up where it is absent.
    pub id: Option<String>,
}

/// A new zone in the words of Acra's connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewZone {
    /// The zone's id.
    pub id: String,
    /// 32 bytes, base64 with padding.
    pub public_key: String,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The server's id, from its certificate.
    pub server: String,
    /// Version of the program.
    pub version: String,
    /// The database it stands before.
    pub database: String,
    /// Which values it opens.
    pub zone_mode: ZoneMode,
    /// What becomes of the others.
    pub on_refused: OnRefused,
    /// Data sessions open now.
    pub sessions: u64,
    /// Values since the program started.
    pub values: Values,
    /// How many changes the store has seen.
    pub store_revision: u64,
    /// The server's own certificate and its CA's.
    pub certificates: CertificateStatus,
    /// What it knows of revoked certificates.
    pub revocations: RevocationStatus,
    /// True once it is ending and takes no new sessions.
    pub draining: bool,
    /// Values by owner since the program started: of the client that asks, or of all owners for
    /// admins and servers.
    #[serde(default)]
    pub owners: Vec<OwnerAccess>,
    /// The sessions that run now and what they have opened: the client's own, or all.
    #[serde(default)]
    pub access: Vec<SessionAccess>,
}

/// Values of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerAccess {
    /// `client/<id>` or `zone/<id>`; `null` for values whose owner is not known, or not counted one
    /// by one.
    pub owner: Option<String>,
    /// Values opened.
    pub opened: u64,
    /// Values refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// When the first of them came by, after RFC 3339.
    pub first: String,
    /// When the last did.
    pub last: String,
}

/// One session's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAccess {
    /// Counts the server's sessions, from 1.
    pub session: u64,
    /// Whose session it is.
    pub client: String,
    /// When it began, after RFC 3339.
    pub began: String,
    /// What it has opened and what was refused to it, by owner.
    pub owners: Vec<OwnerAccess>,
}

/// Counts of sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values {
    /// Opened.
    pub opened: u64,
    /// Refused, for whatever reason.
    pub refused: u64,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong and what to do, in one line.
    pub error: String,
}
