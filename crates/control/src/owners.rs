//! What travels over the control API of clients and zones: for admins alone.
//!
//! Times are after RFC 3339. Public keys are told, private ones never.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most owners on one page.
pub const MAX_OWNERS: usize = 500;

/// Owners on a page where nothing else is asked for.
pub const OWNERS: usize = 50;

/// The shortest grace of a zone that is destroyed over the control API, in seconds: a day in which it
/// can be kept after all.
pub const MIN_GRACE_SECONDS: u64 = 24 * 60 * 60;

/// The longest one: ten years.
pub const MAX_GRACE_SECONDS: u64 = 3650 * MIN_GRACE_SECONDS;

/// In the place of a client: every client.
pub const EVERY_CLIENT: &str = "*";

/// What is looked for: the query of a `GET`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnersQuery {
    /// What ids begin with; all where it is empty.
    pub prefix: String,
    /// The last id of the page before; the first page where it is absent.
    pub after: Option<String>,
    /// How many at most, 1 to [`MAX_OWNERS`].
    pub limit: usize,
}

impl Default for OwnersQuery {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            after: None,
            limit: OWNERS,
        }
    }
}

/// Clients in the order of their ids, bytewise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientsPage {
    /// Those of this page.
    pub clients: Vec<ClientView>,
    /// What the next page comes [after](OwnersQuery::after); `null` on the last.
    pub next: Option<String>,
}

/// Zones in the order of their ids, bytewise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZonesPage {
    /// Those of this page.
    pub zones: Vec<ZoneView>,
    /// What the next page comes [after](OwnersQuery::after); `null` on the last.
    pub next: Option<String>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientView {
    /// Its id.
    pub id: String,
    /// Whether it may create zones.
    pub create_zones: bool,
    /// How many of them in a day (UTC); `null` for any number.
    pub zones_per_day: Option<u32>,
    /// The version of its active key.
    pub active_version: u32,
    /// When it was added.
    pub created: String,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZoneView {
    /// Its id.
    pub id: String,
    /// Who may open its values.
    pub opened_by: OpenedBy,
    /// The client that created it; `null` when an operator did.
    pub creator: Option<String>,
    /// The version of its active key.
    pub active_version: u32,
    /// When it was added.
    pub created: String,
    /// What is to become of it.
    pub fate: ZoneFate,
}

/// Who may open a zone's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenedBy {
    /// Every client may; then none is listed.
    pub all: bool,
    /// How many are listed by name in the store.
    pub count: usize,
    /// The first of them: some in a list of zones, a thousand of a single zone.
    pub clients: Vec<String>,
}

/// What is to become of a zone's keys, or has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ZoneFate {
    /// They stay.
    Kept,
    /// They do not open, and are destroyed once servers have run for as long as the grace.
    Destroying {
        /// When that was ordered.
        ordered: String,
        /// The earliest end of the grace.
        earliest_end: String,
    },
    /// They are gone for good.
    Destroyed {
        /// Since when.
        at: String,
    },
}

/// A client and its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientDetail {
    /// The client.
    pub client: ClientView,
    /// Its keys, the newest first; of many, the last hundred.
    pub keys: Vec<KeyView>,
}

/// A zone and its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZoneDetail {
    /// The zone.
    pub zone: ZoneView,
    /// Its keys, the newest first; of many, the last hundred.
    pub keys: Vec<KeyView>,
}

/// One version of an owner's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyView {
    /// Counts up from 1 with each rotation.
    pub version: u32,
    /// 8 bytes, hex.
    pub key_id: String,
    /// 32 bytes, base64 with padding.
    pub public_key: String,
    /// `active`, `open-only`, `retired` or `destroyed`.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// When a server opened with it last, to the hour; `null` if none ever did.
    pub last_used: Option<String>,
}

/// A client to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCreation {
    /// Its id.
    pub id: String,
    /// Whether it may create zones.
    #[serde(default)]
    pub create_zones: bool,
    /// How many of them in a day (UTC); absent for any number.
    #[serde(default)]
    pub zones_per_day: Option<u32>,
}

/// A zone to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ZoneCreation {
    /// Its id; one is made up where it is absent.
    pub id: Option<String>,
    /// The clients that may open its values, or [`EVERY_CLIENT`] alone.
    pub clients: Vec<String>,
}

/// A change of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "lowercase", deny_unknown_fields)]
pub enum ClientChange {
    /// Says whether it may create zones, and how many in a day.
    Allow {
        /// Whether it may.
        create_zones: bool,
        /// How many in a day (UTC); absent for any number.
        zones_per_day: Option<u32>,
    },
    /// Gives it a new active key.
    Rotate {
        /// The version that was active when it was looked at: if another one is, nothing is done.
        version: u32,
    },
}

/// A change of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "lowercase", deny_unknown_fields)]
pub enum ZoneChange {
    /// Lets a client open its values.
    Grant {
        /// The client, or [`EVERY_CLIENT`].
        client: String,
    },
    /// Takes that back.
    Revoke {
        /// The client, or [`EVERY_CLIENT`], which leaves nobody.
        client: String,
    },
    /// Gives it a new active key.
    Rotate {
        /// The version that was active when it was looked at: if another one is, nothing is done.
        version: u32,
    },
    /// Has all its keys destroyed after a time of grace, in which its values do not open.
    Destroy {
        /// The grace, [`MIN_GRACE_SECONDS`] to [`MAX_GRACE_SECONDS`] of time that servers run.
        grace_seconds: u64,
        /// The zone's id once more.
        confirm: String,
    },
    /// Keeps it after all.
    Keep,
}
