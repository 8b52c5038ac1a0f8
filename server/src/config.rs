//! The server's configuration: its keys, their defaults, and what they mean.

use std::path::PathBuf;
use std::time::Duration;

use chooser::settings::{self, Balance, Bind, Checks, Needs, OneOrSeveral, twice};
use control::{ByteSize, Count, Live, LogLevel, OnRefused, Period, ZoneMode};
use daemon::{HostPort, Key, Kind, Listen, LockMemory, LogSettings, Subnet};
use keystore::{EtcdSettings, Place, StoreAddress};
use serde::{Deserialize, Serialize};
use tunnel::Tuning;

use crate::databases::Listed;

/// Where the configuration is looked for when no `--config` is given.
pub const DEFAULT_FILE: &str = "/etc/pgseal/server.toml";

/// `server.toml`, whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `listen`
    #[serde(default = "default_listen")]
    pub listen: OneOrSeveral<Bind<Listen>>,
    /// `proxy_protocol_from`
    #[serde(default)]
    pub proxy_protocol_from: Vec<Subnet>,
    /// `ops_listen`
    #[serde(default = "default_ops_listen")]
    pub ops_listen: Listen,
    /// `store`
    pub store: StoreAddress,
    /// `etcd`
    #[serde(default)]
    pub etcd: EtcdSettings,
    /// `max_stale`
    #[serde(default = "default_max_stale")]
    pub max_stale: Period,
    /// `master_key_file`
    #[serde(default)]
    pub master_key_file: Option<PathBuf>,
    /// `master_key_command`
    #[serde(default)]
    pub master_key_command: Option<String>,
    /// `tls`
    pub tls: Tls,
    /// `database`
    #[serde(default)]
    pub database: Database,
    /// `databases`
    #[serde(default)]
    pub databases: Vec<Listed>,
    /// `balance`
    #[serde(default)]
    pub balance: Balance,
    /// `checks`
    #[serde(default)]
    pub checks: Checks,
    /// `monitor_interval`
    #[serde(default = "default_monitor_interval")]
    pub monitor_interval: Period,
    /// `monitor_timeout`
    #[serde(default = "default_monitor_timeout")]
    pub monitor_timeout: Period,
    /// `zone_mode`
    #[serde(default)]
    pub zone_mode: ZoneMode,
    /// `on_refused`
    #[serde(default)]
    pub on_refused: OnRefused,
    /// `max_open_row`
    #[serde(default = "default_max_open_row")]
    pub max_open_row: ByteSize,
    /// `open_memory`
    #[serde(default = "default_open_memory")]
    pub open_memory: ByteSize,
    /// `lock_memory`
    #[serde(default)]
    pub lock_memory: LockMemory,
    /// `startup_timeout`
    #[serde(default = "default_startup_timeout")]
    pub startup_timeout: Period,
    /// `tunnel_timeout`
    #[serde(default = "default_tunnel_timeout")]
    pub tunnel_timeout: Period,
    /// `max_starting`
    #[serde(default = "default_max_starting")]
    pub max_starting: Count,
    /// `tcp_keepalive`
    #[serde(default = "default_tcp_keepalive")]
    pub tcp_keepalive: Period,
    /// `tcp_user_timeout`
    #[serde(default = "default_tcp_user_timeout")]
    pub tcp_user_timeout: Period,
    /// `drain_timeout`
    #[serde(default = "default_drain_timeout")]
    pub drain_timeout: Period,
    /// `max_crl_age`
    #[serde(default = "default_max_crl_age")]
    pub max_crl_age: Period,
    /// `metrics_by_owner`
    #[serde(default)]
    pub metrics_by_owner: bool,
    /// `log`
    #[serde(default)]
    pub log: LogSettings,
}

/// The server's certificate and the CA its peers are checked against.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// `tls.certificate`
    pub certificate: PathBuf,
    /// `tls.private_key`
    pub private_key: PathBuf,
    /// `tls.ca`
    pub ca: PathBuf,
}

