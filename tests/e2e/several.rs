//! A connector that chooses between several servers: how sessions are spread, and what applications
//! notice when a server dies, hangs or drains.

mod chosen;
mod faults;
mod lists;
mod roles;
mod stats;
mod warm;
mod wrong;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use harness::raw::{Session, message};
use harness::{Address, Several, until};

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

/// One connect: how long it took until a query could be asked, or what it met instead.
#[derive(Debug)]
pub struct Connect {
    took: Duration,
    met: Option<String>,
}

fn connect(address: Address, then: Then) -> Connect {
    let begun = Instant::now();
    let met = begin(address, then).err();
    let took = begun.elapsed();
    Connect { took, met }
}

/// What becomes of a session once it has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    End,
    /// A query is asked, and has to be answered.
    Query,
}

fn begin(address: Address, then: Then) -> Result<(), String> {
    let mut session = Session::try_connect(address.socket()).map_err(|error| error.to_string())?;
    let startup = message::startup(&[("user", "postgres")]);
    session
        .try_send(startup)
        .map_err(|error| error.to_string())?;
    is_ready(&mut session)?;
    if then == Then::Query {
        let sent = session.try_send(message::query("select 1"));
        sent.map_err(|error| error.to_string())?;
        is_ready(&mut session)?;
    }
    let _ = session.try_send(message::terminate());
    Ok(())
}

fn is_ready(session: &mut Session) -> Result<(), String> {
    loop {
        let message = session.read().map_err(|ended| format!("{ended:?}"))?;
        match message.tag {
            b'Z' => return Ok(()),
            b'E' => return Err(format!("{message:?}")),
            _ => {}
        }
    }
}

/// Connects every 10 ms while `fault` is brought about and for so long after it; gives what all of
/// them met.
pub fn under_connects(
    address: Address,
    then: Then,
    after: Duration,
    fault: impl FnOnce(),
) -> Vec<Connect> {
    /// Between two connects.
    const PAUSE: Duration = Duration::from_millis(10);
    let (done, connects) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let (done, connects) = (&done, &connects);
        // Even where something panics: a scope waits for its threads.
        let _end = Set(done);
        scope.spawn(move || {
            let mut next = Instant::now();
            while !done.load(Ordering::Relaxed) {
                scope.spawn(move || {
                    let connect = connect(address, then);
                    connects.lock().unwrap().push(connect);
                });
                next += PAUSE;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let count = || connects.lock().unwrap().len();
        until("connects to begin", || (count() > 20).then_some(()));
        fault();
        let end = Instant::now() + after;
        until("the time to be over", || {
            (Instant::now() > end).then_some(())
        });
    });
    connects.into_inner().unwrap()
}

/// Set when this goes.
struct Set<'a>(&'a AtomicBool);

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// None of them failed, and none took longer than promised.
#[track_caller]
pub fn none_fails(connects: &[Connect], promise: Duration) {
    assert!(connects.len() > 50, "only {} connects", connects.len());
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
