//! Clients and zones, and what a client has used up of its limits.

use envelope::{ClientId, ZoneId};
use serde::{Deserialize, Serialize};

use super::{Permitted, Timestamp, optional_client};

/// A client: whose certificate it is that opens sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// When it was added.
    pub created: Timestamp,
    /// Whether it may create zones through the control API.
    pub create_zones: bool,
    /// How many of them in a day (UTC); `None` for any number.
    pub zones_per_day: Option<u32>,
    /// The version of its active key.
    pub active: u32,
}

/// A zone: a group of rows, and who may open them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// When it was added.
    pub created: Timestamp,
    /// The client that created it through the control API; `None` when an operator did.
    pub creator: Option<ClientId>,
    /// Who may open values sealed to it.
    pub clients: Permitted,
    /// The version of its active key.
    pub active: u32,
    /// Whether its keys are there, or going, or gone.
    pub fate: Fate,
}

/// What is to become of a zone's keys, or has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// They stay.
    #[default]
    Kept,
    /// They are destroyed once a server has run for as long as the grace; until then they do not
    /// open, and can be kept after all.
    Destroying {
        /// When that was ordered.
        ordered: Timestamp,
        /// The reading of the store's clock, in seconds, at which they go.
        due: u64,
    },
    /// They are gone for good.
    Destroyed {
        /// Since when.
        at: Timestamp,
    },
}

/// The body of a client.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientBody {
    pub created: Timestamp,
    pub create_zones: bool,
    pub zones_per_day: Option<u32>,
    pub active: u32,
}

impl ClientBody {
    pub fn client(self, id: ClientId) -> Client {
        Client {
            id,
            created: self.created,
            create_zones: self.create_zones,
            zones_per_day: self.zones_per_day,
            active: self.active,
        }
    }
}

/// The body of a zone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZoneBody {
    pub created: Timestamp,
    #[serde(with = "optional_client")]
    pub creator: Option<ClientId>,
    pub clients: Permitted,
    pub active: u32,
    pub fate: Fate,
}

impl ZoneBody {
    pub fn zone(self, id: ZoneId) -> Zone {
        Zone {
            id,
            created: self.created,
            creator: self.creator,
            clients: self.clients,
            active: self.active,
            fate: self.fate,
        }
    }
}

/// The body of what a client has used up today.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageBody {
    /// The day counted, from 1970-01-01 UTC.
    pub day: u64,
    /// Zones created in it.
    pub zones: u32,
}
