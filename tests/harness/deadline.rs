//! Waiting for something to become true: by asking again and again until a deadline, never by
//! sleeping for as long as it usually takes.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. Generous: on a busy machine a slow
/// start is no failure, and a test that passes never waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// Calls `attempt` until it gives something, and panics with `what` after [`PATIENCE`].
/// `what` completes the sentence "gave up waiting for …".
#[track_caller]
pub fn until<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, attempt)
}

/// [`until`], with another limit than [`PATIENCE`].
#[track_caller]
pub(crate) fn within<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(
            Instant::now() < end,
            "gave up waiting for {what} after {limit:?}"
        );
        thread::sleep(PAUSE);
    }
}

/// [`until`], for an attempt that awaits, such as a query on a running session.
pub async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(
            Instant::now() < end,
            "gave up waiting for {what} after {PATIENCE:?}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
