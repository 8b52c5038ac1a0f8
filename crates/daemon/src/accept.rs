//! Taking connections: each gets a place, and a listener that fails for a while says so once.

use std::hash::Hash;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::{Network, Place, Places};

/// The pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);

/// So long without a failure, and all is well again.
const WELL_AGAIN: Duration = Duration::from_secs(5);

/// Where connections come from.
pub trait Incoming: Send + Sync {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Who it is from.
    type Peer: Clone + Send + Sync + 'static;
    /// What peers are told apart by when there are too many of them.
    type Source: Hash + Eq + Clone + Send + 'static;

    /// The next one.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;

    /// Where a peer belongs to.
    fn source(peer: &Self::Peer) -> Self::Source;

    /// The socket that is listened on.
    fn socket(&self) -> BorrowedFd<'_>;
}

impl Incoming for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;
    type Source = Network;

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }

    fn source(peer: &SocketAddr) -> Network {
        peer.ip().into()
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl<I: Incoming> Incoming for Arc<I> {
    type Stream = I::Stream;
    type Peer = I::Peer;
    type Source = I::Source;

    fn next(&self) -> impl Future<Output = io::Result<(I::Stream, I::Peer)>> + Send {
        I::next(self)
    }

    fn source(peer: &I::Peer) -> I::Source {
        I::source(peer)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        I::socket(self)
    }
}

/// Hands every connection on with a place, until dropped.
///
/// Where the process is out of file descriptors, a connection that has not begun is closed for each
/// that cannot be accepted; sessions that end give some back too.
pub async fn accept<I, S>(
    listener: I,
    places: Arc<Places<S>>,
    mut serve: impl FnMut(I::Stream, I::Peer, Place<S>),
) where
    I: Incoming,
    S: From<I::Source> + Hash + Eq + Clone,
{
    let mut failed: Option<Instant> = None;
    loop {
        match listener.next().await {
            Ok((stream, peer)) => {
                if failed.is_some_and(|at| at.elapsed() >= WELL_AGAIN) {
                    failed = None;
                    tracing::info!("all connections are accepted again");
                }
                let place = places.enter(I::source(&peer).into());
                serve(stream, peer, place);
            }
            // Linux asks for a free descriptor before it asks who waits: at the limit, every attempt
            // fails, and a connection would be closed for nobody.
            Err(error) if is_at_the_limit(&error) && !someone_waits(&listener) => {
                tokio::time::sleep(PAUSE).await
            }
            Err(error) => {
                if failed.replace(Instant::now()).is_none() {
                    tracing::error!(%error, "connections cannot be accepted");
                }
                places.give_up();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_at_the_limit(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// Whether a connection waits to be accepted, as far as can be told.
fn someone_waits(listener: &impl Incoming) -> bool {
    let mut sockets = [PollFd::from_borrowed_fd(listener.socket(), PollFlags::IN)];
    poll(&mut sockets, Some(&Timespec::default())) != Ok(0)
}
