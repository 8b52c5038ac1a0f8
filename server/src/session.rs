//! One application's session: the connection to the database behind it, and both directions.

pub mod fuzzing;

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use chooser::{Begun, Chosen, Leaving, Unbegun, Unserved};
use daemon::OnWake;
use envelope::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tunnel::Serial;
use wire::copy::Copies;
use wire::originate::Refusal;
use wire::parameter;
use wire::request::Request;
use wire::startup::Parameters;
use wire::{FrameError, Malformed};

use crate::access::Counting;
use crate::app_to_db;
use crate::cancel::{Cancellable, Registered};
use crate::database::DatabaseError;
use crate::databases::{Beginning, Nodes};
use crate::db_to_app::DbToApp;
use crate::encoding::Encoding;
use crate::flow::Flow;
use crate::listen::ListenerNumber;
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
    /// Where it came in.
    pub listener: ListenerNumber,
    /// Its results are no rows of the application's: replication.
    pub passes_rows: bool,
    /// The name of its database, once it has one.
    database: OnceLock<String>,
    registered: Mutex<Option<Registered>>,
    counting: Counting,
    encoding: Mutex<Encoding>,
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
    /// It cannot stay with its database.
    #[error("{}", match .0 {
        Leaving::Down => "its database does not answer any more",
        Leaving::Role => "its database is something else now",
    })]
    Left(Leaving),
}

impl Session {
    /// A session that is about to begin.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        client: ClientId,
        serial: Serial,
        listener: ListenerNumber,
        parameters: Parameters<'_>,
    ) -> Self {
        Self {
            counting: shared.access.begin(&client),
            encoding: Mutex::default(),
            shared,
            client,
            serial,
            flow: Arc::default(),
            listener,
            database: OnceLock::new(),
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
        // Start-up ends as a query does, with ReadyForQuery; an application need not wait for that.
        self.flow
            .conversation()
            .ask(Request::Query(Copies::default()));
        let way = self.shared.databases.ways().way(self.listener.0);
        let begun = chooser::begin(&Beginning(self), way, &mut app, startup).await;
        let Begun {
            chosen,
            stream,
            answer,
            early,
            ..
        } = match begun {
            Ok(begun) => begun,
            Err(unbegun) => return turn_away(&mut app, unbegun).await,
        };
        // It begins once.
        let _ = self.database.set(chosen.name().to_owned());
        let ended = {
            let (app_reads, app_writes) = tokio::io::split(app);
            let (db_reads, db_writes) = tokio::io::split(stream);
            let to_db = pin!(app_to_db::run(app_reads, early, db_writes, &self.flow));
            let to_app = DbToApp::new(self, Some(&chosen));
            let to_app = pin!(to_app.run(db_reads, answer, app_writes));
            let (mut to_db, mut to_app) = (OnWake::new(to_db), OnWake::new(to_app));
            tokio::select! {
                biased;
                ended = &mut to_app => ended,
                ended = &mut to_db => match ended {
                    // The application has asked its last, and what is on its way back still gets
                    // there; or the database takes no more, and says why if it can.
                    Ok(()) | Err(Ended::Database(_)) => to_app.await,
                    Err(ended) => Err(ended),
                },
            }
        };
        match ended {
            Err(Ended::Database(_)) => chosen.lost(),
            Ok(()) if !self.flow.is_over() => chosen.lost(),
            _ => {}
        }
        ended
    }

    /// Returns when the session is to end although neither side has ended it, and why.
    pub async fn must_end(&self, chosen: Option<&Chosen<Nodes>>) -> Ended {
        let mut ending = self.shared.ending.clone();
        let leaving = async {
            match chosen {
                Some(chosen) => chosen.leaving().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ending.begun() => Ended::Shutdown,
            () = self.shared.revoked.revoked(&self.serial) => Ended::Revoked,
            why = leaving => Ended::Left(why),
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
            encoding: self.encoding(),
        }
    }

    /// Takes note of a ParameterStatus: of those that say how text is
    /// encoded, and how SQL is read.
    pub fn parameter(&self, body: &[u8]) {
        match parameter::status(body) {
            Some((b"client_encoding", name)) => *self.lock_encoding() = Encoding::of(name),
            Some((b"standard_conforming_strings", value)) => {
                self.flow.strings_conform(value != b"off");
            }
            _ => {}
        }
    }

    /// What text is in this session.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        *self.lock_encoding()
    }

    fn lock_encoding(&self) -> MutexGuard<'_, Encoding> {
        self.encoding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of BackendKeyData: from now on the session can be cancelled.
    pub fn key_data(&self, body: &[u8]) {
        let Some((pid, secret)) = body.split_first_chunk::<4>() else {
            return;
        };
        let session = Cancellable {
            client: self.client.clone(),
            flow: self.flow.clone(),
            database: self.database.get().cloned().unwrap_or_default(),
        };
        let pid = u32::from_be_bytes(*pid);
        self.counting.is_process(pid);
        let registered = self.shared.cancels.register(pid, secret, session);
        *self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(registered);
    }
}

