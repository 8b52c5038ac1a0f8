//! Where applications reach the connector, by TCP or by unix socket, and who it is that comes.
//!
//! The file of a unix socket is `socket`'s; whether who comes may stay is decided by `users`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use daemon::{Incoming, Network};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::socket::{self, Socket};

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

/// `listen` and `api_listen`: one address, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(pub Vec<Address>);

impl Addresses {
    /// Those by TCP, where nothing says which user of a host connects.
    pub fn tcp(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().filter_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Socket(_) => None,
        })
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// As it is written: a single one without a list around it.
impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = Addresses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address to listen on, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Addresses, E> {
        let address = Address::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(Addresses(vec![address]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
        let mut addresses = Vec::new();
        while let Some(address) = list.next_element()? {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(A::Error::custom(
                "the list is empty; name one address at least",
            ));
        }
        Ok(Addresses(addresses))
    }
}

/// A place where applications connect. A socket's file goes away with it.
pub enum Listener {
    /// By TCP.
    Tcp(TcpListener),
    /// By unix socket.
    Socket(Socket),
}

impl Listener {
    /// Listens there.
    ///
    /// # Errors
    /// In a line: what stands in the way.
    pub async fn bind(address: &Address) -> Result<Self, String> {
        match address {
            Address::Tcp(address) => TcpListener::bind(address)
                .await
                .map(Self::Tcp)
                .map_err(|cause| cause.to_string()),
            Address::Socket(path) => Socket::bind(path)
                .await
                .map(Self::Socket)
                .map_err(|error| error.to_string()),
        }
    }
}

impl Incoming for Listener {
    type Stream = Stream;
    type Peer = Peer;
    type Source = Source;

    async fn next(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::Address(address)))
            }
            Self::Socket(socket) => {
                let stream = socket.accept().await?;
                // As the kernel has noted at the peer's connect; nothing that the peer says.
                let credentials = stream.peer_cred()?;
                let peer = Peer::User {
                    uid: credentials.uid(),
                    pid: credentials.pid(),
                };
                Ok((Stream::Socket(stream), peer))
            }
        }
    }

    fn source(peer: &Peer) -> Source {
        match peer {
            Peer::Address(address) => Source::Network(address.ip().into()),
            Peer::User { uid, .. } => Source::User(*uid),
        }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Socket(socket) => socket.as_fd(),
        }
    }
}

/// What applications are told apart by while they have not begun a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// By TCP: where they come from.
    Network(Network),
    /// By unix socket: the user's id.
    User(u32),
}

/// Who an application is, as far as its connection shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// By TCP: where from.
    Address(SocketAddr),
    /// By unix socket: a user of this host.
    User {
        /// The user's id.
        uid: u32,
        /// The process, where this one's namespace knows it.
        pid: Option<i32>,
    },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::User { uid, pid: None } => write!(f, "uid {uid}"),
            Self::User {
                uid,
                pid: Some(pid),
            } => write!(f, "uid {uid} pid {pid}"),
        }
    }
}

/// An application's connection.
pub enum Stream {
    /// By TCP.
    Tcp(TcpStream),
    /// By unix socket.
    Socket(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Socket(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Socket(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Socket(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Socket(stream) => Pin::new(stream).poll_shutdown(context),
        }
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
            let read: Addresses = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        let both: Addresses = serde_json::from_str(r#"["/a", "127.0.0.1:1"]"#).unwrap();
        assert_eq!(both.to_string(), "/a, 127.0.0.1:1");
        assert_eq!(both.tcp().collect::<Vec<_>>(), [([127, 0, 0, 1], 1).into()]);
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
        let none = serde_json::from_str::<Addresses>("[]").unwrap_err();
        assert!(none.to_string().contains("the list is empty"), "{none}");
        let number = serde_json::from_str::<Addresses>("7").unwrap_err();
        assert!(number.to_string().contains("or a list"), "{number}");
    }
}