/// The database this server stands before.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `database.address`
    pub address: Option<DatabaseAddress>,
    /// `database.sslmode`
    pub sslmode: SslMode,
    /// `database.host_name`
    pub host_name: Option<String>,
    /// `database.ca`
    pub ca: Option<PathBuf>,
    /// `database.certificate`
    pub certificate: Option<PathBuf>,
    /// `database.private_key`
    pub private_key: Option<PathBuf>,
    /// `database.connect_timeout`
    pub connect_timeout: Period,
    /// `database.answer_timeout`
    pub answer_timeout: Period,
    /// `database.monitor`
    pub monitor: Monitor,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            address: None,
            sslmode: SslMode::default(),
            host_name: None,
            ca: None,
            certificate: None,
            private_key: None,
            connect_timeout: Period::seconds(5),
            answer_timeout: Period::seconds(60),
            monitor: Monitor::default(),
        }
    }
}

/// As whom the server watches its database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// `database.monitor.user`
    #[serde(default)]
    pub user: Option<String>,
    /// `database.monitor.password_file`
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// `database.monitor.database`
    #[serde(default = "default_monitor_database")]
    pub database: String,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            user: None,
            password_file: None,
            database: default_monitor_database(),
        }
    }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DatabaseAddress {
    /// The path of a unix socket.
    Socket(PathBuf),
    /// A host and port.
    Tcp(HostPort),
}

impl TryFrom<String> for DatabaseAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.starts_with('/') {
            return Ok(Self::Socket(text.into()));
        }
        HostPort::try_from(text).map(Self::Tcp)
    }
}

impl From<DatabaseAddress> for String {
    fn from(address: DatabaseAddress) -> Self {
        address.to_string()
    }
}

impl std::fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Tcp(address) => f.write_str(address.as_str()),
        }
    }
}

/// Whether the way to the database is encrypted, and the database verified, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// In clear: for a database on the same host.
    #[default]
    Disable,
    /// Encrypted; the database's certificate is not verified.
    Require,
    /// A CA of `database.ca` has made the database's certificate.
    VerifyCa,
    /// And it is for `database.host_name`, or the host of `database.address`.
    VerifyFull,
}

impl std::fmt::Display for SslMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

fn default_listen() -> OneOrSeveral<Bind<Listen>> {
    OneOrSeveral(vec![Bind {
        address: Listen(([127, 0, 0, 1], 9393).into()),
        needs: Needs::default(),
    }])
}

fn default_ops_listen() -> Listen {
    Listen(([127, 0, 0, 1], 9090).into())
}

fn default_max_open_row() -> ByteSize {
    Live::default().max_open_row
}

fn default_open_memory() -> ByteSize {
    Live::default().open_memory
}

fn default_startup_timeout() -> Period {
    Period::seconds(10)
}

fn default_tunnel_timeout() -> Period {
    Period::seconds(300)
}

fn default_max_stale() -> Period {
    Live::default().max_stale
}

fn default_max_starting() -> Count {
    Count(4096)
}

fn default_tcp_keepalive() -> Period {
    Period(Tuning::default().keepalive)
}

fn default_tcp_user_timeout() -> Period {
    Period(Tuning::default().user_timeout)
}

fn default_drain_timeout() -> Period {
    Live::default().drain_timeout
}

fn default_max_crl_age() -> Period {
    Live::default().max_crl_age
}

fn default_monitor_database() -> String {
    "postgres".to_owned()
}

fn default_monitor_interval() -> Period {
    Period(Duration::from_millis(100))
}

fn default_monitor_timeout() -> Period {
    Period::seconds(1)
}

/// The keys that apply to a running program, on SIGHUP.
const LIVE: &[&str] = &[
    "store",
    "etcd.ca",
    "etcd.certificate",
    "etcd.private_key",
    "etcd.user",
    "etcd.password_file",
    "max_stale",
    "zone_mode",
    "on_refused",
    "max_open_row",
    "open_memory",
    "drain_timeout",
    "log.level",
    "database.sslmode",
    "database.host_name",
    "database.ca",
    "database.certificate",
    "database.private_key",
    "max_crl_age",
    "tls.certificate",
    "tls.private_key",
    "tls.ca",
];

