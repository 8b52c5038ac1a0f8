//! The server's ports: connections are taken, and what they came for is served. What that is, and whose
//! they are, is `peer`'s.

mod peer;
mod proxied;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use daemon::{Connected, Network, OnWake, Place};
use envelope::ClientId;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tracing::Instrument;
use tracing::field::Empty;
use tunnel::{Identity, PeerCertificate, Serial};
use wire::startup::Packet;

use self::peer::{Peer, Turned};
use crate::cancel;
use crate::control;
use crate::session::{Ended, Session};
use crate::shared::Shared;

/// How long a session may take to say that its certificate was revoked. With the time that it takes
/// to hear of it, this stays under two seconds.
const FAREWELL: Duration = Duration::from_secs(1);

/// What peers are told apart by while they have not begun what they came for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// Where they come from,
    Network(Network),
    /// and who they are, once their certificate says it.
    Peer(Identity),
}

impl From<Network> for Source {
    fn from(network: Network) -> Self {
        Self::Network(network)
    }
}

/// One of `listen`, the first being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerNumber(pub usize);

/// Where a peer comes from: what a balancer's header says, where one is to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Takes connections until dropped.
pub async fn serve(listener: Arc<TcpListener>, number: ListenerNumber, shared: Arc<Shared>) {
    let places = shared.starting.clone();
    daemon::accept(listener, places, |tcp, peer, place| {
        let announces = proxied::announces(peer, &shared);
        // A balancer is not the peer: who that is comes with the first bytes.
        let span = match announces {
            false => tracing::info_span!("connection", %peer),
            true => tracing::info_span!("connection", through = %peer, peer = Empty),
        };
        let connected = shared.connections.enter();
        let served = serve_one(tcp, (number, announces), (place, connected), shared.clone());
        tokio::spawn(served.instrument(span));
    })
    .await;
}

async fn serve_one(
    tcp: TcpStream,
    (number, announces): (ListenerNumber, bool),
    (place, mut connected): (Place<Source>, Connected),
    shared: Arc<Shared>,
) {
    let received = peer::arrive(tcp, announces, (&place, &mut connected), &shared);
    let peer = tokio::select! {
        peer = received => peer,
        () = place.lost() => {
            shared.metrics.peers_dropped.inc();
            return;
        }
    };
    match peer {
        Ok(Peer::Data(stream, client, serial, startup)) => {
            drop(place);
            // Of its own, so that a connection that has not begun takes no room for it.
            Box::pin(data(*stream, (client, serial), number, &startup, shared)).await;
        }
        Ok(Peer::Cancel(mut stream, client, pid, secret)) => {
            // The session waits for its end, whether or not the peer does.
            let cancelled = tokio::spawn({
                let shared = shared.clone();
                async move { cancel(&client, pid, &secret, &shared).await }.in_current_span()
            });
            tokio::select! {
                _ = cancelled => {}
                () = place.lost() => {
                    shared.metrics.peers_dropped.inc();
                }
            }
            // Closed only now: whoever waits for it knows that the cancel has been delivered.
            if let Err(error) = stream.shutdown().await {
                tracing::debug!(%error, "a cancel request's connection broke off");
            }
        }
        Ok(Peer::Control(stream, peer, address)) => {
            drop(place);
            Box::pin(control(
                *stream,
                (peer, address),
                (number, connected),
                shared,
            ))
            .await;
        }
        Err(Turned::Probe) => {}
        Err(turned @ Turned::TooSlow) => {
            shared.metrics.peers_refused.inc();
            tracing::warn!("{turned}");
        }
        Err(turned) => {
            shared.metrics.peers_refused.inc();
            tracing::warn!(reason = %turned, "a peer was turned away");
        }
    }
}

/// The control API, for as long as its peer may use it.
async fn control(
    stream: TlsStream<TcpStream>,
    (peer, address): (PeerCertificate, PeerAddress),
    (number, connected): (ListenerNumber, Connected),
    shared: Arc<Shared>,
) {
    let place = shared.controlling.enter(peer.identity.clone());
    let revoked = shared.revoked.clone();
    tokio::select! {
        () = control::serve(stream, (peer.identity, address), (number, connected), shared.clone()) => {}
        () = revoked.revoked(&peer.serial) => {
            tracing::info!("the peer's certificate was revoked: its connection is closed");
        }
        () = place.lost() => {
            shared.metrics.peers_dropped.inc();
        }
    }
}

async fn data(
    mut stream: TlsStream<TcpStream>,
    (client, serial): (ClientId, Serial),
    number: ListenerNumber,
    startup: &[u8],
    shared: Arc<Shared>,
) {
    let Ok(Packet::Startup { parameters }) = Packet::parse(startup) else {
        return;
    };
    let session = Session::new(shared.clone(), client, serial, number, parameters);
    shared.metrics.sessions_started.inc();
    let running = shared.sessions.begin();
    let overdue = pin!(overdue(&session));
    let ended = tokio::select! {
        biased;
        ended = session.run(&mut stream, startup) => ended,
        () = OnWake::new(overdue) => {
            // What it has not taken yet is not for it any more.
            if let Err(error) = stream.get_ref().0.set_zero_linger() {
                tracing::debug!(%error, "a connection cannot be reset");
            }
            Err(Ended::Revoked)
        }
    };
    match &ended {
        Ok(()) => tracing::debug!(client = %session.client, "session ended"),
        Err(reason) => tracing::info!(client = %session.client, %reason, "session ended"),
    }
    drop(running);
    // A revoked peer is not waited for.
    if !matches!(ended, Err(Ended::Revoked)) {
        daemon::linger(&mut stream.get_mut().0).await;
    }
}

/// Returns when a session still runs although it was to hear that its certificate is revoked: its
/// application takes nothing, or it waits for something.
async fn overdue(session: &Session) {
    session.shared.revoked.revoked(&session.serial).await;
    tokio::time::sleep(FAREWELL).await;
}

/// Has a cancel request dealt with, here or by the server that has its session.
async fn cancel(client: &ClientId, pid: u32, secret: &[u8], shared: &Shared) {
    if !cancel::deliver(client, pid, secret, shared).await {
        shared.metrics.cancels_unknown.inc();
        shared.peers.cancel(client, pid, secret).await;
    }
}
