//! Who a peer is, by its certificate, and what it came for: TLS, and the first packet in it.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use daemon::{Connected, Place};
use envelope::ClientId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::Span;
use tunnel::{ALPN_HTTP, ALPN_POSTGRESQL, Identity, PeerCertificate, Role, Serial, Standing};
use wire::originate::{Refusal, Severity};
use wire::proxy::{self, ProxyError};
use wire::startup::{self, Packet, StartupError};

use super::{PeerAddress, Source, proxied};
use crate::refusals;
use crate::shared::Shared;

/// First byte of a TLS record that holds a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// How long the first byte may take of whoever has a session to begin, where another process takes what is
/// new: it sends it right after the handshake.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Why a connection came to nothing. Logged once, where it is let go.
#[derive(Debug, thiserror::Error)]
pub enum Turned {
    /// It broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// What it sent is no start-up packet.
    #[error("{0}")]
    Startup(#[from] StartupError),
    /// Its header of the PROXY protocol is none.
    #[error(
        "{0}; proxy_protocol_from demands a right one of this network (HAProxy: send-proxy-v2)"
    )]
    Header(#[from] ProxyError),
    /// It sent one unasked.
    #[error(
        "a header of the PROXY protocol where none belongs; networks that send one are listed in \
         proxy_protocol_from"
    )]
    UnexpectedHeader,
    /// Its certificate says not who it is.
    #[error("{0}")]
    Identity(#[from] tunnel::IdentityError),
    /// It was told this.
    #[error("{}{}", .0.message, .1.as_ref().map(|who| format!(" ({who})")).unwrap_or_default())]
    Refused(Refusal<'static>, Option<Identity>),
    /// It said nothing.
    #[error("a peer took too long to say what it wants")]
    TooSlow,
    /// Closed before it said anything, as health checks and connectors' spare tunnels do: not worth a
    /// line.
    #[error("closed without a word")]
    Probe,
}

/// What a connection turned out to be, once it is encrypted and its peer known.
pub enum Peer {
    /// A data session, with its start-up packet.
    Data(Box<TlsStream<TcpStream>>, ClientId, Serial, BytesMut),
    /// A request to cancel, answered by closing.
    Cancel(Box<TlsStream<TcpStream>>, ClientId, u32, Vec<u8>),
    /// The control API.
    Control(Box<TlsStream<TcpStream>>, PeerCertificate, PeerAddress),
}

/// Waits for what a peer came for; `announces` says whether it begins with a header of the PROXY protocol.
///
/// # Errors
/// It came for nothing, or is not let in; where there is something to say to it, it was said.
pub async fn arrive(
    tcp: TcpStream,
    announces: bool,
    (place, connected): (&Place<Source>, &mut Connected),
    shared: &Shared,
) -> Result<Peer, Turned> {
    let greeted = greet(tcp, announces, place, shared);
    let greeted = tokio::time::timeout(shared.startup_timeout, greeted);
    let greeted = greeted.await.map_err(|_| Turned::TooSlow)??;
    // A connector's tunnel may be there before there is a session for it.
    let first = tokio::time::timeout(shared.tunnel_timeout, greeted.begins());
    let (greeted, first) = tokio::select! {
        first = first => first.map_err(|_| Turned::Probe)??,
        () = is_spare(connected) => return Err(Turned::Probe),
    };
    let wants = receive(greeted, first, shared);
    let wants = tokio::time::timeout(shared.startup_timeout, wants);
    wants.await.map_err(|_| Turned::TooSlow)?
}

/// Returns when the next session on a tunnel is another process's.
async fn is_spare(connected: &mut Connected) {
    connected.leaving().await;
    tokio::time::sleep(LAST_CALL).await;
}

/// A peer whose certificate is known.
struct Greeted {
    stream: TlsStream<TcpStream>,
    peer: PeerCertificate,
    address: PeerAddress,
    alpn: Option<Vec<u8>>,
}

impl Greeted {
    /// Waits for the first byte of what it wants; an HTTP request is left where it is.
    async fn begins(mut self) -> Result<(Self, Option<u8>), Turned> {
        if self.alpn.as_deref() == Some(ALPN_HTTP) {
            return Ok((self, None));
        }
        let mut first = [0];
        match self.stream.read(&mut first).await {
            Ok(0) => Err(Turned::Probe),
            Err(error) if is_close(&error) => Err(Turned::Probe),
            Err(error) => Err(error.into()),
            Ok(_) => Ok((self, Some(first[0]))),
        }
    }
}

async fn greet(
    mut tcp: TcpStream,
    announces: bool,
    place: &Place<Source>,
    shared: &Shared,
) -> Result<Greeted, Turned> {
    shared.tuning.apply(&tcp)?;
    let mut address = PeerAddress(tcp.peer_addr()?);
    if announces {
        if first_byte(&tcp).await?.is_none() {
            return Err(Turned::Probe);
        }
        if let Some(peer) = proxied::source(&mut tcp).await? {
            Span::current().record("peer", tracing::field::display(peer));
            place.is_held_by(Source::Network(peer.ip().into()));
            address = PeerAddress(peer);
        }
    }
    let direct = match first_byte(&tcp).await? {
        None => return Err(Turned::Probe),
        Some(TLS_HANDSHAKE) => true,
        Some(_) => {
            negotiate(&mut tcp).await?;
            false
        }
    };
    let acceptor = TlsAcceptor::from(shared.tls.config());
    let stream = acceptor.accept(tcp).await?;
    let connection = stream.get_ref().1;
    let alpn = connection.alpn_protocol().map(<[u8]>::to_vec);
    let peer = PeerCertificate::of(connection.peer_certificates())?;
    place.is_held_by(Source::Peer(peer.identity.clone()));
    let is_named = matches!(alpn.as_deref(), Some(ALPN_HTTP | ALPN_POSTGRESQL));
    // PostgreSQL too insists on ALPN where TLS begins unasked.
    if direct && !is_named {
        return Err(Turned::Io(io::Error::other("direct TLS without ALPN")));
    }
    Ok(Greeted {
        stream,
        peer,
        address,
        alpn,
    })
}

/// What a peer came for. The first byte of its packet has been read; there is none of an HTTP request.
async fn receive(greeted: Greeted, first: Option<u8>, shared: &Shared) -> Result<Peer, Turned> {
    let Greeted {
        mut stream,
        peer,
        address,
        ..
    } = greeted;
    let Some(first) = first else {
        return Ok(Peer::Control(Box::new(stream), peer, address));
    };
    let packet = read_packet(&mut [first].chain(&mut stream)).await?;
    let parsed = match Packet::parse(&packet) {
        Ok(parsed) => parsed,
        Err(error) => return Err(unreadable(&mut stream, error).await),
    };
    let admitted = match parsed {
        Packet::Startup { .. } if shared.is_draining() => Err(refusals::DRAINING),
        _ => admit(&peer, shared).await,
    };
    let client = match admitted {
        Ok(client) => client,
        Err(refusal) => return refuse(&mut stream, refusal, Some(peer.identity)).await,
    };
    match parsed {
        Packet::Startup { .. } => Ok(Peer::Data(Box::new(stream), client, peer.serial, packet)),
        Packet::Cancel { pid, secret } => {
            Ok(Peer::Cancel(Box::new(stream), client, pid, secret.to_vec()))
        }
        Packet::Ssl | Packet::GssEnc => {
            refuse(&mut stream, refusals::BAD_STARTUP, Some(peer.identity)).await
        }
    }
}

fn is_close(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

/// The first byte, left where it is; `None` when the peer closed without sending any.
async fn first_byte(tcp: &TcpStream) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match tcp.peek(&mut byte).await {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(byte[0])),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(error),
    }
}

