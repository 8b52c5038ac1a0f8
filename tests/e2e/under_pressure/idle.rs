//! Many sessions at once, each of which has done something and is idle: they are cheap.

use std::env;

use harness::raw::{Session, rows, tags};
use harness::{Chain, Process, Settings, raise_file_limit};

use super::Stand;

const COUNT: usize = 400;
const LONG_COUNT: usize = 2000;

/// What an idle session may take of both programs' memory together, in bytes. The programs under
/// test are built without optimisation, and their futures are larger for it.
const ROOM: u64 = 57 << 10;

#[test]
fn sessions_by_the_thousand_are_served_and_cost_little_when_idle() {
    let count = env::var_os("PGSEAL_TEST_LONG").map_or(COUNT, |_| LONG_COUNT);
    raise_file_limit(count as u64 + 1000);
    let settings = Settings::new().line(&format!("max_connections = {}", count + 50));
    let stand = Stand::start(&Chain::builder().settings(settings));
    // More than the buffers hold, there and back.
    let ask = |session: &mut Session| {
        let answer = session.query(&format!(
            "select length('{}'), repeat('y', 200000)",
            "x".repeat(200_000)
        ));
        assert_eq!(tags(&answer), "TDCZ");
        assert_eq!(rows(&answer)[0][1].as_ref().unwrap().len(), 200_000);
    };
    let begin = || {
        let mut sessions: Vec<Session> = (0..count / 2).map(|_| stand.session()).collect();
        sessions.iter_mut().for_each(ask);
        sessions
    };
    // Whatever programs take once, they have then: of memory for long rows, which is given back, the
    // allocator keeps some megabytes.
    let mut sessions = begin();
    let programs = || {
        let link = &stand.link;
        [link.server.process(), link.connector.process()].map(Process::resident_memory)
    };
    let before = programs();
    let more = begin();
    let each: Vec<u64> = programs()
        .iter()
        .zip(before)
        .map(|(now, before)| now.saturating_sub(before) / more.len() as u64)
        .collect();
    sessions.extend(more);
    println!("an idle session of {count} takes {each:?} bytes of server and connector");
    assert!(each.iter().sum::<u64>() <= ROOM, "{each:?}");
    // All of them are there.
    for session in &mut sessions {
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
}
