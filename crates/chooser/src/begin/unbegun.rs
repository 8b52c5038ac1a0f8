//! Why a session has not begun, in words for the log.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::BytesMut;

use crate::search::Unserved;

/// Why a session has not begun: of several endpoints, the last one's reason.
#[derive(Debug)]
pub enum Unbegun<E, D> {
    /// There is no endpoint for it.
    Unserved(Unserved),
    /// There is no connection.
    Unconnected(E),
    /// The connection broke before there was an answer.
    Lost(io::Error),
    /// The endpoint was down before it answered.
    Down,
    /// The endpoint refused with this SQLSTATE, in these words.
    Refused(String, BytesMut),
    /// The endpoint closed without a word.
    Closed,
    /// The endpoint said nothing for so long.
    Silent(Duration),
    /// The application has gone; with an error, if it did not just close.
    Gone(Option<io::Error>),
    /// It was not to begin at all.
    MustEnd(D),
}

impl<E, D> Unbegun<E, D> {
    /// Whether an endpoint had taken a connection, and did not answer.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Silent(_))
    }
}

impl<E: fmt::Display, D> fmt::Display for Unbegun<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unserved(unserved) => unserved.fmt(f),
            Self::Unconnected(error) => error.fmt(f),
            Self::Lost(error) => match error.kind() {
                // TLS explains an end without a goodbye at length; here it means one thing.
                io::ErrorKind::UnexpectedEof => f.write_str("it vanished before it answered"),
                _ => write!(f, "it was lost before it answered: {error}"),
            },
            Self::Down => f.write_str("it does not answer any more"),
            Self::Refused(code, _) => write!(f, "it refused the session with {code}"),
            Self::Closed => f.write_str("it closed without a word"),
            Self::Silent(limit) => write!(f, "it said nothing for {} ms", limit.as_millis()),
            Self::Gone(Some(error)) => write!(f, "the application's connection: {error}"),
            Self::Gone(None) => f.write_str("the application has gone"),
            Self::MustEnd(_) => f.write_str("the session was not to begin"),
        }
    }
}
