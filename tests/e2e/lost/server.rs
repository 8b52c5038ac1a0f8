//! A server that is killed or hangs.

use std::fs;
use std::thread;

use harness::raw::{Ended, message, tags};
use harness::{Process, Signal, until};

use super::{Stand, farewell, is_served, plain, turned_away};

#[test]
fn sessions_of_a_killed_server_end_with_an_error_and_later_ones_find_it_again() {
    let mut stand = Stand::start(&plain());
    let mut in_block = stand.session();
    in_block.query("begin");
    let mut copying = stand.session();
    copying.send(message::query(
        "copy (select 1) to stdout; copy pg_temp.none from stdin",
    ));
    copying.read_until_ready();
    let sessions = [
        ("idle", stand.session()),
        ("in a transaction", in_block),
        ("after a COPY", copying),
        ("waiting", stand.running("select pg_sleep(600)")),
    ];
    // So long a row is still on its way when the server dies.
    let mut in_row = stand.session();
    in_row.send(message::query("select repeat('x', 200000000)"));
    assert_eq!(in_row.read().unwrap().tag, b'T');
    assert_eq!(in_row.read_byte(), Ok(b'D'));

    stand.link.server.process().kill();
    for (whose, session) in sessions {
        assert_eq!(farewell(session, whose).sqlstate(), "57P01", "{whose}");
    }
    // In the middle of a message nothing can be said.
    let rest = in_row.last_words("in a row");
    assert!(rest.len() < 200_000_000);
    assert!(
        rest.ends_with(b"xxxx"),
        "{}",
        rest[rest.len() - 80..].escape_ascii()
    );

    assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
    stand.link.server.restart();
    is_served(stand.link.address());
}

#[test]
fn a_server_killed_under_load_ends_every_session_with_an_error() {
    let stand = Stand::start(&plain());
    let counting = |number: usize| {
        let mut session = stand.session();
        thread::spawn(move || {
            // Rows in one message each, in one chunk with others.
            let sql = format!("select repeat('y', {number}) from generate_series(1, 50)");
            for count in 0.. {
                if session.try_send(message::query(&sql)).is_err() {
                    return (count, Err(Ended::Closed));
                }
                loop {
                    match session.read() {
                        Ok(message) if message.tag == b'Z' => break,
                        Ok(message) if message.tag == b'E' => {
                            return (count, Ok(message.sqlstate()));
                        }
                        Ok(_) => {}
                        Err(ended) => return (count, Err(ended)),
                    }
                }
            }
            unreachable!("it counts without end")
        })
    };
    let threads: Vec<_> = (0..8).map(|number| counting(10 * number)).collect();
    let started = "select count(*) from pg_stat_activity
                   where query like '%repeat%' and pid <> pg_backend_pid()";
    until("the load to begin", || {
        (stand.link.database.value(started) == "8").then_some(())
    });
    stand.link.server.process().kill();
    for thread in threads {
        let (count, end) = thread.join().unwrap();
        // Cut in a message, or told.
        assert!(
            matches!(end.as_deref(), Ok("57P01") | Err(Ended::Closed)),
            "{count}: {end:?}"
        );
    }
    assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
}

/// Whether every thread of it has come to its stop.
fn is_stopped(process: &Process) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap();
    let mut stats = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("stat")));
    stats.all(|stat| stat.unwrap().contains(") T "))
}

#[test]
fn a_server_that_hangs_is_given_up_after_connect_timeout() {
    let stand = Stand::start(&plain().connector("connect_timeout = '2s'"));
    let mut running = stand.session();
    let server = stand.link.server.process();
    server.signal(Signal::STOP);
    until("all of the server to stop", || {
        is_stopped(server).then_some(())
    });
    assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
    running.send(message::query("select 1"));
    server.signal(Signal::CONT);
    assert_eq!(tags(&running.read_until_ready()), "TDCZ");
    is_served(stand.link.address());
}
