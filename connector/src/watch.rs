//! Hears from each server what is new: which certificates are revoked, and how it stands.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::{ClientError, Revocations};
use tunnel::{BadSerial, Serial, TooManyRevoked};

use crate::servers::Server;
use crate::shared::Shared;

/// The first wait before a lost connection is made again; each further one is twice as long,
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// up to this one.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Why nothing more is heard.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the server's list of revoked certificates: {0}")]
    Serial(#[from] BadSerial),
    #[error("the server's list of revoked certificates: {0}")]
    TooMany(#[from] TooManyRevoked),
    #[error("the server tells of a list of revoked certificates that it has not sent")]
    NoList,
    #[error("the server's own certificate was revoked")]
    Revoked,
}

/// Listens to one server, for as long as it is listed.
pub async fn run(server: Arc<Server>, shared: Arc<Shared>) {
    tokio::select! {
        () = go_on(&server, &shared) => {}
        () = server.is_gone() => {}
    }
}

/// Connects again whenever the connection is lost, until dropped.
async fn go_on(server: &Server, shared: &Shared) {
    let mut wait = FIRST_WAIT;
    let mut said = Said::new(shared.servers.has_choice());
    loop {
        let mut heard = Heard::default();
        let Err(error) = listen(server, shared, &mut said, &mut heard).await;
        server.is_silent();
        shared.metrics.watches_lost.inc();
        if heard.anything {
            shared.servers.fell_silent(server, &error.to_string());
        }
        if heard.revocations {
            wait = FIRST_WAIT;
        }
        said.lost(&server.address, &error, heard.revocations);
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
}

/// What was heard on one connection.
#[derive(Default)]
struct Heard {
    anything: bool,
    /// A list that could be used.
    revocations: bool,
}

/// One connection, to its end.
async fn listen(
    server: &Server,
    shared: &Shared,
    said: &mut Said,
    heard: &mut Heard,
) -> Result<Infallible, Unheard> {
    let mut watch = server.control.watch().await?;
    let serial = watch.server.serial.clone();
    let hear = async {
        let (mut number, mut standing) = (None, None);
        loop {
            let news = watch.next().await?;
            // What is not said again is as it was.
            standing = news.standing.or(standing);
            shared.servers.heard(server, standing.as_ref());
            heard.anything = true;
            let Some(revocations) = news.revocations else {
                continue;
            };
            take_over(shared, &revocations, &mut number)?;
            if !std::mem::replace(&mut heard.revocations, true) {
                said.heard(&server.address, number);
            }
        }
    };
    tokio::select! {
        ended = hear => ended,
        () = shared.revoked.revoked(&serial) => Err(Unheard::Revoked),
    }
}

/// What the log was told of one server: each of the two once, until the other has held for a while.
struct Said {
    /// That a server is down is said where that is found out.
    has_choice: bool,
    lost: Option<Instant>,
    heard: Option<Instant>,
    /// How often it was heard and lost again since the log was told so.
    flaps: u32,
}

/// What is lost and heard again in turn is told this often at most.
const SELDOM: Duration = Duration::from_secs(10);

/// Where there are several servers, one that is lost so often in that time is told of although each time
/// it mends at once.
const FLAPS: u32 = 5;

impl Said {
    fn new(has_choice: bool) -> Self {
        Self {
            has_choice,
            lost: None,
            heard: None,
            flaps: 0,
        }
    }

    fn lost(&mut self, server: &str, error: &Unheard, heard: bool) {
        self.flaps += u32::from(heard);
        let is_told = self.lost.is_some_and(|at| at.elapsed() < SELDOM);
        let is_ours_to_tell = match error {
            // Another process has taken over there, and tells in its place.
            Unheard::Client(ClientError::Over(_)) => false,
            Unheard::Client(_) if self.has_choice => self.flaps >= FLAPS,
            _ => true,
        };
        // Said once until it is heard again.
        let is_news = self.lost.is_none() || self.heard >= self.lost;
        if is_told || !is_ours_to_tell || !is_news {
            tracing::debug!(%error, server, "the server does not tell which certificates are revoked");
            return;
        }
        let times = std::mem::take(&mut self.flaps).max(1);
        tracing::warn!(%error, server, times, "the server does not tell which certificates are revoked");
        self.lost = Some(Instant::now());
    }

    fn heard(&mut self, server: &str, number: Option<u64>) {
        if self.heard.is_none() || self.lost > self.heard {
            tracing::info!(
                server,
                number,
                "the server tells which certificates are revoked"
            );
            self.heard = Some(Instant::now());
        }
    }
}

/// `number` is that of the list sent last on this connection.
fn take_over(
    shared: &Shared,
    revocations: &Revocations,
    number: &mut Option<u64>,
) -> Result<(), Unheard> {
    let (now, age) = (Instant::now(), Duration::from_millis(revocations.age_ms));
    match &revocations.serials {
        Some(serials) => {
            let serials = serials.iter().map(|serial| serial.parse::<Serial>());
            let serials = serials.collect::<Result<Vec<_>, _>>()?;
            shared.revoked.hear(revocations.number, serials, now, age)?;
            *number = Some(revocations.number);
        }
        None if *number != Some(revocations.number) => return Err(Unheard::NoList),
        None => shared.revoked.confirm(now, age),
    }
    Ok(())
}