/// The classic way to TLS: the client asks for it in clear, after asking for GSSAPI perhaps.
async fn negotiate(tcp: &mut TcpStream) -> Result<(), Turned> {
    let mut gss_asked = false;
    loop {
        let packet = match read_packet(tcp).await {
            Err(Turned::Startup(StartupError::Length(proxy::AS_STARTUP_LENGTH))) => {
                return Err(Turned::UnexpectedHeader);
            }
            packet => packet?,
        };
        match Packet::parse(&packet) {
            Ok(Packet::Ssl) => {
                tcp.write_all(b"S").await?;
                return Ok(());
            }
            Ok(Packet::GssEnc) if !gss_asked => {
                gss_asked = true;
                tcp.write_all(b"N").await?;
            }
            Ok(Packet::Startup { .. }) => return refuse(tcp, refusals::NOT_ENCRYPTED, None).await,
            // A cancel request never gets an answer.
            Ok(_) => return Err(Turned::Refused(refusals::NOT_ENCRYPTED, None)),
            Err(error) => return Err(unreadable(tcp, error).await),
        }
    }
}

/// Reads one start-up packet, and not a byte more.
async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> Result<BytesMut, Turned> {
    let mut packet = BytesMut::zeroed(4);
    stream.read_exact(&mut packet).await?;
    let length = startup::packet_length(&packet)?.unwrap_or_default();
    packet.resize(length, 0);
    stream
        .read_exact(packet.get_mut(4..).unwrap_or_default())
        .await?;
    Ok(packet)
}

/// Says in PostgreSQL's own way that a start-up packet is none; the peer is turned away even if it
/// is gone already.
async fn unreadable(stream: &mut (impl AsyncWrite + Unpin), error: StartupError) -> Turned {
    let text = error.to_string();
    let refusal = match error {
        StartupError::Protocol { .. } => Refusal {
            severity: Severity::Fatal,
            code: "0A000",
            message: &text,
            hint: None,
        },
        StartupError::Length(_) | StartupError::Malformed(_) => refusals::BAD_STARTUP,
    };
    match stream.write_all(&refusal.to_message()).await {
        Ok(()) => error.into(),
        Err(gone) => gone.into(),
    }
}

async fn refuse<T>(
    stream: &mut (impl AsyncWrite + Unpin),
    refusal: Refusal<'static>,
    identity: Option<Identity>,
) -> Result<T, Turned> {
    stream.write_all(&refusal.to_message()).await?;
    stream.shutdown().await?;
    Err(Turned::Refused(refusal, identity))
}

/// Only a client opens data sessions, only one that the store knows, and only while it is known who
/// is revoked.
async fn admit(peer: &PeerCertificate, shared: &Shared) -> Result<ClientId, Refusal<'static>> {
    let identity = &peer.identity;
    // The handshake has looked, but that may be a while ago.
    if shared.revoked.contains(&peer.serial) {
        return Err(refusals::REVOKED);
    }
    if shared.revoked.standing(Instant::now()) != Standing::Fresh {
        return Err(refusals::REVOCATIONS_UNKNOWN);
    }
    if shared.settings.unknown() {
        return Err(refusals::SETTINGS_UNKNOWN);
    }
    if identity.role != Role::Client {
        return Err(refusals::NOT_A_CLIENT);
    }
    let client: ClientId = identity.id.parse().map_err(|_| refusals::NOT_A_CLIENT)?;
    if shared.keys.contact.is_stale(Instant::now()) {
        return Err(refusals::NO_STORE);
    }
    match shared.keys.knows(&client).await {
        Ok(true) => Ok(client),
        Ok(false) => Err(refusals::UNKNOWN_CLIENT),
        Err(error) => {
            tracing::error!(%error, "the store cannot be read");
            Err(refusals::NO_STORE)
        }
    }
}
