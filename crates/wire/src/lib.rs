//! PostgreSQL's frontend/backend protocol as bytes: framing, start-up packets, the parts of a
//! message a proxy must understand, and the editing of rows and of values in them; and the header that
//! a balancer may put before all of it.
//!
//! No sockets, no clock, no policy. Every function takes a slice and answers with *need more*, a
//! value, or an error; nothing is allocated by a length that a peer announced. Bytes that need no
//! change are never re-encoded: callers forward them as they came. Messages of our own are built
//! with the `pgwire` crate's types; a peer's bytes are never handed to its decoder, which reads
//! past the frame it is given.
//!
//! Source: PostgreSQL documentation, "Frontend/Backend Protocol", Message Formats; of the header
//! `proxy` says it.

pub mod bytea;
pub mod copy;
pub mod description;
pub mod error;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod login;
pub mod originate;
pub mod parameter;
pub mod proxy;
pub mod request;
pub mod row;
pub mod sasl;
pub mod startup;
pub mod value;

mod cursor;

pub use frame::{FrameError, Header};

/// A field of a message is not what the protocol says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {message} message")]
pub struct Malformed {
    /// The message's name in the protocol documentation.
    pub message: &'static str,
}
