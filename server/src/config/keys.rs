//! The table of the configuration's keys: help, reference and example file are held to it.

use chooser::settings;
use daemon::{Key, Kind};

const fn text(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Key {
    Key {
        name,
        kind: Kind::Text,
        value,
        default,
        help,
    }
}

/// Every key, in the order of the reference.
pub const KEYS: &[Key] = &daemon::join::<{ OWN.len() + settings::KEYS.len() }>(OWN, settings::KEYS);

const OWN: &[Key] = &[
    text(
        "listen",
        "ADDRESSES",
        "127.0.0.1:9393",
        "Where connectors and the control API are served, with TLS: an IP address and a port, or several of them. Behind each may stand what its sessions need, where there are several databases: target=, policy=, max_lag=, fallback_to_primary, on_role_change=, as in 0.0.0.0:9394 target=replica; what is not said there holds as below.",
    ),
    Key {
        name: "proxy_protocol_from",
        kind: Kind::List,
        value: "NETWORKS",
        default: "none",
        help: "Networks of balancers, such as 10.0.0.5 or 10.0.0.0/24, that say for whom they connect: a connection from one of them must begin with a header of the PROXY protocol, version 2 (HAProxy's send-proxy-v2), one from elsewhere must not.",
    },
    Key {
        name: "peers",
        kind: Kind::List,
        value: "ADDRESSES",
        default: "none",
        help: "The other servers of the fleet, each by its own address for the control API, such as db-2.example:9393, where something that balances stands before them: a cancel request may come to a server that has not its session, and is put to these. Its own address may be among them. Applied on SIGHUP.",
    },
    text(
        "ops_listen",
        "ADDRESS",
        "127.0.0.1:9090",
        "Where balancers ask what this server is good for (/primary, /replica, ...) and operators for /health and /metrics, plain HTTP.",
    ),
    text(
        "store",
        "PLACE",
        "",
        "The store of keys that pgseal-keymaker made: a file, or etcd://HOST:PORT,HOST:PORT,.../PREFIX. Changed on SIGHUP to another place of the same store.",
    ),
    text(
        "etcd.ca",
        "FILE",
        "not set",
        "CA certificates that etcd's members are checked against, PEM. Without it etcd is asked in clear, and on loopback addresses only.",
    ),
    text(
        "etcd.certificate",
        "FILE",
        "not set",
        "Certificate shown to etcd, PEM; without a common name if etcd has users.",
    ),
    text(
        "etcd.private_key",
        "FILE",
        "not set",
        "Its private key, PEM, mode 0600.",
    ),
    text("etcd.user", "NAME", "not set", "User in etcd."),
    text(
        "etcd.password_file",
        "FILE",
        "not set",
        "File that holds the user's password, mode 0600.",
    ),
    text(
        "max_stale",
        "PERIOD",
        "10m",
        "How long a server goes on with what it has in memory when its store does not answer; past it nothing is opened and there are no new sessions. At least 5s. Applied on SIGHUP.",
    ),
    text(
        "master_key_file",
        "FILE",
        "not set",
        "File that holds the master key, mode 0600. Without it and master_key_command, the environment variable PGSEAL_MASTER_KEY is read.",
    ),
    text(
        "master_key_command",
        "COMMAND",
        "not set",
        "Shell command that prints the master key: the way to a vault or a cloud's KMS.",
    ),
    text(
        "tls.certificate",
        "FILE",
        "",
        "This server's certificate, PEM, with the URI name pgseal://server/ID. Read again on SIGHUP, as its key and the CA are.",
    ),
    text(
        "tls.private_key",
        "FILE",
        "",
        "Its private key, PEM, mode 0600.",
    ),
    text(
        "tls.ca",
        "FILE",
        "",
        "CA certificates that connectors are checked against, PEM; two of them while a CA is exchanged.",
    ),
    text(
        "database.address",
        "ADDRESS",
        "set this or databases",
        "The PostgreSQL server: host:port, or the path of its unix socket, such as /run/postgresql/.s.PGSQL.5432.",
    ),
    Key {
        name: "databases",
        kind: Kind::List,
        value: "ADDRESSES",
        default: "set this or database.address",
        help: "Several PostgreSQL servers, between which the server chooses: docs/balancing.md. Behind each may stand weight= (0 to 256, 1 by default), backup and max_connections=. What database.* says holds for each. Either database.monitor.user has to be set, or patroni=URL behind each, as database.monitor.patroni has it.",
    },
    text(
        "database.sslmode",
        "MODE",
        "disable",
        "TLS to the database: disable, require (encrypted, its certificate not verified), verify-ca (made by a CA of database.ca) or verify-full (and for the name that is connected to). Applied to new connections on SIGHUP.",
    ),
    text(
        "database.host_name",
        "NAME",
        "the host of database.address",
        "The name that verify-full looks for in the database's certificate, among its subject alternative names. Applied to new connections on SIGHUP.",
    ),
    text(
        "database.ca",
        "FILE",
        "not set",
        "CA certificates that the database is checked against, PEM, for verify-ca and verify-full. Read again on SIGHUP.",
    ),
    text(
        "database.certificate",
        "FILE",
        "not set",
        "Certificate shown to the database, PEM, where it asks for one (clientcert in pg_hba.conf). Read again on SIGHUP.",
    ),
    text(
        "database.private_key",
        "FILE",
        "not set",
        "Its private key, PEM, mode 0600. Read again on SIGHUP.",
    ),
    text(
        "database.connect_timeout",
        "PERIOD",
        "5s",
        "How long the database may take to accept a connection.",
    ),
    text(
        "database.answer_timeout",
        "PERIOD",
        "1m",
        "How long the database may then take to its first answer to a start-up message: a request for a password, or an error.",
    ),
    text(
        "database.monitor.user",
        "NAME",
        "not set",
        "User as whom the server watches its database, to tell others its role, how far it has come, and when it stops answering. It needs no rights. Without it and database.monitor.patroni the database is not watched.",
    ),
    text(
        "database.monitor.password_file",
        "FILE",
        "not set",
        "File that holds the user's password, mode 0600. Read at each login.",
    ),
    text(
        "database.monitor.database",
        "NAME",
        "postgres",
        "The database that this user connects to.",
    ),
    text(
        "database.monitor.patroni",
        "URL",
        "not set",
        "Patroni's REST API on the database's host, such as http://10.0.0.5:8008. Where it is set, Patroni is asked what the database is, in place of a session as database.monitor.user.",
    ),
    text(
        "database.monitor.patroni_ca",
        "FILE",
        "not set",
        "CA certificates that Patroni's certificate is checked against, PEM, where the URL begins with https.",
    ),
    text(
        "monitor_interval",
        "PERIOD",
        "100ms",
        "How often a database that is watched (database.monitor.user, database.monitor.patroni) is asked. At least 10ms.",
    ),
    text(
        "monitor_timeout",
        "PERIOD",
        "1s",
        "How long the database may take to let the monitor's user in, and then to each answer, or Patroni to its answer; past it the database counts as gone. At least 10ms.",
    ),
    text(
        "zone_mode",
        "MODE",
        "off",
        "Which sealed values are opened: off (those sealed to the client), on (those sealed to a zone whose tag the row carries), mixed (both). Applied to running sessions on SIGHUP.",
    ),
    text(
        "on_refused",
        "POLICY",
        "ciphertext",
        "What becomes of a sealed value that may not or cannot be opened: ciphertext (stays as it is), null (its field becomes NULL), error (the query fails). Applied to running sessions on SIGHUP.",
    ),
    text(
        "max_open_row",
        "SIZE",
        "64MiB",
        "Longest row that is held in memory to be opened. A longer one passes as it is, or is refused where on_refused is null or error. Applied to running sessions on SIGHUP.",
    ),
    text(
        "open_memory",
        "SIZE",
        "512MiB",
        "Memory that all sessions together may use for rows over 64 KiB; a row counts three times: as it came, decoded, and as it goes. Applied to running sessions on SIGHUP.",
    ),
    text(
        "lock_memory",
        "MODE",
        "auto",
        "Whether memory, with keys in it, is kept from being swapped out: auto (where RLIMIT_MEMLOCK is unlimited; a warning where not), require (or the server does not start), off.",
    ),
    text(
        "startup_timeout",
        "PERIOD",
        "10s",
        "How long a peer may take from connecting to its certificate.",
    ),
    text(
        "tunnel_timeout",
        "PERIOD",
        "5m",
        "How long a client that has shown its certificate may take to its start-up message: connectors keep tunnels open for sessions to come (warm_tunnels).",
    ),
    text(
        "max_starting",
        "COUNT",
        "4096",
        "Connections that have not sent their start-up message yet, cancel requests included, at once; and no more than a quarter of the files that may be open. When there are more, the network or client that has most of them loses its oldest.",
    ),
    text(
        "tcp_keepalive",
        "PERIOD",
        "1m",
        "A connection this long without a byte is asked whether its peer's host is still there, and given up after as long again without an answer. In whole seconds; 0s: never asked.",
    ),
    text(
        "tcp_user_timeout",
        "PERIOD",
        "0s",
        "Bytes that a peer does not acknowledge, or does not take, for this long end the connection: for peers that vanish while something is on its way to them, and that never let anything wait. 0s: the system's own limit, some 15 minutes, for what is not acknowledged.",
    ),
    text(
        "drain_timeout",
        "PERIOD",
        "30s",
        "How long running sessions may take to end after SIGTERM. Applied on SIGHUP.",
    ),
    text(
        "max_crl_age",
        "PERIOD",
        "1h",
        "How long ago the store may have last confirmed the list of revoked certificates; past it there are no new sessions. At least 1s. Applied on SIGHUP.",
    ),
    Key {
        name: "metrics_by_owner",
        kind: Kind::Bool,
        value: "BOOL",
        default: "false",
        help: "Count opened and refused values for each client and zone in /metrics too: as many labels as there are owners in use.",
    },
    text(
        "log.level",
        "LEVEL",
        "info",
        "Least severe events to log: error, warn, info or debug. Applied on SIGHUP.",
    ),
    text(
        "log.format",
        "FORMAT",
        "text",
        "text, or json: one object a line.",
    ),
];
