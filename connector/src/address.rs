//! The addresses of `listen` and `api_listen`, as an operator writes them. Listening there is
//! `listen`'s.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::socket;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Socket(PathBuf),
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('/') {
            return match text.len() {
                ..=socket::MAX_PATH => Ok(Self::Socket(text.into())),
                length => Err(format!(
                    "`{text}` has {length} bytes, and a socket's path at most {}; choose a shorter one",
                    socket::MAX_PATH
                )),
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "`{text}` is nothing to listen on; write 127.0.0.1:9494, [::1]:9494 or the path of \
                 a unix socket, such as /run/pgseal/.s.PGSQL.5432"
            )
        })
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    /// Its address by TCP, where nothing says which user of a host connects.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Socket(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chooser::settings::{Bind, OneOrSeveral};

    use super::*;

    #[test]
    fn one_address_or_a_list_of_both_kinds_is_read_and_written_as_it_was() {
        for text in [
            r#""127.0.0.1:9494""#,
            r#""/run/pgseal/.s.PGSQL.5432""#,
            r#"["/run/pgseal/.s.PGSQL.5432","[::1]:9494"]"#,
        ] {
            let read: OneOrSeveral<Address> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        let both: OneOrSeveral<Address> = serde_json::from_str(r#"["/a", "127.0.0.1:1"]"#).unwrap();
        assert_eq!(both.to_string(), "/a, 127.0.0.1:1");
        assert_eq!(
            both.0.iter().filter_map(Address::tcp).collect::<Vec<_>>(),
            [([127, 0, 0, 1], 1).into()]
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_write() {
        let long = format!("/{}", "a".repeat(socket::MAX_PATH));
        for (text, why) in [
            ("localhost:9494", "write 127.0.0.1:9494"),
            ("9494", "write 127.0.0.1:9494"),
            ("run/pgseal/socket", "the path of a unix socket"),
            ("@abstract", "the path of a unix socket"),
            ("", "nothing to listen on"),
            (&long, "choose a shorter one"),
        ] {
            let error = Address::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let none = serde_json::from_str::<OneOrSeveral<Address>>("[]").unwrap_err();
        assert!(none.to_string().contains("the list is empty"), "{none}");
        let number = serde_json::from_str::<OneOrSeveral<Address>>("7").unwrap_err();
        assert!(number.to_string().contains("or a list"), "{number}");
    }

    #[test]
    fn what_sessions_need_is_said_behind_the_address() {
        let text = r#"["/run/a target=primary","[::1]:2 target=replica fallback_to_primary"]"#;
        let read: OneOrSeveral<Bind<Address>> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for (text, why) in [
            (
                "127.0.0.1:1 targets=any",
                "`127.0.0.1:1`: `targets` is none of target=",
            ),
            (
                "127.0.0.1:1 target=some",
                "`127.0.0.1:1`: target: `some` is none of any",
            ),
            ("127.0.0.1 target=any", "write 127.0.0.1:9494"),
        ] {
            let error = Bind::<Address>::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
