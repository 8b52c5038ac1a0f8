//! The connector's configuration: its keys, their defaults, and what they mean.

use std::path::PathBuf;
use std::time::Duration;

use chooser::Listener;
use chooser::settings::{self, Balance, Bind, Checks, Needs, OneOrSeveral, twice};
use control::{Count, CountOrNone, Period};
use daemon::{HostPort, Key, Kind, LogSettings};
use serde::{Deserialize, Serialize};
use tunnel::Tuning;

use crate::address::Address;
use crate::servers::Listed;
use crate::users::User;

/// Where the configuration is looked for when no `--config` is given.
pub const DEFAULT_FILE: &str = "/etc/pgseal/connector.toml";

/// `connector.toml`, whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `listen`
    #[serde(default = "default_listen")]
    pub listen: OneOrSeveral<Bind<Address>>,
    /// `api_listen`
    #[serde(default = "default_api_listen")]
    pub api_listen: OneOrSeveral<Address>,
    /// `allow_users`
    #[serde(default)]
    pub allow_users: Vec<User>,
    /// `server`
    #[serde(default)]
    pub server: Option<HostPort>,
    /// `servers`
    #[serde(default)]
    pub servers: Vec<Listed>,
    /// `control`
    #[serde(default)]
    pub control: Option<HostPort>,
    /// `server_ids`
    #[serde(default)]
    pub server_ids: Vec<String>,
    /// `tls`
    pub tls: Tls,
    /// `local_api`
    #[serde(default)]
    pub local_api: LocalApi,
    /// `balance`
    #[serde(default)]
    pub balance: Balance,
    /// `checks`
    #[serde(default)]
    pub checks: Checks,
    /// `warm_tunnels`
    #[serde(default)]
    pub warm_tunnels: Option<CountOrNone>,
    /// `connect_timeout`
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: Period,
    /// `answer_timeout`
    #[serde(default = "default_answer_timeout")]
    pub answer_timeout: Period,
    /// `startup_timeout`
    #[serde(default = "default_startup_timeout")]
    pub startup_timeout: Period,
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
    /// `log`
    #[serde(default)]
    pub log: LogSettings,
}

/// The connector's certificate and the CA that servers are checked against.
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

/// What the local API lets applications do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalApi {
    /// `local_api.zones`
    pub zones: bool,
}

fn default_listen() -> OneOrSeveral<Bind<Address>> {
    OneOrSeveral(vec![Bind {
        address: loopback(9494),
        needs: Needs::default(),
    }])
}

fn default_api_listen() -> OneOrSeveral<Address> {
    OneOrSeveral(vec![loopback(9191)])
}

fn loopback(port: u16) -> Address {
    Address::Tcp(([127, 0, 0, 1], port).into())
}

fn default_connect_timeout() -> Period {
    Period::seconds(5)
}

fn default_answer_timeout() -> Period {
    Period::seconds(120)
}

fn default_startup_timeout() -> Period {
    Period::seconds(10)
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
    Period::seconds(30)
}

fn default_restart_timeout() -> Period {
    Period::seconds(30)
}

fn default_max_crl_age() -> Period {
    Period(Duration::from_secs(3600))
}

/// The keys that apply to a running program, on SIGHUP.
const LIVE: &[&str] = &[
    "log.level",
    "max_crl_age",
    "server_ids",
    "servers",
    "tls.certificate",
    "tls.private_key",
    "tls.ca",
];

impl Config {
    /// The servers that sessions may go to: one at least.
    ///
    /// # Errors
    /// In a line: none is named, or in two ways.
    pub fn listed(&self) -> Result<Vec<Listed>, String> {
        match (&self.server, self.servers.as_slice()) {
            (Some(server), []) => Ok(vec![Listed {
                control: self.control.clone(),
                ..server.clone().into()
            }]),
            (None, []) => Err(
                "`server` is not set: put it into the configuration file, or give --server or \
                 PGSEAL_SERVER"
                    .to_owned(),
            ),
            (Some(_), _) => Err("server and servers: set one of the two".to_owned()),
            (None, _) if self.control.is_some() => Err(
                "control: it is the control API of one server; in servers, write control= behind \
                 each"
                    .to_owned(),
            ),
            (None, several) => match twice(several.iter().map(|it| it.address.as_str())) {
                None => Ok(several.to_vec()),
                Some(address) => Err(format!("servers: {address} is listed twice")),
            },
        }
    }

