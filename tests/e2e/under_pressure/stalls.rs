//! Who stalls, an application or a database, stalls its own session and no other.

use std::time::{Duration, Instant};

use harness::raw::{Session, literal, message, rows, tags};
use harness::{Chain, until};
use rustix::process::{Pid, Signal, kill_process};

use super::Stand;

/// How long another may wait, with time to spare on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(2);

/// Sessions of each kind that stall.
const STALLED: usize = 6;

/// A process of PostgreSQL that does nothing until it is dropped.
struct Stopped(Pid);

impl Stopped {
    fn new(session: &mut Session) -> Self {
        let answer = session.query("select pg_backend_pid()");
        let pid = rows(&answer).remove(0).remove(0).unwrap();
        let pid = String::from_utf8(pid).unwrap().parse().unwrap();
        let stopped = Self(Pid::from_raw(pid).unwrap());
        kill_process(stopped.0, Signal::STOP).unwrap();
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn sessions_that_stall_hold_up_no_others() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let sealed = literal(&stand.app.seal(&[b'x'; 1000]).unwrap());
    let table = format!("create table stored as select {sealed} as value");
    stand.link.database.query(&table);

    // Applications that ask for a lot, in the clear and opened, and do not read.
    let mut unread: Vec<Session> = (0..STALLED).map(|_| stand.session()).collect();
    for (number, session) in unread.iter_mut().enumerate() {
        session.send(message::query(match number % 2 {
            0 => "select value from stored, generate_series(1, 40000)",
            _ => "select repeat('y', 1000000) from generate_series(1, 40)",
        }));
    }
    // Databases that do not take what is sent to them.
    let mut untaken: Vec<Session> = (0..STALLED).map(|_| stand.session()).collect();
    let stopped: Vec<Stopped> = untaken.iter_mut().map(Stopped::new).collect();
    for session in &mut untaken {
        session.send(message::query("select 1"));
    }
    until("the unread results to stand still", || {
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'";
        (stand.link.database.value(waiting) == STALLED.to_string()).then_some(())
    });

    let mut other = stand.session();
    let mut longest = Duration::ZERO;
    for _ in 0..300 {
        let begun = Instant::now();
        let answer = other.extended("select value from stored", 1);
        longest = longest.max(begun.elapsed());
        assert_eq!(rows(&answer), [[Some(vec![b'x'; 1000])]]);
    }
    let begun = Instant::now();
    assert_eq!(tags(&stand.session().query("select 1")), "TDCZ");
    longest = longest.max(begun.elapsed());
    println!("the longest wait was {longest:?}");
    assert!(longest < LIMIT, "somebody waited for {longest:?}");

    // They go on where they stood.
    drop(stopped);
    for session in &mut untaken {
        assert_eq!(tags(&session.read_until_ready()), "TDCZ");
    }
    for session in &mut unread {
        let answer = session.read_until_ready();
        let expected = tags(&answer[..1]).len() + rows(&answer).len() + 2;
        assert_eq!(answer.len(), expected);
    }
}
