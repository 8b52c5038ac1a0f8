//! Asks a server over its control API. What is asked of clients and zones is in `client/owners`.

mod audit;
mod owners;

mod kept;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tunnel::{ALPN_HTTP, ClientTls, PeerCertificate, Revoked, Tuning};

use self::kept::{Keeping, Kept};

pub use owners::percent_encoded;

use crate::path;
use crate::watch::{Running, Watch};
use crate::{
    CancelOutcome, CancelRequest, Drain, ErrorBody, SessionsView, SettingsChange, SettingsView,
    Standing, Status, USER_HEADER, UserName, Why, WhyAnswer,
};

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;

pub(crate) type Connection = http1::Connection<TokioIo<TlsStream<TcpStream>>, Full<Bytes>>;

/// One server's control API.
#[derive(Clone)]
pub struct Client {
    address: String,
    tls: Arc<ClientTls>,
    limit: Duration,
    /// For whom it asks.
    user: Option<UserName>,
    /// Which program asks.
    program: Option<&'static str>,
    keeping: Option<Arc<Keeping>>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, JSON.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server was not reached, or is not who it should be.
    #[error(transparent)]
    Connect(#[from] tunnel::ConnectError),
    /// It has ended what it told, in good order.
    #[error("{0} tells no more")]
    Over(String),
    /// The conversation broke off.
    #[error("{address} broke off: {cause}")]
    Http {
        /// Where.
        address: String,
        /// What HTTP said.
        cause: hyper::Error,
    },
    /// The answer is too long, or stopped in the middle.
    #[error("{0} sent an answer that cannot be read")]
    Body(String),
    /// The answer is not the one that was asked for.
    #[error("{address} answered with status {status}")]
    Status {
        /// Where.
        address: String,
        /// What it said instead.
        status: StatusCode,
    },
    /// The server refuses what was asked, and says why.
    #[error("{address} refuses: {why}")]
    Refused {
        /// Where.
        address: String,
        /// How: 409 if somebody else was faster, 422 if the server could not run with it.
        status: StatusCode,
        /// Why, in its own words.
        why: String,
    },
    /// It took too long.
    #[error("{address} did not answer within {} ms", limit.as_millis())]
    Timeout {
        /// Where.
        address: String,
        /// How long it was given.
        limit: Duration,
    },
}

impl Client {
    /// A client for the server at `address` (`host:port`). Each request uses the set-up that `tls`
    /// has then; `limit` bounds each, connecting included.
    #[must_use]
    pub fn new(address: String, tls: Arc<ClientTls>, limit: Duration) -> Self {
        Self {
            address,
            tls,
            limit,
            user: None,
            program: None,
            keeping: None,
        }
    }

    /// The same, asking for this user, whom the server's audit log then names. For admins.
    #[must_use]
    pub fn on_behalf_of(&self, user: &UserName) -> Self {
        Self {
            user: Some(user.clone()),
            ..self.clone()
        }
    }

    /// Has it tell servers which program asks, as `name/version`.
    #[must_use]
    pub fn program(mut self, program: &'static str) -> Self {
        self.program = Some(program);
        self
    }

    /// Has it keep a connection from one `GET` to the next, as long as the server's certificate is not
    /// revoked and the set-up is the same. Where that has broken off, it asks again: it is for questions
    /// that change nothing.
    #[must_use]
    pub fn keeping(mut self, revoked: Revoked) -> Self {
        self.keeping = Some(Arc::new(Keeping::new(revoked)));
        self
    }

    /// Sends one request, on a connection of its own unless one is kept. `path` begins with a slash.
    ///
    /// # Errors
    /// There is no answer; one with an error status is an answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        self.in_time(self.exchange(method, path, body)).await
    }

