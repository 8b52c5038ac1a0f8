//! The real program: what its commands write, what they refuse, and that a refusal changes nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod cert;
mod failures;
mod grants;
mod init;
mod keys;
mod killed;
mod master;
mod moves;
mod revocation;
mod settings;
mod store;
mod support;
mod tampered;
mod usage;
mod zones;
