//! The real program: what its commands write, what they refuse, and that a refusal changes nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cert;
mod init;
mod store;
mod support;
mod usage;