    /// How the server is.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn status(&self) -> Result<Status, ClientError> {
        let answer = self.send(Method::GET, path::STATUS, Bytes::new()).await?;
        self.understood(answer)
    }

    /// Has the server take no new sessions, or take them again. Answers how it stands then. For
    /// admins.
    ///
    /// # Errors
    /// There is no answer, or the server refuses.
    pub async fn drain(&self, draining: bool) -> Result<Standing, ClientError> {
        let body = serde_json::to_vec(&Drain { draining }).expect("a truth value can be written");
        let answer = self.send(Method::POST, path::DRAIN, body.into()).await?;
        self.understood(answer)
    }

    /// The settings as they hold at the server.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn settings(&self) -> Result<SettingsView, ClientError> {
        let answer = self.send(Method::GET, path::SETTINGS, Bytes::new()).await?;
        self.understood(answer)
    }

    /// Changes settings of all servers that share the server's store, or asks whether that could be
    /// done. Answers the settings as they are at the server then, or would be.
    ///
    /// # Errors
    /// There is no answer, and it may have been done; or the server refuses, and it was not.
    pub async fn change_settings(
        &self,
        change: &SettingsChange,
    ) -> Result<SettingsView, ClientError> {
        let body = serde_json::to_vec(change).expect("a change is made of text and a number");
        let answer = self.send(Method::POST, path::SETTINGS, body.into()).await?;
        self.understood(answer)
    }

    /// Why the server opens a value, or does not; or what a session has had opened. For admins.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn why(&self, asked: &Why) -> Result<WhyAnswer, ClientError> {
        let body = serde_json::to_vec(asked).expect("a question is made of text and a number");
        let answer = self.send(Method::POST, path::WHY, body.into()).await?;
        self.understood(answer)
    }

    /// The sessions of the server that the caller may know of.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn sessions(&self) -> Result<SessionsView, ClientError> {
        let answer = self.send(Method::GET, path::SESSIONS, Bytes::new()).await?;
        self.understood(answer)
    }

    /// Has the server cancel what a session of its runs, and waits until its database has dealt with
    /// that. For servers.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn cancel(&self, request: &CancelRequest) -> Result<CancelOutcome, ClientError> {
        let body = serde_json::to_vec(request).expect("a request is made of text and a number");
        let answer = self.send(Method::POST, path::CANCEL, body.into()).await?;
        self.understood(answer)
    }

    /// The body of a success.
    fn understood<T: DeserializeOwned>(&self, answer: Answer) -> Result<T, ClientError> {
        let unreadable = || ClientError::Body(self.address.clone());
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| unreadable());
        }
        let said: ErrorBody = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        Err(ClientError::Refused {
            address: self.address.clone(),
            status: answer.status,
            why: said.error,
        })
    }

    /// Opens a connection on which the server tells what is [new](crate::News), from the state of
    /// the moment on.
    ///
    /// # Errors
    /// There is no answer, or one with an error status.
    pub async fn watch(&self) -> Result<Watch, ClientError> {
        self.in_time(async {
            let (mut sender, connection, server) = self.open().await?;
            let connection = Running::start(connection);
            let request = self.request(Method::GET, path::WATCH, Bytes::new())?;
            let response = sender.send_request(request).await;
            let response = response.map_err(|cause| self.broken(cause))?;
            let status = response.status();
            if status != StatusCode::OK {
                let address = self.address.clone();
                return Err(ClientError::Status { address, status });
            }
            let body = response.into_body();
            Ok(Watch::new(self.address.clone(), server, body, connection))
        })
        .await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let timeout = |_| ClientError::Timeout {
            address: self.address.clone(),
            limit: self.limit,
        };
        tokio::time::timeout(self.limit, work)
            .await
            .map_err(timeout)?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let request = self.request(method, path, body)?;
        match &self.keeping {
            Some(keeping) if request.method() == Method::GET => {
                self.on_kept(keeping, request).await
            }
            _ => self.alone(request).await,
        }
    }

    /// On the connection that is kept, or one that is kept from now on.
    async fn on_kept(
        &self,
        keeping: &Keeping,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ClientError> {
        if let Some(mut kept) = keeping.take(&self.tls)
            && let Ok(answer) = self.answer(&mut kept.sender, request.clone()).await
        {
            keeping.keep(kept);
            return Ok(answer);
        }
        // It may have been closed since it was used last; what is asked changes nothing.
        let config = self.tls.config();
        let (sender, connection, server) = self.open().await?;
        let mut kept = Kept {
            sender,
            server: server.serial,
            config,
            _connection: Running::start(connection),
        };
        let answer = self.answer(&mut kept.sender, request).await?;
        keeping.keep(kept);
        Ok(answer)
    }

    async fn answer(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ClientError> {
        let broken = |cause| self.broken(cause);
        sender.ready().await.map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|_| ClientError::Body(self.address.clone()))?
            .to_bytes();
        Ok(Answer { status, body })
    }

    /// On a connection of its own, which ends with it.
    async fn alone(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let (mut sender, connection, _) = self.open().await?;
        let answer = self.answer(&mut sender, request);
        // The connection makes progress only while it is polled.
        tokio::pin!(answer);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(cause) => Err(self.broken(cause)),
            },
        }
    }

    async fn open(
        &self,
    ) -> Result<(SendRequest<Full<Bytes>>, Connection, PeerCertificate), ClientError> {
        let tunnel = tunnel::connect(
            &self.address,
            &self.tls,
            ALPN_HTTP,
            self.limit,
            Tuning::default(),
        )
        .await?;
        let (sender, connection) = http1::handshake(TokioIo::new(tunnel.stream))
            .await
            .map_err(|cause| self.broken(cause))?;
        Ok((sender, connection, tunnel.server))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "pgseal")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(user) = &self.user {
            request = request.header(USER_HEADER, user.as_str());
        }
        if let Some(program) = self.program {
            request = request.header(header::USER_AGENT, program);
        }
        request
            .body(Full::new(body))
            .map_err(|_| ClientError::Body(self.address.clone()))
    }

    fn broken(&self, cause: hyper::Error) -> ClientError {
        ClientError::Http {
            address: self.address.clone(),
            cause,
        }
    }
}
