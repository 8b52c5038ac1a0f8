//! TLS as pgseal uses it: version 1.3 with certificates on both sides between its own programs,
//! and the identities those certificates carry.
//!
//! The tunnel between connector and server is PostgreSQL's own direct TLS: TLS from the first byte
//! and ALPN `postgresql`. ALPN `http/1.1` on the same port is the control API. This crate makes the
//! TLS configurations and says who a peer is; what a role may do is decided by who asks.
//!
//! Sessions are never resumed: a resumed session would not look at the certificate again.

mod config;
mod connect;
mod database;
mod identity;
mod material;
mod tune;

pub use config::{ALPN_HTTP, ALPN_POSTGRESQL, Expected, client_config, server_config};
pub use connect::{ConnectError, connect};
pub use database::{ClientFiles, Trust, database_config};
pub use identity::{Identity, IdentityError, Role};
pub use material::{Material, MaterialError, MaterialPaths};
pub use tune::tune;
