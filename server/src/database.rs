//! Reaching the database: TCP or a unix socket, TLS when it leaves the host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use wire::originate;

use crate::config::{self, DatabaseAddress, SslMode};

/// A connection to the database, whatever it is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How to reach the database.
pub struct Database {
    address: DatabaseAddress,
    tls: Option<Arc<ClientConfig>>,
    limit: Duration,
    /// When it was last probed, and whether it answered.
    probed: Mutex<Option<(Instant, bool)>>,
}

/// How long the answer to a probe is taken to hold: each costs the database a process.
const PROBE_HOLDS: Duration = Duration::from_secs(1);

/// Why the database is not reached.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The connection was not made, or broke.
    #[error("{address}: {cause}")]
    Io {
        /// Where.
        address: DatabaseAddress,
        /// What the operating system, or TLS, said.
        cause: std::io::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {} ms", limit.as_millis())]
    Timeout {
        /// Where.
        address: DatabaseAddress,
        /// How long it was given.
        limit: Duration,
    },
    /// It speaks no TLS, and it must.
    #[error("{address} refuses TLS, and database.sslmode is require")]
    NoTls {
        /// Where.
        address: DatabaseAddress,
    },
}

impl Database {
    /// From the configuration.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(config: &config::Database) -> Result<Self, rustls::Error> {
        let tls = match config.sslmode {
            SslMode::Disable => None,
            SslMode::Require => Some(tunnel::unverified_client_config()?),
        };
        Ok(Self {
            address: config.address.clone(),
            tls,
            limit: config.connect_timeout.0,
            probed: Mutex::new(None),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &DatabaseAddress {
        &self.address
    }

    /// A connection on which the start-up packet goes next.
    ///
    /// # Errors
    /// The database is not reached in time, or not as securely as it must be.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, DatabaseError> {
        self.in_time(async {
            let stream = self.dial().await?;
            match &self.tls {
                None => Ok(stream),
                Some(tls) => self.encrypt(stream, tls.clone()).await,
            }
        })
        .await
    }

    /// Whether a database answers there, or did a second ago. Asks with SSLRequest, which every
    /// PostgreSQL answers with one byte before it looks at anything else.
    pub async fn answers(&self) -> bool {
        let mut probed = self.probed.lock().await;
        if let Some((when, answers)) = *probed
            && when.elapsed() < PROBE_HOLDS
        {
            return answers;
        }
        let probe = self.in_time(async {
            let mut stream = self.dial().await?;
            self.ask_for_tls(&mut stream).await.map(|_| ())
        });
        let answers = probe.await.is_ok();
        *probed = Some((Instant::now(), answers));
        answers
    }

    /// Sends a CancelRequest and waits until the database has closed the connection: from then on
    /// no later query can be hit.
    ///
    /// # Errors
    /// The database is not reached in time.
    pub async fn cancel(&self, request: &[u8]) -> Result<(), DatabaseError> {
        let mut stream = self.connect().await?;
        self.in_time(async {
            stream
                .write_all(request)
                .await
                .map_err(|cause| self.io(cause))?;
            stream.flush().await.map_err(|cause| self.io(cause))?;
            // The database may also reset the connection, which is an end too.
            let mut rest = [0; 64];
            while matches!(stream.read(&mut rest).await, Ok(1..)) {}
            Ok(())
        })
        .await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        let timeout = |_| DatabaseError::Timeout {
            address: self.address.clone(),
            limit: self.limit,
        };
        tokio::time::timeout(self.limit, work)
            .await
            .map_err(timeout)?
    }

    async fn dial(&self) -> Result<Box<dyn Stream>, DatabaseError> {
        match &self.address {
            DatabaseAddress::Socket(path) => {
                let stream = UnixStream::connect(path)
                    .await
                    .map_err(|cause| self.io(cause))?;
                Ok(Box::new(stream))
            }
            DatabaseAddress::Tcp(address) => {
                let stream = TcpStream::connect(address.as_str()).await;
                let stream = stream.map_err(|cause| self.io(cause))?;
                tunnel::tune(&stream).map_err(|cause| self.io(cause))?;
                Ok(Box::new(stream))
            }
        }
    }

    async fn ask_for_tls(&self, stream: &mut Box<dyn Stream>) -> Result<u8, DatabaseError> {
        stream
            .write_all(&originate::ssl_request())
            .await
            .map_err(|cause| self.io(cause))?;
        // One byte and no more: what came behind it in clear would count as encrypted.
        stream.read_u8().await.map_err(|cause| self.io(cause))
    }

    async fn encrypt(
        &self,
        mut stream: Box<dyn Stream>,
        tls: Arc<ClientConfig>,
    ) -> Result<Box<dyn Stream>, DatabaseError> {
        if self.ask_for_tls(&mut stream).await? != b'S' {
            return Err(DatabaseError::NoTls {
                address: self.address.clone(),
            });
        }
        let host = match &self.address {
            DatabaseAddress::Tcp(address) => address.host().to_owned(),
            DatabaseAddress::Socket(_) => "localhost".to_owned(),
        };
        // Not verified, so any name that can be sent will do.
        let name = ServerName::try_from(host)
            .or_else(|_| ServerName::try_from("localhost"))
            .map_err(|cause| self.io(std::io::Error::other(cause)))?;
        let stream = TlsConnector::from(tls)
            .connect(name, stream)
            .await
            .map_err(|cause| self.io(cause))?;
        Ok(Box::new(stream))
    }

    fn io(&self, cause: std::io::Error) -> DatabaseError {
        DatabaseError::Io {
            address: self.address.clone(),
            cause,
        }
    }
}
