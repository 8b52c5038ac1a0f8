//! Reaching the database: TCP or a unix socket, TLS when it leaves the host.

mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tunnel::Tuning;
use wire::originate;

use crate::config::{self, DatabaseAddress, SslMode};

pub use tls::{Tls, refused};

/// A connection to the database, whatever it is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Who may read what is written to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The database: a unix socket, or TLS with a certificate that was verified.
    DatabaseAlone,
    /// Whoever is on the way, or in its place.
    Anybody,
}

/// How to reach the database.
pub struct Database {
    address: DatabaseAddress,
    /// For new connections; none where they are in clear.
    tls: ArcSwapOption<Tls>,
    limit: Duration,
    tuning: Tuning,
    /// When it was last probed, and whether it answered.
    probed: Mutex<Option<(Instant, bool)>>,
}

/// How long the answer to a probe is taken to hold: each costs the database a process.
const PROBE_HOLDS: Duration = Duration::from_secs(1);

/// The same of a probe that failed: the database may be back, and who waits for it should know.
const FAILURE_HOLDS: Duration = Duration::from_millis(100);

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
    #[error("{address} refuses TLS, and database.sslmode is {sslmode}")]
    NoTls {
        /// Where.
        address: DatabaseAddress,
        /// What was asked for.
        sslmode: SslMode,
    },
    /// Its certificate is not what `database.sslmode` asks for.
    #[error("{address} is not used: {why}")]
    Certificate {
        /// Where.
        address: DatabaseAddress,
        /// What is wrong with it.
        why: String,
    },
}

impl Database {
    /// From the configuration.
    ///
    /// # Errors
    /// In a line: why TLS cannot be set up.
    pub fn new(
        config: &config::Database,
        address: &DatabaseAddress,
        tuning: Tuning,
    ) -> Result<Self, String> {
        let tls = Tls::new(config, address)?;
        Ok(Self {
            address: address.clone(),
            tls: ArcSwapOption::from_pointee(tls),
            limit: config.connect_timeout.0,
            tuning,
            probed: Mutex::new(None),
        })
    }

    /// What TLS is to be like under another configuration: its files are read. The address stays.
    ///
    /// # Errors
    /// In a line: why it cannot be set up.
    pub fn prepare(&self, config: &config::Database) -> Result<Option<Tls>, String> {
        Tls::new(config, &self.address)
    }

    /// From now on new connections are made so.
    pub fn apply(&self, tls: Option<Tls>) {
        self.tls.store(tls.map(Arc::new));
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
        self.reach().await.map(|(stream, _)| stream)
    }

    /// [`connect`](Self::connect), and who may read what is written there.
    ///
    /// # Errors
    /// As `connect`'s.
    pub async fn reach(&self) -> Result<(Box<dyn Stream>, Readers), DatabaseError> {
        self.in_time(async {
            let stream = self.dial().await?;
            match self.tls.load_full() {
                None => Ok((stream, self.readers(SslMode::Disable))),
                Some(tls) => {
                    let stream = self.encrypt(stream, &tls).await?;
                    Ok((stream, self.readers(tls.sslmode)))
                }
            }
        })
        .await
    }

    fn readers(&self, mode: SslMode) -> Readers {
        match (&self.address, mode) {
            (DatabaseAddress::Socket(_), _)
            | (DatabaseAddress::Tcp(_), SslMode::VerifyCa | SslMode::VerifyFull) => {
                Readers::DatabaseAlone
            }
            (DatabaseAddress::Tcp(_), SslMode::Disable | SslMode::Require) => Readers::Anybody,
        }
    }

    /// Whether a database answers there as securely as it must, or did up to a second ago. Asks with
    /// SSLRequest, which every PostgreSQL answers with one byte before it looks at anything else.
    pub async fn answers(&self) -> bool {
        let mut probed = self.probed.lock().await;
        if let Some((when, answers)) = *probed {
            let holds = if answers { PROBE_HOLDS } else { FAILURE_HOLDS };
            if when.elapsed() < holds {
                return answers;
            }
        }
        let answers = self.probe().await.is_ok();
        *probed = Some((Instant::now(), answers));
        answers
    }

    /// Asks whether a database answers there as securely as it must.
    ///
    /// # Errors
    /// It does not, or not in time.
    pub async fn probe(&self) -> Result<(), DatabaseError> {
        self.in_time(async {
            let mut stream = self.dial().await?;
            match self.tls.load_full() {
                None => self.ask_for_tls(&mut stream).await.map(drop),
                Some(tls) => self.encrypt(stream, &tls).await.map(drop),
            }
        })
        .await
    }

    /// Sends a CancelRequest and waits until the database has closed the connection: from then on
    /// no later query can be hit. However long that takes: a request that has been sent may still be
    /// read by a database that was slow, or stopped, for longer than any limit.
    ///
    /// # Errors
    /// The database is not reached in time.
    pub async fn cancel(&self, request: &[u8]) -> Result<(), DatabaseError> {
        let mut stream = self.connect().await?;
        stream
            .write_all(request)
            .await
            .map_err(|cause| self.io(cause))?;
        stream.flush().await.map_err(|cause| self.io(cause))?;
        // The database may also reset the connection, which is an end too.
        let mut rest = [0; 64];
        while matches!(stream.read(&mut rest).await, Ok(1..)) {}
        Ok(())
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
                self.tuning.apply(&stream).map_err(|cause| self.io(cause))?;
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
        tls: &Tls,
    ) -> Result<Box<dyn Stream>, DatabaseError> {
        if self.ask_for_tls(&mut stream).await? != b'S' {
            return Err(DatabaseError::NoTls {
                address: self.address.clone(),
                sslmode: tls.sslmode,
            });
        }
        let stream = TlsConnector::from(tls.config.clone()).connect(tls.name.clone(), stream);
        match stream.await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(cause) => Err(match refused(&cause, &tls.name, tls::CA) {
                Some(why) => DatabaseError::Certificate {
                    address: self.address.clone(),
                    why,
                },
                None => self.io(cause),
            }),
        }
    }

    fn io(&self, cause: std::io::Error) -> DatabaseError {
        DatabaseError::Io {
            address: self.address.clone(),
            cause,
        }
    }
}
