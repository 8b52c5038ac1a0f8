//! Why a database that is watched does not answer, in words for whoever can do something about it.

use std::io;
use std::time::Duration;

use wire::error;
use wire::{FrameError, Malformed};

use super::patroni::PatroniError;
use crate::database::DatabaseError;

/// What was wrong with one attempt to ask the database.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not reached, or not as securely as it must be.
    #[error("{0}")]
    NotReached(#[from] DatabaseError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// It took too long.
    #[error("there was no answer within {} ms (monitor_timeout)", .0.as_millis())]
    Silent(Duration),
    /// It takes no new connections.
    #[error("it takes no new connections")]
    Closed,
    /// It says so itself.
    #[error("it says: {message} ({code}){}", advice(code))]
    Said {
        /// SQLSTATE.
        code: String,
        /// Its words.
        message: String,
    },
    /// The password's file is gone, or cannot be used.
    #[error("database.monitor.password_file: {0}")]
    PasswordFile(keystore::Error),
    /// A password is asked for that is not there.
    #[error("it asks for a password; set database.monitor.password_file")]
    NoPassword,
    /// It asks for the password where others may read it.
    #[error(
        "it asks for the password in clear, and others could read that; use scram-sha-256 in \
         pg_hba.conf, or database.sslmode = \"verify-full\""
    )]
    Cleartext,
    /// A way to log in that this program does not know.
    #[error(
        "it asks for a login of a kind that is not known here; use scram-sha-256 in pg_hba.conf"
    )]
    Method,
    /// It does not know the password either, or does not keep to SCRAM.
    #[error("it did not prove that it knows the password: {}", bounded(&.0.to_string()))]
    Scram(io::Error),
    /// What it sends is not what PostgreSQL would.
    #[error("it does not speak as PostgreSQL does; is database.address right?")]
    Garbled,
    /// Patroni, which is asked in its place, does not tell.
    #[error("{0}")]
    Patroni(#[from] PatroniError),
}

impl Problem {
    /// What an ErrorResponse says.
    #[must_use]
    pub fn said(body: &[u8]) -> Self {
        let text = |letter| {
            let text = error::field(body, letter).unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            bounded(&text)
        };
        Self::Said {
            code: text(error::CODE),
            message: text(error::MESSAGE),
        }
    }

    /// Whether nothing was heard at all, for as long as is waited.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Patroni(error) => error.is_silence(),
            _ => false,
        }
    }

    /// Whether the database is away, and may come back by itself: nobody has to correct anything, and
    /// asking again soon is right.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::NotReached(error) => !matches!(
                error,
                DatabaseError::NoTls { .. } | DatabaseError::Certificate { .. }
            ),
            Self::Broken(_) | Self::Silent(_) | Self::Closed => true,
            // Insufficient resources, and interventions of an operator: starting up, shutting down.
            Self::Said { code, .. } => code.starts_with("53") || code.starts_with("57"),
            Self::PasswordFile(_)
            | Self::NoPassword
            | Self::Cleartext
            | Self::Method
            | Self::Scram(_)
            | Self::Garbled => false,
            Self::Patroni(error) => error.is_absence(),
        }
    }
}

impl From<Malformed> for Problem {
    fn from(_: Malformed) -> Self {
        Self::Garbled
    }
}

impl From<FrameError> for Problem {
    fn from(_: FrameError) -> Self {
        Self::Garbled
    }
}

/// What to do about a SQLSTATE.
fn advice(code: &str) -> &'static str {
    match code {
        "28P01" => "; correct the password in database.monitor.password_file, or the user's",
        "28000" => "; create database.monitor.user, and let it in by pg_hba.conf",
        "3D000" => "; correct database.monitor.database",
        "42501" => "; grant database.monitor.user what docs/operations.md names",
        "53300" => "; raise max_connections, or grant pg_use_reserved_connections to the user",
        _ => "",
    }
}

/// Of somebody else's words so much as is told, in one line.
pub fn bounded(words: &str) -> String {
    const MAX: usize = 200;
    let printable = words.chars().filter(|c| !c.is_control());
    printable.take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_says_is_one_line_of_bounded_length_with_what_to_do() {
        let message = format!("no\nsuch\u{1b}user {}", "x".repeat(1000));
        let body = format!("SFATAL\0VFATAL\0C28P01\0M{message}\0\0");
        let said = Problem::said(body.as_bytes());
        let text = said.to_string();
        assert!(text.starts_with("it says: nosuchuser xxx"), "{text}");
        assert!(text.len() < 320 && !text.contains('\n'), "{text}");
        assert!(text.contains("(28P01); correct the password in"), "{text}");
        assert!(!said.is_absence());
    }

    #[test]
    fn what_is_wrong_with_a_databases_scram_quotes_it_in_one_line_of_bounded_length() {
        let quoted = format!("SCRAM error: \u{1b}[2J\n{}", "x".repeat(1000));
        let text = Problem::Scram(io::Error::other(quoted)).to_string();
        assert!(text.contains("the password: SCRAM error: [2Jxxx"), "{text}");
        assert!(
            text.len() < 320 && !text.contains(char::is_control),
            "{text}"
        );
    }

    #[test]
    fn a_database_that_starts_or_is_full_is_away_and_needs_no_correction() {
        for (code, away) in [
            ("57P03", true),
            ("57P01", true),
            ("53300", true),
            ("28000", false),
        ] {
            let body = format!("C{code}\0Mx\0\0");
            assert_eq!(Problem::said(body.as_bytes()).is_absence(), away, "{code}");
        }
    }
}
