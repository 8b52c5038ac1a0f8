//! Addresses as configurations name them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where to listen: an IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(pub SocketAddr);

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "`{text}` is no address to listen on; write it like 127.0.0.1:9393 or [::1]:9393"
            )
        })
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.0.to_string()
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where to connect to: a host's name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort(String);

impl HostPort {
    /// The host, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0
            .rsplit_once(':')
            .map_or("", |(host, _)| host)
            .trim_matches(['[', ']'])
    }

    /// `host:port`, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let fine = !host.is_empty()
            && (bracketed || !host.contains(':'))
            && port.parse::<u16>().is_ok_and(|port| port > 0);
        if fine {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is no host and port; write it like db.internal:5432 or [::1]:5432"
            ))
        }
    }
}

impl From<HostPort> for String {
    fn from(address: HostPort) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_needs_a_port_and_a_port_a_host() {
        for (text, fine) in [
            ("db.internal:5432", true),
            ("127.0.0.1:5432", true),
            ("[::1]:5432", true),
            ("db.internal", false),
            (":5432", false),
            ("db:0", false),
            ("db:99999", false),
            ("::1:5432", false),
            ("", false),
        ] {
            assert_eq!(HostPort::try_from(text.to_owned()).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn an_address_to_listen_on_is_numeric() {
        assert!(Listen::try_from("127.0.0.1:9393".to_owned()).is_ok());
        for text in ["9393", "localhost:9393", "127.0.0.1", ""] {
            let error = Listen::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains("write it like"), "{error}");
        }
    }
}
