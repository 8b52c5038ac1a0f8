//! What travels over the control API of certificates: when they expire, and which are revoked.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tunnel::{Certificates, Revoked, rfc3339};

/// A program's own certificate and those of the CAs it trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateStatus {
    /// Its own one's serial number, hex: by it the certificate is revoked.
    pub serial: String,
    /// When its own expires, after RFC 3339.
    pub expires: String,
    /// When the first of the CA's certificates expires, after RFC 3339.
    pub ca_expires: String,
}

impl From<&Certificates> for CertificateStatus {
    fn from(certificates: &Certificates) -> Self {
        Self {
            serial: certificates.serial.to_string(),
            expires: rfc3339(certificates.expires),
            ca_expires: rfc3339(certificates.ca_expires),
        }
    }
}

/// How well a program knows which certificates are revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What a connector adds to its server's [`Status`](crate::Status), under the name `connector`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorStatus {
    /// Its own certificate and its CA's.
    pub certificates: CertificateStatus,
    /// What it has heard of revoked certificates.
    pub revocations: RevocationStatus,
}

/// One line of `GET /v1/watch`: what is new since the line before it on that connection. Readers
/// pass over fields they do not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct News {
    /// In every line today.
    pub revocations: Option<Revocations>,
    /// How the server stands; absent where nothing of it has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<crate::Standing>,
}

/// The revoked certificates, as a server tells its peers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revocations {
    /// Counts up with each change.
    pub number: u64,
    /// All serial numbers, in hex; absent where the number is that of the line before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serials: Option<Vec<String>>,
    /// How long ago the store confirmed it, in milliseconds.
    pub age_ms: u64,
}
