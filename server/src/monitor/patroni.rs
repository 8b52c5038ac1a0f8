//! Patroni asked in the database's place: `GET /patroni` of its REST API, which needs no login. What the
//! answer says is `patroni/status`'s.

pub(crate) mod fuzzing;
mod moment;
mod status;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tunnel::{MaterialFile, Trust};

use super::question::Answer;
use crate::config::PatroniAddress;
use crate::database::{Stream, refused};

/// Longest answer that is read, in bytes, and longest head of one: a cluster's many replicas stand in it.
const MAX_ANSWER: usize = 64 << 10;

/// The key of the CAs that Patroni is checked against.
const CA: &str = "database.monitor.patroni_ca";

/// The Patroni of one database.
pub struct Patroni {
    address: PatroniAddress,
    tls: Option<Tls>,
}

struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// A connection to it. Patroni 3.0 ends it behind each answer: then the next question fails at once, and
/// takes another.
pub struct Connection {
    address: PatroniAddress,
    sender: SendRequest<Empty<Bytes>>,
    /// Has the connection make progress, until dropped.
    _driven: JoinSet<()>,
}

/// Patroni gave no answer that says how the database stands.
#[derive(Debug, thiserror::Error)]
#[error("Patroni at {address} {what}")]
pub struct PatroniError {
    /// Where it is.
    address: PatroniAddress,
    /// What was wrong.
    what: What,
}

/// What was wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum What {
    /// Nobody takes the connection.
    #[error("cannot be reached: {0}")]
    NotReached(io::Error),
    /// It took too long.
    #[error("gave no answer within {} ms (monitor_timeout)", .0.as_millis())]
    Silent(Duration),
    /// It is not who it should be.
    #[error("is not used: {0}")]
    Certificate(String),
    /// The conversation broke off.
    #[error("broke off: {0}")]
    BrokeOff(hyper::Error),
    /// It answers something else.
    #[error("answered with status {0}")]
    Status(StatusCode),
    /// The database does not serve, or is about to.
    #[error("says that the database is {0}")]
    NotRunning(String),
    /// What it sends is not what Patroni would.
    #[error("does not answer as Patroni does; is the address right?")]
    Garbled,
}

impl Patroni {
    /// Who is to be asked at this address, checked against these CAs.
    ///
    /// # Errors
    /// In a line: one needs the other, or the file cannot be used.
    pub fn new(
        address: Option<&PatroniAddress>,
        ca: Option<&Path>,
    ) -> Result<Option<Self>, String> {
        let Some(address) = address.cloned() else {
            return match ca {
                Some(_) => Err(format!(
                    "{CA} is set, and no Patroni is asked; leave it out"
                )),
                None => Ok(None),
            };
        };
        let tls = match (address.is_tls, ca) {
            (true, Some(ca)) => Some(Tls::new(&address, ca)?),
            (false, None) => None,
            (true, None) => {
                return Err(format!(
                    "`{CA}` is not set, and the certificate of {address} is checked against it"
                ));
            }
            (false, Some(_)) => {
                return Err(format!(
                    "{CA} is set, and {address} is asked in clear; write https, or leave it out"
                ));
            }
        };
        Ok(Some(Self { address, tls }))
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &PatroniAddress {
        &self.address
    }

    /// That it gave no answer for so long.
    #[must_use]
    pub fn silent(&self, limit: Duration) -> PatroniError {
        What::Silent(limit).of(&self.address)
    }

    /// Connects.
    ///
    /// # Errors
    /// It is not reached, or not who it should be.
    pub async fn connect(&self) -> Result<Connection, PatroniError> {
        self.open().await.map_err(|what| what.of(&self.address))
    }

    async fn open(&self) -> Result<Connection, What> {
        let stream = TcpStream::connect(self.address.at.as_str()).await;
        let stream = stream.map_err(What::NotReached)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.encrypt(stream).await?),
        };
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_ANSWER)
            .handshake(TokioIo::new(stream))
            .await?;
        let mut driven = JoinSet::new();
        // How it ended shows to whoever asks.
        driven.spawn(async move { drop(connection.await) });
        Ok(Connection {
            address: self.address.clone(),
            sender,
            _driven: driven,
        })
    }
}

impl Tls {
    fn new(address: &PatroniAddress, ca: &Path) -> Result<Self, String> {
        let ca = MaterialFile {
            key: CA,
            path: ca.to_owned(),
        };
        let config = tunnel::database_config(Trust::CaAndName(ca), None);
        let host = address.at.host().to_owned();
        Ok(Self {
            config: config.map_err(|error| error.to_string())?,
            name: ServerName::try_from(host)
                .map_err(|_| format!("{address}: a certificate cannot be for this name"))?,
        })
    }

    async fn encrypt(&self, stream: TcpStream) -> Result<impl Stream + use<>, What> {
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.connect(self.name.clone(), stream).await;
        stream.map_err(|cause| match refused(&cause, &self.name, CA) {
            Some(why) => What::Certificate(why),
            None => What::NotReached(cause),
        })
    }
}

impl Connection {
    /// Asks how the database stands.
    ///
    /// # Errors
    /// There is no answer, or none that says so.
    pub async fn ask(&mut self) -> Result<Answer, PatroniError> {
        self.exchange().await.map_err(|what| what.of(&self.address))
    }

    async fn exchange(&mut self) -> Result<Answer, What> {
        let request = Request::get("/patroni")
            .header(header::HOST, self.address.at.as_str())
            .header(header::USER_AGENT, "pgseal-monitor")
            .body(Empty::new())
            .expect("a host of these characters can stand in a header");
        let response = self.sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(What::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let body = body
            .await
            .map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(cause) => What::from(*cause),
                // It is too long.
                Err(_) => What::Garbled,
            })?;
        status::parse(&body.to_bytes(), SystemTime::now())
    }
}

impl PatroniError {
    /// Whether nothing was heard for as long as is waited.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self.what, What::Silent(_))
    }

    /// Whether Patroni or the database is away and may come back by itself.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match &self.what {
            What::NotReached(_) | What::Silent(_) | What::BrokeOff(_) | What::NotRunning(_) => true,
            What::Status(status) => status.is_server_error(),
            What::Certificate(_) | What::Garbled => false,
        }
    }
}

impl What {
    fn of(self, address: &PatroniAddress) -> PatroniError {
        PatroniError {
            address: address.clone(),
            what: self,
        }
    }
}

impl From<hyper::Error> for What {
    fn from(cause: hyper::Error) -> Self {
        match cause.is_parse() {
            true => Self::Garbled,
            false => Self::BrokeOff(cause),
        }
    }
}
