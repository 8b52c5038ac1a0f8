//! Applications that vanish, or do not read.

use harness::raw::{message, tags};
use harness::{Process, Settings, until};

use super::{Stand, plain};

/// How much more memory than before a program may have used, in bytes.
const ROOM: u64 = 16 << 20;

#[test]
fn an_application_that_vanishes_leaves_no_session_behind() {
    let stand = Stand::start(&plain());
    for vanished in [
        "select repeat('x', 1000) from generate_series(1, 1000000)",
        "select decode(repeat('61', 1000), 'hex') from generate_series(1, 1000000)",
        "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout",
    ] {
        let mut session = stand.session();
        session.send(message::query(vanished));
        session.read().unwrap();
        session.read().unwrap();
        drop(session);
        stand.no_session_is_left();
    }
    let mut asking = stand.session();
    asking.send(&message::query("select 1")[..7]);
    drop(asking);
    let mut in_block = stand.session();
    in_block.query("begin");
    drop(in_block);
    stand.no_session_is_left();
}

#[test]
fn a_query_runs_on_without_its_application_only_where_postgresql_lets_it() {
    let looks = Settings::new().line("client_connection_check_interval = '100ms'");
    let stand = Stand::start(&plain().settings(looks));
    // One hangs up, and one is cut off.
    let hangs_up = stand.running("select pg_sleep(600)");
    drop(hangs_up);
    stand.no_session_is_left();
    let mut asks_on = stand.running("select pg_sleep(600)");
    asks_on.send(message::query("select 1"));
    drop(asks_on);
    stand.no_session_is_left();
}

#[test]
fn an_application_that_does_not_read_stalls_only_itself_and_costs_no_memory() {
    let stand = Stand::start(&plain());
    let mut other = stand.session();
    let programs: [&Process; 2] = [stand.link.server.process(), stand.link.connector.process()];
    let before = programs.map(Process::peak_memory);
    // 500 MB, as text that passes and as bytes that might have to be opened.
    let mut deaf = [
        "repeat('x', 1000000)",
        "decode(repeat('61', 500000), 'hex')",
    ]
    .map(|value| {
        let mut session = stand.session();
        let sql = format!("select {value} from generate_series(1, 500)");
        session.send(message::query(&sql));
        session
    });
    until("the database to wait for both", || {
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'";
        (stand.link.database.value(waiting) == "2").then_some(())
    });
    for _ in 0..100 {
        assert_eq!(tags(&other.query("select 1")), "TDCZ");
    }
    for session in &mut deaf {
        assert_eq!(session.read().unwrap().tag, b'T');
        for _ in 0..500 {
            assert!(session.read().unwrap().body.len() > 1_000_000);
        }
        assert_eq!(tags(&session.read_until_ready()), "CZ");
    }
    for (process, before) in programs.into_iter().zip(before) {
        let grown = process.peak_memory() - before;
        assert!(grown < ROOM, "{grown} bytes more than before: {process:?}");
    }
}
