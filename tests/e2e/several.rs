//! A connector that chooses between several servers: how sessions are spread, and what applications
//! notice when a server dies, hangs or drains.

mod cancels;
mod chosen;
mod deadlines;
mod lists;
mod roles;
mod stats;
mod warm;
mod wrong;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use harness::raw::Session;
use harness::{Address, Connect, PATIENCE, Several, connects, until};

pub use harness::Then;

/// Waits until the connector knows that all of so many servers are up.
#[track_caller]
fn all_up(several: &Several) {
    for server in &several.servers {
        is_up(several, server.port(), 1);
    }
}

/// Waits until the connector takes the server at this port for up (1) or down (0).
#[track_caller]
fn is_up(several: &Several, port: u16, up: u64) {
    let line = format!("server_up{{server=\"127.0.0.1:{port}\"}}");
    until("the connector to know how its servers are", || {
        (several.connector.counted(&line) == up).then_some(())
    });
}

/// A session that has begun.
#[track_caller]
fn session(several: &Several) -> Session {
    let mut session = several.address().raw();
    session.start();
    session
}

/// Each of these tests keeps a machine busy, and measures how long something takes.
pub fn in_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects every 10 ms while `fault` is brought about and for so long after it; gives what all of
/// them met.
pub fn under_connects(
    address: Address,
    then: Then,
    after: Duration,
    fault: impl FnOnce(),
) -> Vec<Connect> {
    connects(address, then, Duration::from_millis(10), PATIENCE, || {
        fault();
        let end = Instant::now() + after;
        until("the time to be over", || {
            (Instant::now() > end).then_some(())
        });
    })
}

/// None of them failed, and none took longer than promised.
#[track_caller]
pub fn none_fails(connects: &[Connect], promise: Duration) {
    // More than had begun before what they are to outlast.
    assert!(connects.len() > 30, "only {} connects", connects.len());
    let failed: Vec<_> = connects.iter().filter(|it| it.met.is_some()).collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed: {:?}",
        failed.len(),
        connects.len(),
        failed[0]
    );
    let longest = connects.iter().map(|it| it.took).max().unwrap();
    assert!(longest < promise, "one of them took {longest:?}");
}
