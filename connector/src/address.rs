//! The addresses of `listen` and `api_listen`, as an operator writes them. Listening there is
//! `listen`'s.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;

use chooser::settings::{Needs, Written};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// An address of `listen`, and what the sessions need that come there: `127.0.0.1:9495 target=replica`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bind {
    /// The address.
    pub address: Address,
    /// What is said of its sessions.
    pub needs: Needs,
}

impl TryFrom<String> for Bind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let written = Written::from(text.as_str());
        let address = Address::try_from(written.name.to_owned())?;
        let mut needs = Needs::default();
        for (word, value) in written.words() {
            let known = needs.take(word, value);
            if !known.map_err(|why| format!("`{}`: {why}", written.name))? {
                return Err(format!(
                    "`{}`: `{word}` is none of target=, policy=, max_lag=, fallback_to_primary, \
                     on_role_change=",
                    written.name
                ));
            }
        }
        Ok(Self { address, needs })
    }
}

impl From<Bind> for String {
    fn from(bind: Bind) -> Self {
        bind.to_string()
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address, self.needs)
    }
}

/// `listen` and `api_listen`: one, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrSeveral<T>(pub Vec<T>);

impl<T: fmt::Display> fmt::Display for OneOrSeveral<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// As it is written: a single one without a list around it.
impl<T: Serialize> Serialize for OneOrSeveral<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de, T: TryFrom<String, Error = String>> Deserialize<'de> for OneOrSeveral<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts(PhantomData))
    }
}

/// A text, or a list of them.
struct Texts<T>(PhantomData<T>);

impl<'de, T: TryFrom<String, Error = String>> Visitor<'de> for Texts<T> {
    type Value = OneOrSeveral<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address to listen on, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrSeveral<T>, E> {
        let one = T::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(OneOrSeveral(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrSeveral<T>, A::Error> {
        let mut several = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            several.push(T::try_from(text).map_err(A::Error::custom)?);
        }
        if several.is_empty() {
            return Err(A::Error::custom(
                "the list is empty; name one address at least",
            ));
        }
        Ok(OneOrSeveral(several))
    }
}

#[cfg(test)]
mod tests {
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
        let read: OneOrSeveral<Bind> = serde_json::from_str(text).unwrap();
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
            let error = Bind::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
