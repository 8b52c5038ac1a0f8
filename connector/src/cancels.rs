//! Cancel requests: carried to the server that has the session they mean.

use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tunnel::{Standing, Tunnel};
use wire::startup::Packet;

use crate::opening;
use crate::session::Failed;
use crate::shared::Shared;

/// Carries a cancel request, and returns when it has been dealt with: the application waits for its
/// connection to close, and then no later query can be hit.
///
/// It goes to the server of the session, if that runs through this connector. Any other goes to all
/// of them; those that do not know it do nothing.
///
/// # Errors
/// Some server could not be asked, or did not end it in time.
pub async fn carry(request: &[u8], shared: &Arc<Shared>) -> Result<(), Failed> {
    shared.metrics.cancels.inc();
    let mut asked = JoinSet::new();
    for address in addressees(request, shared) {
        let (request, shared) = (request.to_vec(), shared.clone());
        asked.spawn(async move { ask(&address, &request, &shared).await });
    }
    let mut result = Ok(());
    while let Some(answered) = asked.join_next().await {
        // A task of this set is neither aborted nor panics.
        if let Ok(Err(error)) = answered {
            result = Err(error);
        }
    }
    result
}

/// The addresses of the servers that may have the session.
fn addressees(request: &[u8], shared: &Shared) -> Vec<String> {
    let known = match Packet::parse(request) {
        Ok(Packet::Cancel { pid, secret }) => shared.running.servers_of(pid, secret),
        _ => Vec::new(),
    };
    if !known.is_empty() {
        return known;
    }
    let up = shared.servers.up();
    up.iter().map(|server| server.address.clone()).collect()
}

async fn ask(address: &str, request: &[u8], shared: &Shared) -> Result<(), Failed> {
    let mut tunnel = open_in_turn(address, shared).await?.stream;
    tunnel.write_all(request).await.map_err(Failed::Lost)?;
    tunnel.flush().await.map_err(Failed::Lost)?;
    // The server closes when PostgreSQL has; until then it holds back the session's next message,
    // so that giving up here lets no later query be hit.
    let mut rest = [0; 64];
    let closed = async { while matches!(tunnel.read(&mut rest).await, Ok(1..)) {} };
    tokio::time::timeout(shared.answer_timeout, closed)
        .await
        .map_err(|_| Failed::Silent(shared.answer_timeout))
}

/// A tunnel for a cancel request: a new one, or one that is open already, for a server that ends takes no
/// connections and has its sessions still. Few are opened at a time: in a storm of them the processor is
/// still there for sessions.
async fn open_in_turn(address: &str, shared: &Shared) -> Result<Tunnel, Failed> {
    // The semaphore is never closed.
    let _turn = shared.opening_for_cancels.acquire().await;
    if shared.revoked.standing(Instant::now()) != Standing::Fresh {
        return Err(Failed::RevocationsUnknown);
    }
    match opening::open_tunnel(address, shared).await {
        Ok(tunnel) => Ok(tunnel),
        Err(error) => {
            let server = shared.servers.at(address);
            let kept = server.and_then(|it| it.warm.take(&shared.tls, &shared.revoked));
            kept.ok_or(error)
        }
    }
}
