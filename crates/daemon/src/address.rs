//! Addresses as configurations name them.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

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

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        let is_odd = |c: char| ":[]".contains(c) || c.is_whitespace() || c.is_control();
        let is_host = match host.starts_with('[') {
            true => text.parse::<SocketAddrV6>().is_ok(),
            false => !host.is_empty() && !host.contains(is_odd),
        };
        if is_host && port.parse::<u16>().is_ok_and(|port| port > 0) {
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

/// A range of addresses that begin alike: `10.0.0.0/24`, `2001:db8::/32`, or one address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    first: IpAddr,
    /// How many of its bits all addresses share.
    bits: u32,
}

impl Subnet {
    /// Whether an address is one of them. An IPv4 address that came by IPv6 is an IPv4 address.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let rest = first.to_bits() ^ address.to_bits();
                rest.leading_zeros() >= self.bits
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let rest = first.to_bits() ^ address.to_bits();
                rest.leading_zeros() >= self.bits
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Bits of its first address behind those that all share: there are none in a range.
    fn has_more_bits(self) -> bool {
        match self.first {
            IpAddr::V4(first) => first.to_bits().checked_shl(self.bits).unwrap_or(0) != 0,
            IpAddr::V6(first) => first.to_bits().checked_shl(self.bits).unwrap_or(0) != 0,
        }
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = || {
            format!("`{text}` is no network; write it like 10.0.0.5, 10.0.0.0/24 or 2001:db8::/32")
        };
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first, Some(bits)),
            None => (text.as_str(), None),
        };
        let first: IpAddr = first.parse().map_err(|_| wrong())?;
        // Those addresses are looked for as what they are, so such a network would hold none.
        if first.to_canonical() != first {
            return Err(format!(
                "`{text}` is an IPv4 network; write it as one, like 10.0.0.0/24"
            ));
        }
        let all = match first {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let bits = match bits.map(str::parse) {
            None => all,
            Some(Ok(bits)) if bits <= all => bits,
            Some(_) => return Err(wrong()),
        };
        let subnet = Self { first, bits };
        match subnet.has_more_bits() {
            false => Ok(subnet),
            true => Err(format!(
                "`{text}` names an address and the size of a network: write {first} for the one, or \
                 the network's first address before /{bits}"
            )),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
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
            ("[fe80::1%3]:5432", true),
            ("[::1:5432", false),
            ("[[::1]]:5432", false),
            ("[db]:5432", false),
            ("a]:5432", false),
            ("a b:5432", false),
            ("a\n:5432", false),
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

    fn subnet(text: &str) -> Result<Subnet, String> {
        Subnet::try_from(text.to_owned())
    }

    #[test]
    fn a_network_contains_the_addresses_that_begin_like_it() {
        for (network, address, inside) in [
            ("10.0.0.5", "10.0.0.5", true),
            ("10.0.0.5", "10.0.0.4", false),
            ("10.0.0.5/32", "::ffff:10.0.0.5", true),
            ("10.0.0.0/23", "10.0.1.255", true),
            ("10.0.0.0/23", "10.0.2.0", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1", "::1", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.5", false),
        ] {
            let contains = subnet(network).unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, inside, "{network}: {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_an_example() {
        for text in [
            "",
            "db.internal",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "::/-1",
        ] {
            let error = subnet(text).unwrap_err();
            assert!(error.contains("write it like 10.0.0.5,"), "{error}");
        }
        let error = subnet("::ffff:10.0.0.0/120").unwrap_err();
        assert!(
            error.contains("write it as one, like 10.0.0.0/24"),
            "{error}"
        );
        let error = subnet("10.0.0.5/24").unwrap_err();
        assert!(error.contains("write 10.0.0.5 for the one"), "{error}");
        assert_eq!(String::from(subnet("::1").unwrap()), "::1/128");
    }
}
