//! TLS as pgseal uses it: version 1.3 with certificates on both sides between its own programs,
//! and the identities those certificates carry.
//!
//! The tunnel between connector and server is PostgreSQL's own direct TLS: TLS from the first byte
//! and ALPN `postgresql`. ALPN `http/1.1` on the same port is the control API. This crate makes the
//! TLS configurations, exchanges them while the program runs, says who a peer is and refuses one that
//! is revoked; what a role may do is decided by who asks, and where revocations come from by the
//! program.
//!
//! Sessions are never resumed: a resumed session would not look at the certificate again.

mod config;
mod connect;
mod database;
mod expiry;
mod identity;
mod live;
mod material;
mod page;
mod peer;
mod revoked;
mod serial;
mod tune;
mod validity;
mod verify;

pub use config::{ALPN_HTTP, ALPN_POSTGRESQL, Expected, client_setup, server_setup};
pub use connect::{ConnectError, Tunnel, TunnelStream, connect};
pub use database::{ClientFiles, Trust, database_config};
pub use expiry::{Certificates, Expiring, rfc3339, unix_seconds};
pub use identity::{Identity, IdentityError, Role};
pub use live::{ClientTls, Live, ServerTls, Setup};
pub use material::{Material, MaterialError, MaterialFile, MaterialPaths};
pub use page::{PageFiles, page_config};
pub use peer::PeerCertificate;
pub use revoked::{List, MAX_REVOKED, Revoked, Standing, TooManyRevoked};
pub use serial::{BadSerial, Serial};
pub use tune::Tuning;
pub use validity::Validity;

#[cfg(test)]
mod tests;
