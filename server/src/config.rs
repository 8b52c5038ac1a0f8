//! The server's configuration: its keys, their defaults, and what they mean.

mod database;
mod keys;
mod patroni;

use std::path::PathBuf;
use std::time::Duration;

use chooser::settings::{Balance, Bind, Checks, Needs, OneOrSeveral, twice};
use control::{ByteSize, Count, Live, LogLevel, OnRefused, Period, ZoneMode};
use daemon::{HostPort, Listen, LockMemory, LogSettings, Subnet};
use keystore::{EtcdSettings, Place, StoreAddress};
use serde::{Deserialize, Serialize};
use tunnel::Tuning;

use crate::databases::Listed;
pub use database::{Database, DatabaseAddress, Monitor, SslMode};
pub use keys::KEYS;
pub use patroni::PatroniAddress;

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
    /// `peers`
    #[serde(default)]
    pub peers: Vec<HostPort>,
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
    /// `restart_timeout`
    #[serde(default = "default_restart_timeout")]
    pub restart_timeout: Period,
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

fn default_restart_timeout() -> Period {
    Period::seconds(30)
}

fn default_max_crl_age() -> Period {
    Live::default().max_crl_age
}

fn default_monitor_interval() -> Period {
    Period(Duration::from_millis(100))
}

fn default_monitor_timeout() -> Period {
    Period::seconds(1)
}

/// The keys that apply to a running program, on SIGHUP.
const LIVE: &[&str] = &[
    "peers",
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
            (Some(address), []) => Ok(vec![Listed {
                patroni: self.database.monitor.patroni.clone(),
                ..address.clone().into()
            }]),
            (None, []) => Err(
                "`database.address` is not set: put it into the configuration file, or give \
                 --database-address or PGSEAL_DATABASE_ADDRESS"
                    .to_owned(),
            ),
            (Some(_), _) => Err("database.address and databases: set one of the two".to_owned()),
            (None, _) if self.database.monitor.patroni.is_some() => Err(
                "database.monitor.patroni is for database.address; write patroni=URL behind each of \
                 databases instead"
                    .to_owned(),
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_keys_and_the_configuration_agree() {
        let config: Config = serde_json::from_value(serde_json::json!({
            "store": "s",
            "databases": ["d:1"],
            "tls": { "certificate": "c", "private_key": "k", "ca": "a" },
        }))
        .unwrap();
        let defaults = serde_json::to_value(&config).unwrap();
        assert_eq!(daemon::differences(KEYS, &defaults), Vec::<String>::new());
        assert_eq!(config.live(), Live::default());
    }

    #[test]
    fn one_patroni_is_asked_of_one_database_and_of_several_each_has_its_own() {
        let patroni = |databases: serde_json::Value| {
            let mut config = serde_json::json!({
                "store": "s",
                "database": { "monitor": { "patroni": "http://db-1:8008" } },
                "tls": { "certificate": "c", "private_key": "k", "ca": "a" },
            });
            match databases.is_string() {
                true => config["database"]["address"] = databases,
                false => config["databases"] = databases,
            }
            let config: Config = serde_json::from_value(config).unwrap();
            let listed = config.databases()?;
            Ok::<_, String>(listed[0].patroni.clone().map(String::from))
        };
        let one = patroni("db-1:5432".into());
        assert_eq!(one, Ok(Some("http://db-1:8008".to_owned())));
        let error = patroni(serde_json::json!(["db-1:5432", "db-2:5432"])).unwrap_err();
        assert!(error.contains("write patroni=URL behind each"), "{error}");
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
