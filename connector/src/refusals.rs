//! What applications are told, in PostgreSQL's own error format, when there is no session to be had.

use wire::originate::{Refusal, Severity};

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

/// No tunnel could be opened.
pub const NO_SERVER: Refusal<'static> = fatal(
    "08006",
    "pgseal-connector cannot reach its server",
    Some("The connector's log says why."),
);

/// No primary is known.
pub const NO_PRIMARY: Refusal<'static> = fatal(
    "57P03",
    "pgseal-connector knows no server whose database is primary",
    Some("None was found within wait_for_primary; the connector's log says what the servers are."),
);

/// None of several servers can take the session.
pub const NOBODY_SERVES: Refusal<'static> = fatal(
    "57P03",
    "none of the pgseal servers can take this session",
    Some(
        "They are down or draining, or their databases are not what target says; the connector's log says which.",
    ),
);

/// All servers have as many sessions as they may.
pub const ALL_FULL: Refusal<'static> = fatal(
    "53300",
    "every pgseal server has as many sessions as max_connections allows",
    Some("Sessions that wait for a place are bounded by max_queue and queue_timeout."),
);

/// A server does not answer any more, and others may.
pub const SERVER_DOWN: Refusal<'static> = fatal(
    "57P01",
    "the pgseal server of this session does not answer any more",
    Some("Connect again."),
);

/// The database of a session's server is something else than it was.
pub const ROLE_CHANGED: Refusal<'static> = fatal(
    "57P01",
    "the database of this session is not what its listener's target says any more",
    Some("Connect again."),
);

/// The server took the session, and then said nothing.
pub const NO_ANSWER: Refusal<'static> = fatal(
    "08006",
    "the pgseal server does not answer",
    Some("It or its database hangs: see the server's log."),
);

/// The tunnel ended without the server or the database saying why.
pub const SERVER_GONE: Refusal<'static> = fatal(
    "57P01",
    "the connection to the pgseal server was lost",
    Some("Connect again."),
);

/// The server did not let the session begin.
pub const NOT_LET_IN: Refusal<'static> = fatal(
    "08006",
    "the pgseal server ended the tunnel before the session began",
    Some("It does not accept this connector's certificate, or was just ending; both logs say why."),
);

/// The server is not to be trusted any more.
pub const SERVER_REVOKED: Refusal<'static> = fatal(
    "57P01",
    "the certificate of the pgseal server was revoked",
    Some("Connect again, to another server."),
);

/// Who is revoked is not known well enough to trust any server.
pub const REVOCATIONS_UNKNOWN: Refusal<'static> = fatal(
    "57P03",
    "pgseal-connector does not know which certificates are revoked",
    Some("No server has told it for longer than max_crl_age; the connector's log says why."),
);

/// This process is ending.
pub const SHUTDOWN: Refusal<'static> = fatal(
    "57P01",
    "pgseal-connector is shutting down",
    Some("Connect again."),
);

/// The application's user is none of `allow_users`.
pub const NOT_ALLOWED: Refusal<'static> = fatal(
    "28000",
    "this user may not use pgseal-connector",
    Some("Name the application's user in allow_users, in the connector's configuration."),
);

/// A start-up packet that is none.
pub const BAD_STARTUP: Refusal<'static> = fatal(
    "08P01",
    "invalid start-up packet",
    Some("This port speaks PostgreSQL's protocol, version 3."),
);