impl Config {
    /// Where the store is, and how it is reached.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            address: self.store.clone(),
            etcd: self.etcd.clone(),
        }
    }

    /// The databases that sessions may go to: one at least.
    ///
    /// # Errors
    /// In a line: none is named, or in two ways.
    pub fn databases(&self) -> Result<Vec<Listed>, String> {
        match (&self.database.address, self.databases.as_slice()) {
            (Some(address), []) => Ok(vec![address.clone().into()]),
            (None, []) => Err(
                "`database.address` is not set: put it into the configuration file, or give \
                 --database-address or PGSEAL_DATABASE_ADDRESS"
                    .to_owned(),
            ),
            (Some(_), _) => Err("database.address and databases: set one of the two".to_owned()),
            (None, several) => {
                let addresses: Vec<_> = several.iter().map(|it| it.address.to_string()).collect();
                match twice(addresses.iter().map(String::as_str)) {
                    None => Ok(several.to_vec()),
                    Some(address) => Err(format!("databases: {address} is listed twice")),
                }
            }
        }
    }

    /// Those of its values that are live settings.
    #[must_use]
    pub fn live(&self) -> Live {
        Live {
            zone_mode: self.zone_mode,
            on_refused: self.on_refused,
            log_level: match self.log.level {
                daemon::LogLevel::Error => LogLevel::Error,
                daemon::LogLevel::Warn => LogLevel::Warn,
                daemon::LogLevel::Info => LogLevel::Info,
                daemon::LogLevel::Debug => LogLevel::Debug,
            },
            max_open_row: self.max_open_row,
            open_memory: self.open_memory,
            drain_timeout: self.drain_timeout,
            max_crl_age: self.max_crl_age,
            max_stale: self.max_stale,
        }
    }

    /// TCP's options.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        Tuning {
            keepalive: self.tcp_keepalive.0,
            user_timeout: self.tcp_user_timeout.0,
        }
    }

    /// The keys that are other in `new`, and wait for the next start.
    #[must_use]
    pub fn waiting_for_restart(&self, new: &Self) -> Vec<String> {
        match (serde_json::to_value(self), serde_json::to_value(new)) {
            (Ok(old), Ok(new)) => daemon::waiting_for_restart(&old, &new, LIVE),
            // A configuration is made of texts and numbers, and those can be written.
            _ => Vec::new(),
        }
    }
}

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
        help: "Several PostgreSQL servers, between which the server chooses: docs/balancing.md. Behind each may stand weight= (0 to 256, 1 by default), backup and max_connections=. What database.* says holds for each; database.monitor.user has to be set.",
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
        "User as whom the server watches its database, to tell others its role, how far it has come, and when it stops answering. It needs no rights. Without it the database is not watched.",
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
        "monitor_interval",
        "PERIOD",
        "100ms",
        "How often a database that is watched (database.monitor.user) is asked. At least 10ms.",
    ),
    text(
        "monitor_timeout",
        "PERIOD",
        "1s",
        "How long the database may take to let the monitor's user in, and then to each answer; past it the database counts as gone. At least 10ms.",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_keys_and_the_configuration_agree() {
        let config: Config = serde_json::from_value(serde_json::json!({
            "store": "s",
            "database": { "address": "d:1" },
            "tls": { "certificate": "c", "private_key": "k", "ca": "a" },
        }))
        .unwrap();
        let defaults = serde_json::to_value(&config).unwrap();
        assert_eq!(daemon::differences(KEYS, &defaults), Vec::<String>::new());
        assert_eq!(config.live(), Live::default());
    }

    #[test]
    fn every_live_setting_is_a_key_of_its_name_that_applies_to_a_running_program() {
        for setting in control::LIVE_SETTINGS {
            let key = KEYS.iter().find(|key| key.name == setting.name);
            assert_eq!(key.map(|key| key.default), Some(setting.default().as_str()));
            assert!(LIVE.contains(&setting.name), "{}", setting.name);
        }
    }
}
