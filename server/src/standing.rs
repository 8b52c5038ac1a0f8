//! How this server stands, for whoever chooses between servers: put together from what its parts know,
//! and told when it has changed. `watch` writes it to peers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::{Availability, Standing};

use crate::shared::Shared;

/// What changes all the time, such as positions, is told this often at most.
const OFTEN: Duration = Duration::from_millis(100);

/// Tells what has changed, until dropped. What must not wait is told by `Shared::publish` at once.
pub async fn keep(shared: Arc<Shared>) {
    loop {
        shared.publish();
        tokio::time::sleep(OFTEN).await;
    }
}

/// How the server stands now for sessions of this listener, the first being 0.
pub fn now(shared: &Shared, listener: usize) -> Standing {
    let database = shared.databases.standing(listener);
    let availability = match database {
        _ if shared.is_draining() => Availability::Draining,
        Some(None) => Availability::Refusing,
        _ if !admits(shared) => Availability::Refusing,
        Some(Some(_)) | None => Availability::Accepting,
    };
    Standing {
        availability,
        database: database.flatten(),
        sessions: shared.sessions.count() as u64,
        settings: shared.settings.status().taken.unwrap_or_default(),
    }
}

/// Whether the store says enough, and not too long ago, for a session to be let in: who is revoked, the
/// settings, and what is in memory.
fn admits(shared: &Shared) -> bool {
    let now = Instant::now();
    shared.revoked.standing(now) == tunnel::Standing::Fresh
        && !shared.settings.unknown()
        && !shared.keys.contact.is_stale(now)
}
