//! Connectors, as the servers that they listen to know them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a connector calls itself (`User-Agent`; RFC 9110, section 10.1.5), before its version.
pub const CONNECTOR: &str = "pgseal-connector/";

/// A connection on which a client listens to a server: a connector keeps one to each of its servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectorView {
    /// Whose certificate it has.
    pub client: String,
    /// Where it comes from, `address:port`; what a balancer's header says, where one is to say it.
    pub address: String,
    /// Since when, after RFC 3339.
    pub since: String,
    /// Version of the program; `null` where it does not say that it is a connector.
    pub version: Option<String>,
    /// Data sessions that its client has on this server, through this connector or another.
    pub sessions: u64,
}
