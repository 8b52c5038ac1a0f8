//! Why no new sessions are to come to this server now, in the words that a check answers.

/// Why no new sessions are to come here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is to end.
    #[error("draining")]
    Draining,
    /// Its store says so, or has been silent for `max_stale`.
    #[error("the store of keys cannot be read")]
    NoStore,
    /// Past `max_crl_age`.
    #[error("the list of revoked certificates is too old")]
    RevocationsStale,
    /// It was altered, is missing or went back.
    #[error("the list of revoked certificates cannot be relied on")]
    RevocationsDistrusted,
    /// The store's settings do not hold here.
    #[error("{0}")]
    Settings(String),
    /// Its peers do not talk to it.
    #[error("this server's certificate was revoked")]
    Revoked,
    /// The database is gone.
    #[error("the database does not answer")]
    NoAnswer,
    /// Nobody asks the database.
    #[error(
        "the role of the database is not known: set database.monitor.user or database.monitor.patroni"
    )]
    NotWatched,
    /// A primary is wanted.
    #[error("the database is a replica")]
    IsReplica,
    /// A replica is wanted.
    #[error("the database is a primary")]
    IsPrimary,
    /// It is too far behind; both in bytes.
    #[error("the replica is {behind} bytes behind its primary, and {most} are allowed")]
    Behind {
        /// So far.
        behind: u64,
        /// So far it may be.
        most: u64,
    },
    /// Its primary may be anywhere.
    #[error("how far the replica is behind is not known: it receives nothing from its primary")]
    CutOff,
    /// The database does not tell the monitor's user, and Patroni nobody.
    #[error(
        "how far the replica is behind is not told: grant pg_read_all_stats to \
         database.monitor.user; Patroni does not tell it"
    )]
    NotTold,
}
