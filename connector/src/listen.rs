//! Where applications reach the connector, by TCP or by unix socket, and who it is that comes.
//!
//! What an operator writes of it is `address`'s. The file of a unix socket is `socket`'s; whether who comes may stay is decided by `users`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use daemon::{Failure, Incoming, Listens, Network, SocketFile, Sockets};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::address::Address;
use crate::socket::Socket;

/// A place where applications connect. A socket's file goes away with it.
pub enum Listener {
    /// By TCP.
    Tcp(Arc<TcpListener>),
    /// By unix socket.
    Socket(Socket),
}

impl Listener {
    /// Listens at an address, which `key` of the configuration names: on the socket that the program was
    /// given, or on a new one.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn bind(
        key: &str,
        address: &Address,
        sockets: &Sockets,
    ) -> Result<Arc<Self>, Failure> {
        let path = match address {
            Address::Tcp(address) => {
                let listener = sockets.tcp(key, *address).await?;
                return Ok(Arc::new(Self::Tcp(listener)));
            }
            Address::Socket(path) => path,
        };
        let socket = match sockets.unix(path) {
            Ok(Some((listener, file))) => Ok(Socket::given(listener, file)),
            Ok(None) => Socket::bind(path).await,
            Err(error) => Err(error.into()),
        };
        let failed = |error| Failure::Failed(format!("{key}: {address}: {error}"));
        let listener = Arc::new(Self::Socket(socket.map_err(failed)?));
        sockets.note(&listener);
        Ok(listener)
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

impl Listens for Listener {
    fn socket(&self) -> BorrowedFd<'_> {
        Incoming::socket(self)
    }

    fn file(&self) -> Option<&SocketFile> {
        match self {
            Self::Tcp(_) => None,
            Self::Socket(socket) => socket.file(),
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
