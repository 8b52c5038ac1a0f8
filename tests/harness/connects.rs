//! What applications meet that connect all the time, while something is done to what they connect to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::raw::{Session, message};

/// One connect: how long it took until a query could be asked, or what it met instead.
#[derive(Clone, Debug)]
pub struct Connect {
    /// When it began.
    pub begun: Instant,
    /// How long it took to succeed or to fail.
    pub took: Duration,
    /// What it met, if it failed.
    pub met: Option<String>,
}

/// What becomes of a session once it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    End,
    /// A query is asked, and has to be answered.
    Query,
}

/// Connects once every `pace` while `during` runs, which is from when some have; gives what all of them met.
/// One that is not answered within `limit` has failed.
pub fn connects(
    address: Address,
    then: Then,
    pace: Duration,
    limit: Duration,
    during: impl FnOnce(),
) -> Vec<Connect> {
    let (done, connects) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let (done, connects) = (&done, &connects);
        // Even where something panics: a scope waits for its threads.
        let _end = Set(done);
        scope.spawn(move || {
            let mut next = Instant::now();
            while !done.load(Ordering::Relaxed) {
                scope.spawn(move || {
                    let connect = connect(address, then, limit);
                    connects.lock().expect("none panics with it").push(connect);
                });
                next += pace;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        crate::until("connects to begin", || {
            (connects.lock().expect("none panics with it").len() > 20).then_some(())
        });
        during();
    });
    connects.into_inner().expect("none has panicked with it")
}

fn connect(address: Address, then: Then, limit: Duration) -> Connect {
    let begun = Instant::now();
    let met = begin(address, then, limit).err();
    Connect {
        begun,
        took: begun.elapsed(),
        met,
    }
}

fn begin(address: Address, then: Then, limit: Duration) -> Result<(), String> {
    let mut session = Session::try_connect(address.socket()).map_err(|error| error.to_string())?;
    session.set_timeout(limit);
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

/// Set when this goes.
struct Set<'a>(&'a AtomicBool);

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
