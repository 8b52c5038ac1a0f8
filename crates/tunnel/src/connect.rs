//! Opening a tunnel: TCP, then TLS from the first byte.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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

/// Connects to `address` (`host:port`) and completes the handshake within `limit`.
///
/// In TLS 1.3 the client is done before the server has looked at its certificate: a server that
/// refuses it says so only in the first read.
///
/// # Errors
/// Whatever stands in the way; see [`ConnectError`].
pub async fn connect(
    address: &str,
    config: Arc<ClientConfig>,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let timeout = || ConnectError::Timeout {
        address: address.to_owned(),
        limit,
    };
    tokio::time::timeout(limit, handshake(address, config))
        .await
        .map_err(|_| timeout())?
}

async fn handshake(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let unreachable = |cause| ConnectError::Unreachable {
        address: address.to_owned(),
        cause,
    };
    let no_address = || ConnectError::Address(address.to_owned());
    let (host, _port) = address.rsplit_once(':').ok_or_else(no_address)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| no_address())?;
    let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
    crate::tune(&tcp).map_err(unreachable)?;
    TlsConnector::from(config)
        .connect(name, tcp)
        .await
        .map_err(|cause| ConnectError::Handshake {
            address: address.to_owned(),
            cause,
        })
}
