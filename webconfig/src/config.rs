//! The page's configuration: its keys, their defaults, and what they mean.

use std::path::PathBuf;

use control::Period;
use daemon::{HostPort, Key, Listen, LogSettings};
use serde::{Deserialize, Serialize};

/// Where the configuration is looked for when no `--config` is given.
pub const DEFAULT_FILE: &str = "/etc/pgseal/webconfig.toml";

/// `webconfig.toml`, whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `listen`
    #[serde(default = "default_listen")]
    pub listen: Listen,
    /// `servers`
    pub servers: Vec<HostPort>,
    /// `tls`
    pub tls: Tls,
    /// `https`
    #[serde(default)]
    pub https: Https,
    /// `users_file`
    #[serde(default = "default_users_file")]
    pub users_file: PathBuf,
    /// `session_timeout`
    #[serde(default = "default_session_timeout")]
    pub session_timeout: Period,
    /// `session_lifetime`
    #[serde(default = "default_session_lifetime")]
    pub session_lifetime: Period,
    /// `answer_timeout`
    #[serde(default = "default_answer_timeout")]
    pub answer_timeout: Period,
    /// `log`
    #[serde(default)]
    pub log: LogSettings,
}

/// What is shown to servers, and what they are checked against.
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

/// What is shown to browsers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Https {
    /// `https.certificate`
    pub certificate: Option<PathBuf>,
    /// `https.private_key`
    pub private_key: Option<PathBuf>,
}

fn default_listen() -> Listen {
    Listen(([127, 0, 0, 1], 8000).into())
}

fn default_users_file() -> PathBuf {
    "/var/lib/pgseal-webconfig/users".into()
}

fn default_session_timeout() -> Period {
    Period::seconds(30 * 60)
}

fn default_session_lifetime() -> Period {
    Period::seconds(12 * 3600)
}

fn default_answer_timeout() -> Period {
    Period::seconds(3)
}

/// The keys that apply to a running program, on SIGHUP.
const LIVE: &[&str] = &[
    "log.level",
    "tls.certificate",
    "tls.private_key",
    "tls.ca",
    "https.certificate",
    "https.private_key",
];

impl Config {
    /// Checks what one key alone does not show.
    ///
    /// # Errors
    /// In a line: no server is named, or one twice; a certificate stands without its key; others
    /// than this host's programs would get the page in clear.
    pub fn check(&self) -> Result<(), String> {
        if self.servers.is_empty() {
            return Err("servers: name one server at least, as host:port".into());
        }
        for (place, server) in self.servers.iter().enumerate() {
            if self.servers.iter().take(place).any(|it| it == server) {
                return Err(format!("servers: {} is listed twice", server.as_str()));
            }
        }
        let is_https = match (&self.https.certificate, &self.https.private_key) {
            (Some(_), Some(_)) => true,
            (None, None) => false,
            _ => return Err("https: set both certificate and private_key, or neither".into()),
        };
        if !is_https && !self.listen.0.ip().is_loopback() {
            return Err(format!(
                "listen: {} is no loopback address, and passwords would go over the network in \
                 clear; set https.certificate and https.private_key",
                self.listen
            ));
        }
        Ok(())
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
pub const KEYS: &[Key] = &[
    Key::text(
        "listen",
        "ADDRESS",
        "127.0.0.1:8000",
        "Where the page is served. Another than a loopback address needs https.certificate.",
    ),
    Key::list(
        "servers",
        "ADDRESSES",
        "",
        "The servers of the fleet, each by its own address for the control API, host:port: all that share a store.",
    ),
    Key::text(
        "tls.certificate",
        "FILE",
        "",
        "The certificate shown to servers, PEM, of the role admin: pgseal-keymaker cert admin. Read again on SIGHUP, as its key and the CA are.",
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
    Key::text(
        "https.certificate",
        "FILE",
        "none: in clear",
        "The certificate shown to browsers, PEM, with those between it and a CA that they trust. Read again on SIGHUP, as its key is.",
    ),
    Key::text(
        "https.private_key",
        "FILE",
        "none",
        "Its private key, PEM, mode 0600.",
    ),
    Key::text(
        "users_file",
        "FILE",
        "/var/lib/pgseal-webconfig/users",
        "Who may sign in, written by pgseal-webconfig user, mode 0600. A change holds at once.",
    ),
    Key::text(
        "session_timeout",
        "PERIOD",
        "30m",
        "How long somebody stays signed in who asks for no page. A page that shows itself anew does not count.",
    ),
    Key::text(
        "session_lifetime",
        "PERIOD",
        "12h",
        "How long somebody stays signed in at most.",
    ),
    Key::text(
        "answer_timeout",
        "PERIOD",
        "3s",
        "How long a server may take to answer.",
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

    fn read(lines: &str) -> Config {
        let tls = "[tls]\ncertificate = 'c'\nprivate_key = 'k'\nca = 'a'";
        toml::from_str(&format!("{lines}\n{tls}")).unwrap()
    }

    #[test]
    fn the_table_of_keys_and_the_configuration_agree() {
        let defaults = serde_json::to_value(read("servers = ['s:1']")).unwrap();
        assert_eq!(daemon::differences(KEYS, &defaults), Vec::<String>::new());
    }

    #[test]
    fn beyond_this_host_the_page_is_not_served_in_clear() {
        let https = "https = { certificate = 'c', private_key = 'k' }";
        for (lines, why) in [
            ("servers = ['s:1']", ""),
            ("servers = ['s:1']\nlisten = '[::1]:80'", ""),
            (
                "servers = ['s:1']\nlisten = '0.0.0.0:8000'",
                "no loopback address",
            ),
            (
                "servers = ['s:1']\nhttps = { certificate = 'c' }",
                "set both",
            ),
            ("servers = []", "one server at least"),
            ("servers = ['s:1', 't:1', 's:1']", "s:1 is listed twice"),
        ] {
            let said = read(lines).check().err().unwrap_or_default();
            assert_eq!(why.is_empty(), said.is_empty(), "{lines}: {said}");
            assert!(said.contains(why), "{lines}: {said}");
        }
        let beyond = format!("servers = ['s:1']\nlisten = '0.0.0.0:8000'\n{https}");
        assert_eq!(read(&beyond).check(), Ok(()));
    }
}
