//! The other servers of the fleet. One of them may have the session that a cancel request means: where a
//! balancer stands before them, it comes to any.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::{CancelRequest, Client};
use daemon::{HostPort, Seldom};
use envelope::ClientId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tunnel::ClientTls;

/// How long a peer may take to deal with a request, connecting included.
const LIMIT: Duration = Duration::from_secs(5);

/// Requests that peers are asked for at the same time: each takes a connection to every peer.
const AT_ONCE: usize = 64;

/// All of them.
pub struct Peers {
    list: ArcSwap<Vec<Client>>,
    /// This server's end of TLS as a client of theirs.
    pub tls: Arc<ClientTls>,
    turns: Semaphore,
    unasked: Seldom,
}

impl Peers {
    /// Those at these addresses; nobody is asked anything yet.
    #[must_use]
    pub fn new(addresses: &[HostPort], tls: Arc<ClientTls>) -> Self {
        let peers = Self {
            list: ArcSwap::default(),
            tls,
            turns: Semaphore::new(AT_ONCE),
            unasked: Seldom::default(),
        };
        peers.replace(addresses);
        peers
    }

    /// From now on these are asked.
    pub fn replace(&self, addresses: &[HostPort]) {
        let client = |it: &HostPort| Client::new(it.as_str().to_owned(), self.tls.clone(), LIMIT);
        self.list
            .store(Arc::new(addresses.iter().map(client).collect()));
    }

    /// Asks all of them at once for the session that a cancel request of this client means, and returns
    /// when the one that has it has dealt with it, or none has it.
    pub async fn cancel(&self, client: &ClientId, pid: u32, secret: &[u8]) {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let request = Arc::new(CancelRequest {
            client: client.to_string(),
            process: pid,
            secret: STANDARD.encode(secret),
        });
        let mut asked = JoinSet::new();
        for peer in self.list.load().iter() {
            let (peer, request) = (peer.clone(), request.clone());
            asked.spawn(async move { peer.cancel(&request).await });
        }
        let mut unasked = None;
        while let Some(answered) = asked.join_next().await {
            // A task of this set is neither aborted nor panics.
            match answered {
                Ok(Ok(outcome)) if outcome.found => return,
                Ok(Err(error)) => unasked = Some(error),
                _ => {}
            }
        }
        match unasked {
            None => tracing::debug!(%client, "a cancel request means no session of this fleet"),
            Some(error) => {
                if let Some(requests) = self.unasked.note(1) {
                    tracing::warn!(
                        %error, requests,
                        "cancel requests found no session, and a peer could not be asked for it"
                    );
                }
            }
        }
    }
}
