//! What a server tells of itself so that somebody can choose between servers: what its database is,
//! how far that has come, and whether it takes sessions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a server stands at one moment: in a line of [`News`](crate::News) whenever it has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Standing {
    /// Whether it takes new sessions.
    pub availability: Availability,
    /// The database behind it; absent while that does not answer, or is not watched.
    pub database: Option<DatabaseStanding>,
    /// Sessions that run.
    pub sessions: u64,
    /// Number of the settings that it has taken over.
    pub settings: u64,
}

/// Whether a server takes new sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// It does.
    #[default]
    Accepting,
    /// It finishes those it has.
    Draining,
    /// It cannot: what it must know of its store is too old or cannot be relied on, or its database,
    /// where it is watched, does not answer.
    Refusing,
}

/// What an operator asks of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Whether it is to take no new sessions. Those that run go on.
    pub draining: bool,
}

/// What a database says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseStanding {
    /// Whether it takes writes.
    pub role: DatabaseRole,
    /// The timeline that it is on: counts promotions. Of a replica 0 where that is not told.
    pub timeline: u32,
    /// Where it is in the write-ahead log, as a number of bytes: what a primary has written, what a
    /// replica has replayed. The difference of two is how far one is behind the other.
    pub position: u64,
    /// Of a replica: how long ago the transaction that it replayed last was committed, in
    /// milliseconds; 0 where all that it has received is replayed, absent where it cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// What tells it from other databases.
    #[serde(default)]
    pub lineage: Lineage,
}

/// Which database it is, and whom it follows; of what is not told, nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lineage {
    /// The system identifier, which a primary and all that were ever copied from it share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<u64>,
    /// When PostgreSQL was started, by its own clock, in milliseconds since 1970: no two of one cluster
    /// have this in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    /// Of a replica: the timeline of what it receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receives: Option<u32>,
}

/// What a database is, in PostgreSQL's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseRole {
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

impl fmt::Display for DatabaseRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
}
