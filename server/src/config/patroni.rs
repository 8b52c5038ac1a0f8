//! Where Patroni's REST API is.

use std::fmt;

use daemon::HostPort;
use serde::{Deserialize, Serialize};

/// The port that Patroni's documentation has.
const PORT: u16 = 8008;

/// `http://HOST:PORT` or `https://HOST:PORT`, and nothing behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatroniAddress {
    /// Whether it is asked over TLS.
    pub is_tls: bool,
    /// Where to connect to.
    pub at: HostPort,
}

impl TryFrom<String> for PatroniAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = || {
            format!(
                "`{text}` is no address of Patroni's REST API; write it like http://db-1:{PORT}"
            )
        };
        let (is_tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The rest goes into a header as it is. What else a URL may have would be passed over.
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if !rest.bytes().all(is_host) {
            return Err(wrong());
        }
        let at = HostPort::try_from(rest.to_owned())
            .or_else(|_| HostPort::try_from(format!("{rest}:{PORT}")));
        let at = at.map_err(|_| wrong())?;
        Ok(Self { is_tls, at })
    }
}

impl From<PatroniAddress> for String {
    fn from(address: PatroniAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for PatroniAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.at.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        PatroniAddress::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port_that_may_be_left_out() {
        for (text, read_as) in [
            ("http://db-1:8008", "http://db-1:8008"),
            ("http://db-1", "http://db-1:8008"),
            ("https://db-1.example/", "https://db-1.example:8008"),
            ("https://[::1]", "https://[::1]:8008"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(read_as), "{text}");
        }
    }

    #[test]
    fn what_would_be_passed_over_is_refused() {
        for text in [
            "",
            "db-1:8008",
            "http://",
            "http://:8008",
            "http://db-1:0",
            "http://db-1:8008/patroni",
            "http://db-1:8008//",
            "http://user:password@db-1:8008",
            "http://db-1:8008?x",
            "http://db 1:8008",
            "http://db-1\r\nX: y",
            "HTTP://db-1:8008",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.contains("write it like http://db-1:8008"),
                "{text}: {error}"
            );
        }
    }
}
