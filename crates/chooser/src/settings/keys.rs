//! The keys that both programs have for the choice between endpoints.

use daemon::{Key, Kind};

/// One row for each, in the order of the reference.
pub const KEYS: &[Key] = &[
    Key::text(
        "balance.target",
        "ROLE",
        "any",
        "What the database of a session must be: primary, replica or any.",
    ),
    Key::text(
        "balance.policy",
        "POLICY",
        "round-robin",
        "How one of those that serve is chosen: round-robin, least-connections or peak-ewma.",
    ),
    Key::text(
        "balance.max_lag",
        "SIZE",
        "no limit",
        "How far a replica may be behind its primary to get new sessions: a size of WAL such as 16MiB, or a time such as 10s. A lag that is not known is too long.",
    ),
    Key {
        name: "balance.fallback_to_primary",
        kind: Kind::Bool,
        value: "BOOL",
        default: "false",
        help: "Whether a primary serves where the target is replica and no replica does.",
    },
    Key::text(
        "balance.wait_for_primary",
        "PERIOD",
        "10s",
        "How long a new session waits where the target is primary and none is known; and how long the last word of one that is silent counts for a max_lag in bytes.",
    ),
    Key::text(
        "balance.on_role_change",
        "POLICY",
        "close",
        "What becomes of sessions whose database has become something else than their target: close ends them with an error, keep leaves them, unless the database is distrusted. One that does not answer any more loses its sessions in either case, where there is another.",
    ),
    Key::text(
        "balance.max_connections",
        "COUNT",
        "no limit",
        "Sessions that one of the list may have from here; further ones wait.",
    ),
    Key::text(
        "balance.max_queue",
        "COUNT",
        "100",
        "Sessions that wait while all that serve have max_connections.",
    ),
    Key::text(
        "balance.queue_timeout",
        "PERIOD",
        "10s",
        "How long they wait.",
    ),
    Key::text(
        "checks.interval",
        "PERIOD",
        "500ms",
        "From the start of one check of a member of the list to the next, while it says nothing by itself.",
    ),
    Key::text(
        "checks.down_interval",
        "PERIOD",
        "500ms",
        "The same of one that is down, or has begun to fail.",
    ),
    Key::text(
        "checks.timeout",
        "PERIOD",
        "500ms",
        "A check without an answer for so long has failed.",
    ),
    Key::text(
        "checks.fall",
        "COUNT",
        "2",
        "So many failures in a row put it down.",
    ),
    Key::text(
        "checks.rise",
        "COUNT",
        "2",
        "So many successes in a row bring it up.",
    ),
    Key::text(
        "checks.slow_start",
        "PERIOD",
        "10s",
        "For so long after that, its share of sessions grows from nothing to its full one.",
    ),
];
