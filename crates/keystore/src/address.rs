//! Where a store is: a file, or a prefix in etcd.
//!
//! How etcd is reached, and who asks, is in `etcd/settings`.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the address of a store in etcd begins with.
const ETCD: &str = "etcd://";
/// etcd's port for clients, unless an address names one.
const ETCD_PORT: u16 = 2379;
/// The most members an address names; etcd's own advice is seven.
const MAX_ENDPOINTS: usize = 16;
/// The longest prefix in etcd, in bytes.
const MAX_PREFIX: usize = 200;

/// Where a store is: `PATH`, or `etcd://HOST[:PORT][,HOST[:PORT]…]/PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StoreAddress {
    /// One SQLite file.
    File(PathBuf),
    /// Keys under a prefix in etcd.
    Etcd(EtcdAddress),
}

/// Members of an etcd cluster, and the prefix of a store in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdAddress {
    /// Never empty.
    endpoints: Vec<Endpoint>,
    /// Begins and ends with `/`.
    prefix: String,
}

/// One member of an etcd cluster, where it serves clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// A text that is no address of a store.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither a path nor `etcd://…`.
    #[error("a store is a file, or etcd://HOST:PORT,…/PREFIX, and not '{0}'")]
    UnknownKind(String),
    /// An endpoint that is none.
    #[error("'{0}' is not HOST or HOST:PORT (an IPv6 address goes in brackets)")]
    Endpoint(String),
    /// More endpoints than a cluster has members.
    #[error("at most {MAX_ENDPOINTS} endpoints of etcd can be named")]
    TooManyEndpoints,
    /// No prefix, or one that is not plain.
    #[error(
        "'{0}' is not a prefix in etcd: after the endpoints stand parts of `A-Z a-z 0-9 _ . -`, a `/` before each, such as /pgseal"
    )]
    Prefix(String),
}

impl StoreAddress {
    /// The store's place as errors show it.
    pub fn place(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Etcd(address) => address.to_string().into(),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Etcd(_) => None,
        }
    }
}

impl EtcdAddress {
    /// The members that are named, in that order.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// What all keys of the store begin with: `/` at both ends.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Endpoint {
    /// Whether what is sent there stays on this host.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            // RFC 6761, section 6.3.
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl From<PathBuf> for StoreAddress {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl FromStr for StoreAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix(ETCD) {
            Some(rest) => rest.parse().map(Self::Etcd),
            // Somebody's idea of another engine would become the name of a new file.
            None if text.is_empty() || text.contains("://") => {
                Err(AddressError::UnknownKind(text.into()))
            }
            None => Ok(Self::File(text.into())),
        }
    }
}

impl TryFrom<String> for StoreAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<OsString> for StoreAddress {
    type Error = AddressError;

    /// A name that is no UTF-8 is a file's.
    fn try_from(text: OsString) -> Result<Self, AddressError> {
        match text.into_string() {
            Ok(text) => text.parse(),
            Err(name) => Ok(Self::File(name.into())),
        }
    }
}

impl From<StoreAddress> for String {
    fn from(address: StoreAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Etcd(address) => address.fmt(f),
        }
    }
}

impl FromStr for EtcdAddress {
    type Err = AddressError;

    /// Reads what follows `etcd://`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let slash = text.find('/').unwrap_or(text.len());
        let (hosts, path) = text.split_at(slash);
        let endpoints = hosts
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<Endpoint>, _>>()?;
        if endpoints.len() > MAX_ENDPOINTS {
            return Err(AddressError::TooManyEndpoints);
        }
        let plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        let parts = path.strip_prefix('/').unwrap_or_default();
        let parts = parts.strip_suffix('/').unwrap_or(parts);
        if parts.len() > MAX_PREFIX || !parts.split('/').all(plain) {
            return Err(AddressError::Prefix(path.into()));
        }
        Ok(Self {
            endpoints,
            prefix: format!("/{parts}/"),
        })
    }
}

impl fmt::Display for EtcdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(Endpoint::to_string).collect();
        let prefix = self.prefix.trim_end_matches('/');
        write!(f, "{ETCD}{}{prefix}", endpoints.join(","))
    }
}

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Endpoint(text.into());
        let (host, port) = match text.rsplit_once(':') {
            // The colon is one of an address in brackets.
            Some(_) if text.ends_with(']') => (text, ETCD_PORT),
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (text, ETCD_PORT),
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
            None => Some(host).filter(|host| {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
            }),
        };
        Ok(Self {
            host: host.ok_or_else(wrong)?.into(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_from_what_it_is_shown_as() {
        for (text, shown) in [
            ("store.db", "store.db"),
            ("/var/lib/pgseal/store.db", "/var/lib/pgseal/store.db"),
            ("etcd://a/pgseal", "etcd://a:2379/pgseal"),
            ("etcd://a:1,b.c:2/p/q/", "etcd://a:1,b.c:2/p/q"),
            (
                "etcd://[::1],10.0.0.1:7/p",
                "etcd://[::1]:2379,10.0.0.1:7/p",
            ),
        ] {
            let address: StoreAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_neither_a_file_nor_etcds_is_refused() {
        for bad in [
            "",
            "http://a/p",
            "etcd://",
            "etcd:///p",
            "etcd://a",
            "etcd://a/",
            "etcd://a//",
            "etcd://a/p//q",
            "etcd://a/p q",
            "etcd://a,/p",
            "etcd://a:/p",
            "etcd://a:70000/p",
            "etcd://a:1:2/p",
            "etcd://::1/p",
            "etcd://[a]:1/p",
            "etcd://user@a/p",
        ] {
            assert!(bad.parse::<StoreAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_network() {
        for (host, loopback) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("localhost.example", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("[::]", false),
        ] {
            assert_eq!(host.parse::<Endpoint>().unwrap().is_loopback(), loopback);
        }
    }
}
