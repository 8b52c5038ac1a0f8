//! `database`: where the database is, how it is reached, and how it is watched.

use std::path::PathBuf;

use control::Period;
use daemon::HostPort;
use serde::{Deserialize, Serialize};

use super::PatroniAddress;

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

/// How the server watches its database: as whom, or through Patroni.
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
    /// `database.monitor.patroni`
    #[serde(default)]
    pub patroni: Option<PatroniAddress>,
    /// `database.monitor.patroni_ca`
    #[serde(default)]
    pub patroni_ca: Option<PathBuf>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            user: None,
            password_file: None,
            database: default_monitor_database(),
            patroni: None,
            patroni_ca: None,
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

fn default_monitor_database() -> String {
    "postgres".to_owned()
}
