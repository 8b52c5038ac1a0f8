//! Tunnels that are open before a session wants one, so that a new session waits for no handshake.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tunnel::{ALPN_POSTGRESQL, ClientTls, Revoked, Standing, Tunnel};

use crate::servers::Server;
use crate::shared::Shared;

/// How often it is looked whether tunnels were closed at their other end.
const LOOK: Duration = Duration::from_secs(1);

/// How long it takes to the next attempt after one that failed, or whose tunnel did not last as long;
/// each further time twice as long,
const PAUSE: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Those of one server.
#[derive(Default)]
pub struct Warm {
    /// The oldest first.
    open: Mutex<VecDeque<Open>>,
    /// One was taken.
    taken: Notify,
}

struct Open {
    tunnel: Tunnel,
    /// The set-up that it was opened with.
    config: Arc<ClientConfig>,
    since: Instant,
}

impl Warm {
    /// A tunnel that was open a moment ago, and may be used still. Its other end may have closed it
    /// since.
    pub fn take(&self, tls: &ClientTls, revoked: &Revoked) -> Option<Tunnel> {
        let config = tls.config();
        let mut open = self.lock();
        // The newest: the others end at some time.
        let taken = std::iter::from_fn(|| open.pop_back())
            .find_map(|mut it| it.is_usable(&config, revoked).then_some(it.tunnel));
        drop(open);
        self.taken.notify_one();
        taken
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Closes those that cannot be used any more. True where one of them did not last: a server that
    /// does not let this connector in says so only behind the handshake.
    fn keep_usable(&self, tls: &ClientTls, revoked: &Revoked) -> bool {
        let (config, mut is_refused) = (tls.config(), false);
        self.lock().retain_mut(|it| {
            let is_usable = it.is_usable(&config, revoked);
            is_refused |= !is_usable && it.since.elapsed() < 2 * PAUSE;
            is_usable
        });
        is_refused
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Whether its other end has neither closed it nor said anything, its set-up is the one of this
    /// moment, and its server may be trusted.
    fn is_usable(&mut self, config: &Arc<ClientConfig>, revoked: &Revoked) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let stream = Pin::new(&mut self.tunnel.stream);
        let mut context = Context::from_waker(Waker::noop());
        let is_silent = stream.poll_read(&mut context, &mut buffer).is_pending();
        is_silent
            && Arc::ptr_eq(&self.config, config)
            && !revoked.contains(&self.tunnel.server.serial)
    }
}

/// Keeps so many tunnels to a server open, for as long as it is listed and up.
pub async fn keep(server: Arc<Server>, shared: Arc<Shared>) {
    tokio::select! {
        () = go_on(&server, &shared) => {}
        () = server.is_gone() => {}
    }
    server.warm.lock().clear();
}

async fn go_on(server: &Server, shared: &Shared) {
    let warm = &server.warm;
    let mut pause = PAUSE;
    loop {
        let mut failed = warm.keep_usable(&shared.tls, &shared.revoked);
        let is_wanted = warm.count() < shared.warm_tunnels
            && shared.servers.is_up(server)
            && shared.revoked.standing(Instant::now()) == Standing::Fresh;
        if is_wanted && !failed {
            // Why it cannot be opened is said where a session meets it.
            match open(server, shared).await {
                Some(open) => warm.lock().push_back(open),
                None => failed = true,
            }
        }
        if failed {
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        } else if !is_wanted {
            pause = PAUSE;
            tokio::select! {
                () = warm.taken.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

async fn open(server: &Server, shared: &Shared) -> Option<Open> {
    let config = shared.tls.config();
    let (address, limit) = (server.address.as_str(), shared.connect_timeout);
    let opened = tunnel::connect(address, &shared.tls, ALPN_POSTGRESQL, limit, shared.tuning);
    let tunnel = opened.await.ok()?;
    Some(Open {
        tunnel,
        config,
        since: Instant::now(),
    })
}
