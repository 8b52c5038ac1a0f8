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
    Some("Most likely it does not accept this connector's certificate; both logs say why."),
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
