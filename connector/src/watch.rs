//! Hears from each server what is new: which certificates are revoked, and how it stands.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::{ClientError, Revocations, Watch};
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
    let mut well = true;
    loop {
        let mut heard = false;
        let Err(error) = listen(server, shared, &mut heard).await;
        server.is_silent();
        if heard {
            wait = FIRST_WAIT;
            shared.servers.fell_silent(server);
        }
        let server = server.address.as_str();
        if shared.servers.has_choice() {
            // That it is down is said where that is found out.
            tracing::debug!(%error, server, "the server does not tell which certificates are revoked");
        } else if std::mem::replace(&mut well, false) || heard {
            // Said once until it is heard again.
            tracing::warn!(%error, "the server does not tell which certificates are revoked");
        }
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
}

/// One connection, to its end.
async fn listen(server: &Server, shared: &Shared, heard: &mut bool) -> Result<Infallible, Unheard> {
    let mut watch = server.control.watch().await?;
    let serial = watch.server.serial.clone();
    tokio::select! {
        ended = hear(server, shared, &mut watch, heard) => ended,
        () = shared.revoked.revoked(&serial) => Err(Unheard::Revoked),
    }
}

async fn hear(
    server: &Server,
    shared: &Shared,
    watch: &mut Watch,
    heard: &mut bool,
) -> Result<Infallible, Unheard> {
    let (mut number, mut standing) = (None, None);
    loop {
        let news = watch.next().await?;
        // What is not said again is as it was.
        standing = news.standing.or(standing);
        shared.servers.heard(server, standing.as_ref());
        let Some(revocations) = news.revocations else {
            continue;
        };
        take_over(shared, &revocations, &mut number)?;
        if !std::mem::replace(heard, true) {
            tracing::info!(number, "the server tells which certificates are revoked");
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
