//! Asks a server over its control API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// One server's control API.
#[derive(Clone)]
pub struct Client {
    address: String,
    tls: Arc<ClientConfig>,
    limit: Duration,
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
    /// A client for the server at `address` (`host:port`). `tls` offers ALPN `http/1.1`; `limit`
    /// bounds each request, connecting included.
    #[must_use]
    pub fn new(address: String, tls: Arc<ClientConfig>, limit: Duration) -> Self {
        Self {
            address,
            tls,
            limit,
        }
    }

    /// Sends one request on a connection of its own. `path` begins with a slash.
    ///
    /// # Errors
    /// There is no answer; one with an error status is an answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let timeout = || ClientError::Timeout {
            address: self.address.clone(),
            limit: self.limit,
        };
        tokio::time::timeout(self.limit, self.exchange(method, path, body))
            .await
            .map_err(|_| timeout())?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let broken = |cause| ClientError::Http {
            address: self.address.clone(),
            cause,
        };
        let unreadable = || ClientError::Body(self.address.clone());
        let stream = tunnel::connect(&self.address, self.tls.clone(), self.limit).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "pgseal")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| unreadable())?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|_| unreadable())?
                .to_bytes();
            Ok(Answer { status, body })
        };
        // The connection makes progress only while it is polled; it ends with this request.
        tokio::pin!(answer);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(cause) => Err(broken(cause)),
            },
        }
    }
}
