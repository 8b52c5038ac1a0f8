//! One application's session: the connection to the database behind it, and both directions.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daemon::OnWake;
use envelope::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tunnel::Serial;
use wire::request::Request;
use wire::startup::Parameters;
use wire::{FrameError, Malformed};

use crate::access::Counting;
use crate::app_to_db;
use crate::cancel::Registered;
use crate::db_to_app::DbToApp;
use crate::flow::Flow;
use crate::opener::{Opener, Policy};
use crate::refusals;
use crate::shared::Shared;

/// A session of a client that has been let in.
pub struct Session {
    /// The server it is on.
    pub shared: Arc<Shared>,
    /// Who its certificate says it is.
    pub client: ClientId,
    /// The certificate that says it.
    pub serial: Serial,
    /// What its directions share.
    pub flow: Arc<Flow>,
    /// Its results are no rows of the application's: replication.
    pub passes_rows: bool,
    registered: Mutex<Option<Registered>>,
    counting: Counting,
}

/// How a session ended, if not by either side closing it.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The connection to the database broke.
    #[error("the connection to the database broke: {0}")]
    Database(#[source] io::Error),
    /// The connection to the application broke.
    #[error("the connection to the application broke: {0}")]
    Application(#[source] io::Error),
    /// The database took the start-up message and said nothing.
    #[error("the database said nothing for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The database announced an impossible length.
    #[error("the database sent what cannot be read: {0}")]
    Framing(#[source] FrameError),
    /// A message of the database contradicts itself.
    #[error("the database sent what cannot be read: {0}")]
    Malformed(#[source] Malformed),
    /// The server is ending.
    #[error("the server is ending")]
    Shutdown,
    /// The client's certificate was revoked.
    #[error("the client's certificate was revoked")]
    Revoked,
}

impl Session {
    /// A session that is about to begin.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        client: ClientId,
        serial: Serial,
        parameters: Parameters<'_>,
    ) -> Self {
        Self {
            counting: shared.access.begin(&client),
            shared,
            client,
            serial,
            flow: Arc::default(),
            passes_rows: parameters.is_replication(),
            registered: Mutex::new(None),
        }
    }

    /// Runs until either side ends. `startup` is the application's start-up packet, which goes to
    /// the database as it stands.
    ///
    /// # Errors
    /// It ended otherwise.
    pub async fn run(
        &self,
        mut app: impl AsyncRead + AsyncWrite + Unpin,
        startup: &[u8],
    ) -> Result<(), Ended> {
        let mut db = match self.shared.database.connect().await {
            Ok(db) => db,
            Err(error) => {
                tracing::error!(%error, "the database cannot be reached");
                let message = refusals::NO_DATABASE.to_message();
                app.write_all(&message).await.map_err(Ended::Application)?;
                return app.shutdown().await.map_err(Ended::Application);
            }
        };
        // Start-up ends as a query does, with ReadyForQuery; an application need not wait for that.
        self.flow.conversation().ask(Request::Query);
        if let Err(error) = send(&mut db, startup).await {
            tracing::error!(%error, "the database takes no start-up message");
            let message = refusals::NO_DATABASE.to_message();
            app.write_all(&message).await.map_err(Ended::Application)?;
            return app.shutdown().await.map_err(Ended::Application);
        }

        let (app_reads, app_writes) = tokio::io::split(app);
        let (db_reads, db_writes) = tokio::io::split(db);
        let to_db = pin!(app_to_db::run(app_reads, db_writes, &self.flow));
        let to_app = pin!(DbToApp::new(self).run(db_reads, app_writes));
        let (mut to_db, mut to_app) = (OnWake::new(to_db), OnWake::new(to_app));
        tokio::select! {
            biased;
            ended = &mut to_app => ended,
            ended = &mut to_db => match ended {
                // The application has asked its last, and what is on its way back still gets there;
                // or the database takes no more, and says why if it can.
                Ok(()) | Err(Ended::Database(_)) => to_app.await,
                Err(ended) => Err(ended),
            },
        }
    }

    /// Returns when the session is to end although neither side has ended it, and why.
    pub async fn must_end(&self) -> Ended {
        let mut ending = self.shared.ending.clone();
        tokio::select! {
            () = ending.begun() => Ended::Shutdown,
            () = self.shared.revoked.revoked(&self.serial) => Ended::Revoked,
        }
    }

    /// The settings of this moment.
    #[must_use]
    pub fn policy(&self) -> Policy {
        **self.shared.policy.load()
    }

    /// Opens rows for this session.
    #[must_use]
    pub fn opener(&self) -> Opener<'_> {
        Opener {
            client: &self.client,
            keys: &self.shared.keys.cache,
            metrics: &self.shared.metrics,
            refusals: &self.shared.refusals,
            access: &self.counting,
        }
    }

    /// Takes note of BackendKeyData: from now on the session can be cancelled.
    pub fn key_data(&self, body: &[u8]) {
        let Some((pid, secret)) = body.split_first_chunk::<4>() else {
            return;
        };
        let cancels = &self.shared.cancels;
        let registered =
            cancels.register(u32::from_be_bytes(*pid), secret, &self.client, &self.flow);
        *self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(registered);
    }
}

async fn send(db: &mut (impl AsyncWrite + Unpin), startup: &[u8]) -> io::Result<()> {
    db.write_all(startup).await?;
    db.flush().await
}

#[cfg(test)]
mod tests;
