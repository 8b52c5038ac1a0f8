//! What a session and an operator hear of refused values: the one the same sentence whatever the
//! reason, the other the reasons, at a limited rate and without content.

use daemon::Seldom;
use envelope::ClientId;
use wire::originate::{Refusal, Severity};

use crate::metrics::Reason;

/// What the application is told in place of a row.
pub const VALUE: Refusal<'static> = Refusal {
    severity: Severity::Error,
    code: "42501",
    message: "a sealed value in this result was refused",
    hint: Some(
        "The server's log and metrics say why. With on_refused = ciphertext or null such rows are returned.",
    ),
};

/// The same of a value that never opens again. Only who may open it is told.
pub const SHREDDED: Refusal<'static> = Refusal {
    severity: Severity::Error,
    code: "42501",
    message: "a sealed value in this result was shredded: its key has been destroyed",
    hint: Some(
        "It never opens again. With on_refused = ciphertext or null such rows are returned.",
    ),
};

/// What comes between a refusal and the end of its transaction block, in PostgreSQL's own words.
pub const BLOCK_FAILED: Refusal<'static> = Refusal {
    severity: Severity::Error,
    code: "25P02",
    message: "current transaction is aborted, commands ignored until end of transaction block",
    hint: None,
};

const fn fatal(
    code: &'static str,
    message: &'static str,
    hint: Option<&'static str>,
) -> Refusal<'static> {
    Refusal {
        severity: Severity::Fatal,
        code,
        message,
        hint,
    }
}

/// The database closed a session without a word.
pub const DATABASE_GONE: Refusal<'static> = fatal(
    "57P01",
    "the database ended the session",
    Some("Connect again."),
);

/// The database sent what is no PostgreSQL protocol.
pub const DATABASE_GARBLED: Refusal<'static> = fatal(
    "08P01",
    "the database sent a message that cannot be read",
    None,
);

/// This process is ending.
pub const SHUTDOWN: Refusal<'static> = fatal(
    "57P01",
    "the pgseal server is shutting down",
    Some("Connect again."),
);

/// It takes no new sessions now.
pub const DRAINING: Refusal<'static> = fatal(
    "57P03",
    "the pgseal server takes no new sessions now",
    Some("Try again, or use another server."),
);

/// No connection to the database.
pub const NO_DATABASE: Refusal<'static> = fatal(
    "08006",
    "the pgseal server cannot reach its database",
    Some("The server's log says why."),
);

/// Several databases, and none of them is known to be primary.
pub const NO_PRIMARY: Refusal<'static> = fatal(
    "57P03",
    "the pgseal server knows of no primary",
    Some("Try again; its log says what it knows of each database."),
);

/// Several databases, and all have as many sessions as they may.
pub const ALL_FULL: Refusal<'static> = fatal(
    "53300",
    "every database of the pgseal server has max_connections sessions",
    Some("Try again, or raise balance.max_connections."),
);

/// The database of a running session does not answer, and there is another.
pub const DATABASE_DOWN: Refusal<'static> = fatal(
    "57P01",
    "the database does not answer any more",
    Some("Connect again."),
);

/// The database of a running session is not what its listener is for.
pub const ROLE_CHANGED: Refusal<'static> = fatal(
    "57P01",
    "the database has become another: a primary or a replica",
    Some("Connect again."),
);

/// PostgreSQL has refused a login for what it says of channel binding.
pub const CHANNEL_BINDING: Refusal<'static> = fatal(
    "28000",
    "this login cannot be bound to its TLS connection, which ends at the pgseal server",
    Some("Connect with channel_binding=disable, or through pgseal-connector."),
);

/// No TLS.
pub const NOT_ENCRYPTED: Refusal<'static> = fatal(
    "28000",
    "this server takes encrypted connections with a client certificate only",
    Some("Connect through pgseal-connector, or with sslmode=require, sslcert and sslkey."),
);

/// The certificate is not a client's.
pub const NOT_A_CLIENT: Refusal<'static> = fatal(
    "28000",
    "this certificate does not open data sessions",
    Some("Use a certificate made by: pgseal-keymaker cert client ID"),
);

/// The store does not know the client.
pub const UNKNOWN_CLIENT: Refusal<'static> = fatal(
    "28000",
    "this certificate's client is not known here",
    Some("Add it with: pgseal-keymaker client add ID"),
);

/// The certificate is revoked: a peer that was let in before it was.
pub const REVOKED: Refusal<'static> = fatal(
    "28000",
    "this certificate was revoked",
    Some("Ask whoever operates the pgseal servers for a new one."),
);

/// The certificate that a running session lives on is revoked.
pub const REVOKED_NOW: Refusal<'static> = fatal(
    "57P01",
    "the certificate of this session was revoked",
    Some("Ask whoever operates the pgseal servers for a new one."),
);

/// Who is revoked is not known well enough to let anybody in.
pub const REVOCATIONS_UNKNOWN: Refusal<'static> = fatal(
    "57P03",
    "the pgseal server does not know which certificates are revoked",
    Some("Its list is too old (max_crl_age) or was altered; the server's log says which."),
);

/// The settings that the store has for all servers cannot be relied on, or never were known.
pub const SETTINGS_UNKNOWN: Refusal<'static> = fatal(
    "57P03",
    "the pgseal server does not know its settings",
    Some("Those in its store were altered, or it cannot take them over; its log says which."),
);

/// The store cannot be read.
pub const NO_STORE: Refusal<'static> = fatal(
    "58000",
    "the pgseal server cannot read its store of keys",
    Some("The server's log says why."),
);

/// A start-up packet that is none.
pub const BAD_STARTUP: Refusal<'static> = fatal(
    "08P01",
    "invalid start-up packet",
    Some("This port speaks PostgreSQL's protocol, version 3."),
);

/// Gathers refusals for the log.
#[derive(Debug, Default)]
pub struct RefusalLog(Seldom);

impl RefusalLog {
    /// Takes note of a row's refused values.
    pub fn note(&self, client: &ClientId, reasons: &[Reason]) {
        let Some(first) = reasons.first() else { return };
        if let Some(values) = self.0.note(reasons.len() as u64) {
            tracing::warn!(%client, reason = first.name(), values, "sealed values refused since the last such line");
        }
    }
}
