//! Sessions without sockets, on a server that is not listening: for the workspace's fuzz targets, and
//! for tests.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use control::Live;
use daemon::{LogHandle, Origins, Predecessor, Shutdown};
use envelope::{ClientId, KeyId};
use keystore::{OpenKey, Store};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tunnel::{ClientTls, Revoked, Serial, ServerTls};
use wire::copy::Copies;
use wire::request::{Request, Requests};
use wire::startup::Packet;

use super::Session;
use crate::Prepared;
use crate::certificates;
use crate::config::Config;
use crate::contact::Contact;
use crate::databases::Databases;
use crate::db_to_app::DbToApp;
use crate::keys::{Keys, Opened};
use crate::listen::ListenerNumber;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::settings::{Configured, Settings};
use crate::shared::Shared;

/// A server's part of sessions, and what ends them all. Its keys are those of the store.
pub(super) fn shared(config: &Config, store: Store) -> (Shared, watch::Sender<bool>) {
    let (now, place) = (Instant::now(), config.place());
    let revoked = Revoked::new(config.max_crl_age.0, now);
    let setups = certificates::read(config, &revoked).expect("its certificate is in order");
    let configured = Configured::new(config, Origins::default()).expect("so are its settings");
    let settings = Settings::new(configured, store.settings()).expect("and its store");
    let contact = Contact::new(now, config.max_stale.0);
    let mut metrics = Metrics::new();
    let prepared = Prepared {
        keys: Keys::new(Opened { store, place }, "s", contact),
        databases: Databases::new(config, &mut metrics).expect("it has a database"),
        metrics,
        tls: ServerTls::new(setups.server),
        peers: Peers::new(&[], Arc::new(ClientTls::new(setups.client))),
        revoked,
        settings,
    };
    let (ending, end) = Shutdown::new();
    let shared = Shared::new(
        config,
        prepared,
        LogHandle::default(),
        ending,
        Predecessor::default(),
    );
    (shared, end)
}

/// A session of this client that begins with this start-up packet.
pub(super) fn session(
    shared: &Arc<Shared>,
    client: &ClientId,
    serial: &Serial,
    startup: &[u8],
) -> Session {
    let Ok(Packet::Startup { parameters }) = Packet::parse(startup) else {
        panic!("it is a start-up message")
    };
    Session::new(
        shared.clone(),
        client.clone(),
        serial.clone(),
        ListenerNumber(0),
        parameters,
    )
}

/// Takes note of all that the application has asked.
pub(super) fn asked(session: &Session, mut stream: &[u8]) {
    let mut requests = Requests::default();
    while !stream.is_empty() {
        let next = requests.next(stream);
        let (taken, request) = next.expect("PostgreSQL would take it");
        stream = stream.get(taken..).unwrap_or_default();
        if let Some(request) = request {
            session.flow.conversation().ask(request);
        }
    }
}

/// Carries to an application what a database says, for one client.
pub struct Replies {
    shared: Arc<Shared>,
    end: watch::Sender<bool>,
    client: ClientId,
    serial: Serial,
    runtime: Runtime,
}

/// A session's part of what is carried.
pub struct Carried<'a> {
    /// The settings.
    pub live: &'a Live,
    /// The start-up packet.
    pub startup: &'a [u8],
    /// All that is asked, in messages.
    pub asked: &'a [u8],
    /// What the database says, in the pieces that it comes in.
    pub pieces: &'a [&'a [u8]],
    /// The server ends when as many of them have come.
    pub ends_behind: Option<usize>,
}

impl Replies {
    /// On a server of this configuration and store, which has these keys, too.
    #[must_use]
    pub fn new(
        config: &Config,
        store: Store,
        client: ClientId,
        keys: Vec<(KeyId, OpenKey)>,
    ) -> Self {
        let (shared, end) = shared(config, store);
        keystore::fuzzing::load(&shared.keys.cache, keys);
        // Rows are opened in the place of others, which takes more than one thread.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            serial: shared.tls.setup().certificates.serial.clone(),
            shared: Arc::new(shared),
            end,
            client,
            runtime: runtime.expect("there are threads"),
        }
    }

    /// All that reaches the application, and whether the session ended as the database's side did.
    #[must_use]
    pub fn carry(&self, carried: &Carried<'_>) -> (Vec<u8>, bool) {
        self.shared.apply(carried.live);
        let session = session(&self.shared, &self.client, &self.serial, carried.startup);
        session
            .flow
            .conversation()
            .ask(Request::Query(Copies::default()));
        asked(&session, carried.asked);
        let ends_behind = carried.ends_behind;
        let mut pieces = Pieces::new(carried.pieces.iter().copied());
        pieces.end = ends_behind.map(|count| (count, self.end.clone()));
        let mut left = Vec::new();
        let run = DbToApp::new(&session, None).run(pieces, BytesMut::new(), &mut left);
        let ended = self.runtime.block_on(run);
        self.end.send_replace(false);
        (left, ended.is_ok())
    }
}

/// Bytes that are read one piece at a time, and then the end.
pub(super) struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    /// What ends the server when so many more have been read.
    end: Option<(usize, watch::Sender<bool>)>,
}

impl Pieces {
    pub(super) fn new<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Self {
            pieces: pieces.map(<[u8]>::to_vec).collect(),
            end: None,
        }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.end {
            Some((0, _)) => {
                if let Some((_, end)) = self.end.take() {
                    end.send_replace(true);
                }
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let behind = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !behind.is_empty() {
                self.pieces.push_front(behind);
            }
        }
        Poll::Ready(Ok(()))
    }
}