/// Says why a session has not begun.
async fn turn_away(
    app: &mut (impl AsyncWrite + Unpin),
    unbegun: Unbegun<DatabaseError, Ended>,
) -> Result<(), Ended> {
    let farewell = match &unbegun {
        Unbegun::Unserved(Unserved::Nobody) => Some(refusals::NO_DATABASE),
        Unbegun::Unserved(Unserved::NoPrimary) => Some(refusals::NO_PRIMARY),
        Unbegun::Unserved(_) => Some(refusals::ALL_FULL),
        Unbegun::Unconnected(_) | Unbegun::Down | Unbegun::Silent(_) => Some(refusals::NO_DATABASE),
        Unbegun::Lost(_) | Unbegun::Closed => Some(refusals::DATABASE_GONE),
        Unbegun::MustEnd(ended) => ended.farewell(),
        Unbegun::Refused(..) | Unbegun::Gone(_) => None,
    };
    if let Unbegun::Unserved(_) | Unbegun::Unconnected(_) | Unbegun::Down = unbegun {
        tracing::error!(error = %unbegun, "the database cannot be reached");
    }
    let words = match (farewell, &unbegun) {
        (Some(farewell), _) => farewell.to_message(),
        (None, Unbegun::Refused(_, words)) => words.clone(),
        (None, _) => BytesMut::new(),
    };
    app.write_all(&words).await.map_err(Ended::Application)?;
    app.shutdown().await.map_err(Ended::Application)?;
    match unbegun {
        Unbegun::Lost(error) => Err(Ended::Database(error)),
        Unbegun::Silent(limit) => Err(Ended::Silent(limit)),
        Unbegun::MustEnd(ended) => Err(ended),
        Unbegun::Gone(Some(error)) => Err(Ended::Application(error)),
        Unbegun::Gone(None) | Unbegun::Closed | Unbegun::Refused(..) => Ok(()),
        Unbegun::Unserved(_) | Unbegun::Unconnected(_) | Unbegun::Down => Ok(()),
    }
}

impl Ended {
    /// What the application is told, where it is not the one who ended it.
    #[must_use]
    pub fn farewell(&self) -> Option<Refusal<'static>> {
        match self {
            Self::Database(_) => Some(refusals::DATABASE_GONE),
            Self::Silent(_) => Some(refusals::NO_DATABASE),
            Self::Shutdown => Some(refusals::SHUTDOWN),
            Self::Revoked => Some(refusals::REVOKED_NOW),
            Self::Left(Leaving::Down) => Some(refusals::DATABASE_DOWN),
            Self::Left(Leaving::Role) => Some(refusals::ROLE_CHANGED),
            Self::Framing(_) | Self::Malformed(_) => Some(refusals::DATABASE_GARBLED),
            Self::Application(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
