//! What travels over the control API.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    CertificateStatus, ConnectorView, OnRefused, RevocationStatus, SettingsStatus, Standing,
    ZoneMode,
};

/// An owner's active public key: what a writer seals to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ZoneRequest {
    /// The zone's id; one is made up where it is absent.
    pub id: Option<String>,
}

/// A new zone in the words of Acra's connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewZone {
    /// The zone's id.
    pub id: String,
    /// 32 bytes, base64 with padding.
    pub public_key: String,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What each zone mode would have made of them; `null` if the program does not count that.
    #[serde(default)]
    pub by_zone_mode: Option<ByZoneMode>,
    /// How many changes the store has seen.
    pub store_revision: u64,
    /// The id of the master key that the store is sealed under.
    pub master_key: String,
    /// True once the master key that the server was given has been replaced: it needs the new one
    /// before it is started again.
    pub master_key_outdated: bool,
    /// The server's own certificate and its CA's.
    pub certificates: CertificateStatus,
    /// What it knows of revoked certificates.
    pub revocations: RevocationStatus,
    /// The store, and how long ago it answered.
    #[serde(default)]
    pub store: StoreStatus,
    /// Its settings, and how it stands with those of the store.
    #[serde(default)]
    pub settings: SettingsStatus,
    /// True once it is ending and takes no new sessions.
    pub draining: bool,
    /// What it tells those who choose between servers.
    #[serde(default)]
    pub standing: Standing,
    /// Values by owner since the program started: of the client that asks, or of all owners for
    /// admins and servers.
    #[serde(default)]
    pub owners: Vec<OwnerAccess>,
    /// The sessions that run now and what they have opened: the client's own, or all.
    #[serde(default)]
    pub access: Vec<SessionAccess>,
    /// The connectors that listen to it; for admins alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectors: Option<Vec<ConnectorView>>,
}

/// How a server's store is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StoreStatus {
    /// Where it is: a file, or `etcd://…`.
    pub place: String,
    /// How long ago it answered. It is asked five times a second.
    pub age_seconds: u64,
    /// Past what age nothing is opened any more, and there are no new sessions.
    pub max_stale_seconds: u64,
    /// Where it has moved to; it takes no more changes where it is.
    pub moved_to: Option<String>,
}

/// Values of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionAccess {
    /// Counts the server's sessions, from 1.
    pub session: u64,
    /// What its database calls it (`pg_backend_pid()`), once that has let it in.
    #[serde(default)]
    pub process: Option<u32>,
    /// Whose session it is.
    pub client: String,
    /// When it began, after RFC 3339.
    pub began: String,
    /// What it has opened and what was refused to it, by owner.
    pub owners: Vec<OwnerAccess>,
}

/// Counts of sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Values {
    /// Opened.
    pub opened: u64,
    /// Refused, for whatever reason.
    pub refused: u64,
}

/// Values as they would have been opened and refused in each zone mode. One that zone mode alone has
/// refused counts as opened where another mode lets it: only opening it would show a forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByZoneMode {
    /// In mode `off`,
    pub off: Values,
    /// `on`,
    pub on: Values,
    /// and `mixed`.
    pub mixed: Values,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What is wrong and what to do, in one line.
    pub error: String,
}
