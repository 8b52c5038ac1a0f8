//! What a server tells of itself for as long as somebody listens: JSON, one object a line.

mod lines;

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tunnel::PeerCertificate;

use crate::News;
use crate::client::{ClientError, Connection};

pub(crate) use lines::{Lines, TooLong};

/// A server says something at least this often: a listener that hears it need not ask whether it is
/// still there.
pub const HEARTBEAT: Duration = Duration::from_millis(250);

/// A server that says nothing for this long is taken for lost.
const SILENCE: Duration = Duration::from_secs(5);

/// Longest line, in bytes: the serial numbers of [`tunnel::MAX_REVOKED`] certificates, at the 20
/// bytes that a CA may give one, and what stands around them.
pub const MAX_LINE: usize = 45 * tunnel::MAX_REVOKED;

/// An open connection on which a server tells what is new.
pub struct Watch {
    address: String,
    /// Who tells it.
    pub server: PeerCertificate,
    body: Incoming,
    lines: Lines,
    _connection: Running,
}

impl Watch {
    pub(crate) fn new(
        address: String,
        server: PeerCertificate,
        body: Incoming,
        connection: Running,
    ) -> Self {
        Self {
            address,
            server,
            body,
            lines: Lines::new(MAX_LINE),
            _connection: connection,
        }
    }

    /// Waits for the next line. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// The connection has ended, has been silent for too long, or told what cannot be read.
    pub async fn next(&mut self) -> Result<News, ClientError> {
        let end = tokio::time::Instant::now() + SILENCE;
        loop {
            let line = self.lines.next().map_err(|TooLong| self.unreadable())?;
            if let Some(line) = line {
                return serde_json::from_slice(&line).map_err(|_| self.unreadable());
            }
            let frame = tokio::time::timeout_at(end, self.body.frame()).await;
            let frame = frame.map_err(|_| ClientError::Timeout {
                address: self.address.clone(),
                limit: SILENCE,
            })?;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.lines.push(&data);
                    }
                }
                Some(Err(cause)) => {
                    return Err(ClientError::Http {
                        address: self.address.clone(),
                        cause,
                    });
                }
                None => return Err(ClientError::Over(self.address.clone())),
            }
        }
    }

    fn unreadable(&self) -> ClientError {
        ClientError::Body(self.address.clone())
    }
}

/// A connection that makes progress by itself, and ends when this is dropped.
pub(crate) struct Running(JoinHandle<()>);

impl Running {
    pub(crate) fn start(connection: Connection) -> Self {
        // How it ended shows to whoever reads from it.
        Self(tokio::spawn(async move { drop(connection.await) }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
