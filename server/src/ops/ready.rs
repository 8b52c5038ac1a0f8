//! Whether new sessions may come to this server, whatever its database is.

use std::time::Instant;

use tunnel::Standing;

use super::problem::Problem;
use crate::shared::Shared;

/// Ready is a server that takes sessions, whose store can be read (or is etcd, and away for less than
/// `max_stale`), that knows who is revoked and is not itself, and on which the store's settings hold.
///
/// # Errors
/// What is wrong.
pub fn check(shared: &Shared) -> Result<(), Problem> {
    let now = Instant::now();
    if shared.is_draining() {
        return Err(Problem::Draining);
    }
    if !shared.keys.contact.is_usable(now) {
        return Err(Problem::NoStore);
    }
    match shared.revoked.standing(now) {
        Standing::Fresh => {}
        Standing::Stale => return Err(Problem::RevocationsStale),
        Standing::Distrusted => return Err(Problem::RevocationsDistrusted),
    }
    if let Some(problem) = shared.settings.status().problem {
        return Err(Problem::Settings(problem));
    }
    let own = shared.tls.setup();
    match shared.revoked.contains(&own.certificates.serial) {
        true => Err(Problem::Revoked),
        false => Ok(()),
    }
}
