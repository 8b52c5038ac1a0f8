//! What travels over the control API.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tunnel::{Certificates, Revoked, unix_seconds};

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

/// A program's own certificate and those of the CAs it trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// Its own one's serial number, hex: by it the certificate is revoked.
    pub serial: String,
    /// When its own expires, in seconds since 1970.
    pub expires: u64,
    /// When the first of the CA's certificates expires, in seconds since 1970.
    pub ca_expires: u64,
}

impl From<&Certificates> for CertificateStatus {
    fn from(certificates: &Certificates) -> Self {
        Self {
            serial: certificates.serial.to_string(),
            expires: unix_seconds(certificates.expires),
            ca_expires: unix_seconds(certificates.ca_expires),
        }
    }
}

/// How well a program knows which certificates are revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationStatus {
    /// The list's number, counted up with each change; absent before one was heard.
    pub number: Option<u64>,
    /// How many certificates are revoked.
    pub revoked: u64,
    /// How long ago the list was last confirmed by the store, in milliseconds.
    pub age_ms: u64,
    /// `fresh`; or `stale` or `distrusted`, and then there are no new sessions.
    pub standing: String,
}

impl RevocationStatus {
    /// What `revoked` is at `now`.
    #[must_use]
    pub fn of(revoked: &Revoked, now: Instant) -> Self {
        let list = revoked.list();
        Self {
            number: list.number,
            revoked: list.serials.len() as u64,
            age_ms: u64::try_from(revoked.age(now).as_millis()).unwrap_or(u64::MAX),
            standing: revoked.standing(now).name().to_owned(),
        }
    }
}

/// What a connector adds to its server's [`Status`], under the name `connector`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorStatus {
    /// Its own certificate and its CA's.
    pub certificates: CertificateStatus,
    /// What it has heard of revoked certificates.
    pub revocations: RevocationStatus,
}

/// One line of `GET /v1/watch`: what is new since the line before it on that connection. Readers
/// pass over fields they do not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct News {
    /// In every line today.
    pub revocations: Option<Revocations>,
}

/// The revoked certificates, as a server tells its peers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// Counts up with each change.
    pub number: u64,
    /// All serial numbers, in hex; absent where the number is that of the line before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serials: Option<Vec<String>>,
    /// How long ago the store confirmed it, in milliseconds.
    pub age_ms: u64,
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
