//! The sessions of a server: as it tells of them, and as its peers ask it to cancel one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/sessions` of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionsView {
    /// The server's id.
    pub server: String,
    /// Those that a database has let in; a client is told of its own.
    pub sessions: Vec<SessionView>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// Whose it is.
    pub client: String,
    /// The address of the database that it is on,
    pub database: String,
    /// and what that calls it (`pg_backend_pid()`).
    pub process: u32,
}

/// What a server puts to its peers: PostgreSQL's CancelRequest, and whose it is.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// The client that sent it.
    pub client: String,
    /// The number of the session's process,
    pub process: u32,
    /// and its secret, base64 (RFC 4648, section 4).
    pub secret: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelOutcome {
    /// The session is there, and its database has dealt with the request.
    pub found: bool,
}