    /// What the sessions of each address of `listen` need: what is said there, and else what holds
    /// for all.
    #[must_use]
    pub fn listeners(&self) -> Vec<Listener> {
        let listener = |bind: &Bind<Address>| self.balance.listener(&bind.needs);
        self.listen.0.iter().map(listener).collect()
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

/// Every key, in the order of the reference.
pub const KEYS: &[Key] = &daemon::join::<{ OWN.len() + settings::KEYS.len() }>(OWN, settings::KEYS);

const OWN: &[Key] = &[
    Key::list(
        "listen",
        "ADDRESSES",
        "127.0.0.1:9494",
        "Where applications connect, in clear: a loopback address, the path of a unix socket such as /run/pgseal/.s.PGSQL.5432 (host=/run/pgseal), or several of them. Behind each may stand what its sessions need: target=, policy=, max_lag=, fallback_to_primary, on_role_change=, as in 127.0.0.1:9495 target=replica; what is not said there holds as below.",
    ),
    Key::list(
        "api_listen",
        "ADDRESSES",
        "127.0.0.1:9191",
        "Where the local HTTP API, /health and /metrics are served: loopback addresses, paths of unix sockets.",
    ),
    Key::list(
        "allow_users",
        "USERS",
        "the connector's own user",
        "Users of this host, by name or number, that may connect to a unix socket. Connections by TCP are not checked.",
    ),
    Key::text(
        "server",
        "ADDRESS",
        "set this or servers",
        "The pgseal server, or the balancer before several: host:port.",
    ),
    Key::list(
        "servers",
        "ADDRESSES",
        "set this or server",
        "Several pgseal servers, host:port each, between which the connector chooses: docs/balancing.md. Behind each may stand weight= (0 to 256, 1 by default), backup, max_connections= and control=, its own address for the control API. Applied on SIGHUP: sessions of a server that is not listed any more go on.",
    ),
    Key::text(
        "control",
        "ADDRESS",
        "the value of server",
        "The server's own address for the control API, where a balancer stands before its data port.",
    ),
    Key::list(
        "server_ids",
        "IDS",
        "any",
        "Ids of the servers to accept, from their certificates; any server of the CA when not set. Applied on SIGHUP.",
    ),
    Key::text(
        "tls.certificate",
        "FILE",
        "",
        "This connector's certificate, PEM, with the URI name pgseal://client/ID: whose values it may see. Read again on SIGHUP, as its key and the CA are.",
    ),
    Key::text(
        "tls.private_key",
        "FILE",
        "",
        "Its private key, PEM, mode 0600.",
    ),
    Key::text(
        "tls.ca",
        "FILE",
        "",
        "CA certificates that servers are checked against, PEM; two of them while a CA is exchanged.",
    ),
    Key {
        name: "local_api.zones",
        kind: Kind::Bool,
        value: "BOOL",
        default: "false",
        help: "Whether applications may create zones through the local API.",
    },
    Key::text(
        "warm_tunnels",
        "COUNT",
        "4; 0 where nothing is checked",
        "Tunnels to each server that are kept open for sessions to come, so that these wait for no handshake. 0: none, as it is by default with one server of which nothing is known: something that balances may stand there, and what it chose a while ago need not be right now.",
    ),
    Key::text(
        "connect_timeout",
        "PERIOD",
        "5s",
        "How long a tunnel to the server may take to open.",
    ),
    Key::text(
        "answer_timeout",
        "PERIOD",
        "2m",
        "How long the first answer to a session's start-up message may take, or the end of a cancel request. Longer than the server's database.connect_timeout and database.answer_timeout together, which know better what is wrong.",
    ),
    Key::text(
        "startup_timeout",
        "PERIOD",
        "10s",
        "How long an application may take from connecting to its start-up message.",
    ),
    Key::text(
        "max_starting",
        "COUNT",
        "4096",
        "Connections of applications that have not sent their start-up message yet, cancel requests included, at once; and no more than a quarter of the files that may be open. When there are more, the user (by TCP: the address) that has most of them loses its oldest.",
    ),
    Key::text(
        "tcp_keepalive",
        "PERIOD",
        "1m",
        "A connection this long without a byte is asked whether its peer's host is still there, and given up after as long again without an answer. In whole seconds; 0s: never asked.",
    ),
    Key::text(
        "tcp_user_timeout",
        "PERIOD",
        "0s",
        "Bytes that a peer does not acknowledge, or does not take, for this long end the connection: for peers that vanish while something is on its way to them, and that never let anything wait. 0s: the system's own limit, some 15 minutes, for what is not acknowledged.",
    ),
    Key::text(
        "drain_timeout",
        "PERIOD",
        "30s",
        "How long running sessions may take to end after SIGTERM, or once another process has taken over.",
    ),
    Key::text(
        "restart_timeout",
        "PERIOD",
        "30s",
        "How long the process that SIGUSR2 starts may take until it serves; after that it is ended, and this one goes on.",
    ),
    Key::text(
        "max_crl_age",
        "PERIOD",
        "1h",
        "How long ago the server may have last confirmed the list of revoked certificates; past it there are no new sessions. Applied on SIGHUP.",
    ),
    Key::text(
        "log.level",
        "LEVEL",
        "info",
        "Least severe events to log: error, warn, info or debug. Applied on SIGHUP.",
    ),
    Key::text(
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
    fn one_server_or_several_are_named_and_not_both() {
        let read = |lines: &str| {
            let tls = "tls = { certificate = 'c', private_key = 'k', ca = 'a' }";
            let config: Config = toml::from_str(&format!("{lines}\n{tls}")).unwrap();
            let servers = config.listed()?;
            Ok(servers.iter().map(ToString::to_string).collect())
        };
        let (one, two) = ("server = 'a:1'", "servers = ['a:1', 'b:2']");
        assert_eq!(read(one), Ok(vec!["a:1".to_owned()]));
        let with_control = format!("{one}\ncontrol = 'c:1'");
        assert_eq!(read(&with_control), Ok(vec!["a:1 control=c:1".to_owned()]));
        assert_eq!(read(two), Ok(vec!["a:1".to_owned(), "b:2".to_owned()]));
        for (lines, why) in [
            (format!("{one}\n{two}"), "set one of the two"),
            (
                format!("control = 'c:1'\n{two}"),
                "write control= behind each",
            ),
            ("servers = []".to_owned(), "`server` is not set"),
            (
                "servers = ['a:1', 'b:2', 'a:1 backup']".to_owned(),
                "servers: a:1 is listed twice",
            ),
        ] {
            let error: Result<Vec<String>, String> = read(&lines);
            let error = error.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn the_table_of_keys_and_the_configuration_agree() {
        let config: Config = serde_json::from_value(serde_json::json!({
            "servers": ["s:1"],
            "tls": { "certificate": "c", "private_key": "k", "ca": "a" },
        }))
        .unwrap();
        let defaults = serde_json::to_value(&config).unwrap();
        assert_eq!(daemon::differences(KEYS, &defaults), Vec::<String>::new());
    }
}
