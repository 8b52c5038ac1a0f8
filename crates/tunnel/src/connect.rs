//! Opening a tunnel: TCP, then TLS from the first byte.

use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{ClientTls, PeerCertificate, Tuning};

/// What goes through a tunnel.
pub type TunnelStream = TlsStream<TcpStream>;

/// A tunnel that has been opened.
#[derive(Debug)]
pub struct Tunnel {
    /// What goes through it.
    pub stream: TunnelStream,
    /// Who answers at its other end.
    pub server: PeerCertificate,
}

/// Why a tunnel could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("{address} cannot be reached: {cause}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The peer is not who it should be, does not accept us, or speaks no TLS.
    #[error("no tunnel to {address}: {cause}")]
    Handshake {
        /// Where.
        address: String,
        /// What TLS said.
        cause: std::io::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {} ms", limit.as_millis())]
    Timeout {
        /// Where.
        address: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The address has no host.
    #[error("`{0}` is no address; write host:port")]
    Address(String),
}

/// Connects to `address` (`host:port`) with the set-up of this moment, asks for what `alpn` names,
/// and completes the handshake within `limit`. `tuning` is TCP's.
///
/// In TLS 1.3 the client is done before the server has looked at its certificate: a server that
/// refuses it says so only in the first read.
///
/// # Errors
/// Whatever stands in the way; see [`ConnectError`].
pub async fn connect(
    address: &str,
    tls: &ClientTls,
    alpn: &[u8],
    limit: Duration,
    tuning: Tuning,
) -> Result<Tunnel, ConnectError> {
    let timeout = || ConnectError::Timeout {
        address: address.to_owned(),
        limit,
    };
    tokio::time::timeout(limit, handshake(address, tls, alpn, tuning))
        .await
        .map_err(|_| timeout())?
}

async fn handshake(
    address: &str,
    tls: &ClientTls,
    alpn: &[u8],
    tuning: Tuning,
) -> Result<Tunnel, ConnectError> {
    let unreachable = |cause| ConnectError::Unreachable {
        address: address.to_owned(),
        cause,
    };
    let no_address = || ConnectError::Address(address.to_owned());
    let (host, _port) = address.rsplit_once(':').ok_or_else(no_address)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| no_address())?;
    let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
    tuning.apply(&tcp).map_err(unreachable)?;
    let failed = |cause| ConnectError::Handshake {
        address: address.to_owned(),
        cause,
    };
    let stream = TlsConnector::from(tls.config())
        .with_alpn(vec![alpn.to_vec()])
        .connect(name, tcp)
        .await
        .map_err(failed)?;
    let server = PeerCertificate::of(stream.get_ref().1.peer_certificates())
        .map_err(|cause| failed(std::io::Error::other(cause)))?;
    Ok(Tunnel { stream, server })
}
