//! A server that is killed, hangs, drains or restarts while applications connect.

mod dropped;

use std::time::{Duration, Instant};

use harness::http::Request;
use harness::raw::{Session, message, tags};
use harness::{Several, Signal, until};

use super::{Then, all_up, in_turn, is_up, none_fails, session, under_connects};

/// As it is by default.
const PROMPT: &str = "checks.timeout = '500ms'";

/// Opens sessions until one is on the first server.
fn session_on_first(several: &Several) -> Session {
    let first = &several.servers[0];
    until("a session on the first server", || {
        let before = first.counted("sessions");
        let session = session(several);
        (first.counted("sessions") > before).then_some(session)
    })
}

/// The session ends with this error, within this time of the fault.
#[track_caller]
fn ends_with(mut session: Session, code: &str, since: Instant, promise: Duration) {
    let heard = session.read_until_closed();
    let after = since.elapsed();
    assert_eq!(tags(&heard), "E");
    assert_eq!(heard[0].sqlstate(), code);
    assert!(after < promise, "only after {after:?}");
}

#[test]
fn a_server_that_is_killed_fails_no_connect() {
    let _turn = in_turn();
    let several = Several::start(2, &[], &[PROMPT]);
    all_up(&several);
    let lost = session_on_first(&several);
    let promise = Duration::from_secs(1);
    let connects = under_connects(several.address(), Then::End, 2 * promise, || {
        let begun = Instant::now();
        several.servers[0].process().kill();
        ends_with(lost, "57P01", begun, promise);
    });
    none_fails(&connects, harness::PATIENCE);
    is_up(&several, several.servers[0].port(), 0);
}

#[test]
fn a_server_that_hangs_fails_no_connect() {
    let _turn = in_turn();
    let several = Several::start(2, &[], &[PROMPT]);
    all_up(&several);
    let lost = session_on_first(&several);
    let hung = several.servers[0].process();
    let connects = under_connects(several.address(), Then::End, Duration::from_secs(3), || {
        let begun = Instant::now();
        hung.signal(Signal::STOP);
        ends_with(lost, "57P01", begun, Duration::from_secs(3));
    });
    hung.signal(Signal::CONT);
    none_fails(&connects, Duration::from_secs(2));
    // It comes back by itself.
    is_up(&several, several.servers[0].port(), 1);
    drop(session_on_first(&several));
}

#[test]
fn a_server_that_drains_fails_no_connect_and_finishes_its_sessions() {
    let _turn = in_turn();
    let several = Several::start(2, &[], &[PROMPT]);
    all_up(&several);
    let mut running = session_on_first(&several);
    running.send(message::query("select pg_sleep(4)"));
    let drained = several.servers[0].process();
    let connects = under_connects(several.address(), Then::End, Duration::from_secs(3), || {
        drained.signal(Signal::TERM);
    });
    none_fails(&connects, Duration::from_secs(1));
    assert_eq!(tags(&running.read_until_ready()), "TDCZ");
    running.send(message::terminate());
    assert_eq!(drained.wait().code(), Some(0));
}

#[test]
fn a_server_that_an_operator_drains_fails_no_connect_and_is_put_back() {
    let _turn = in_turn();
    let several = Several::start(2, &[], &["checks.slow_start = '0s'"]);
    all_up(&several);
    let mut running = session_on_first(&several);
    let first = &several.servers[0];
    let (admin, app) = (
        several.keys.admin_identity("root"),
        several.keys.client_identity("app"),
    );
    let ask = |identity, draining: bool| {
        let body = format!("{{\"draining\": {draining}}}");
        let request = Request::post("/v1/drain").body(&body);
        first.control(identity, &request)
    };
    assert_eq!(ask(&app, true).status, 403);
    let started = first.counted("sessions_started_total");
    let connects = under_connects(
        several.address(),
        Then::Query,
        Duration::from_secs(1),
        || {
            let answer = ask(&admin, true);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["availability"], "draining");
        },
    );
    none_fails(&connects, harness::PATIENCE);
    assert_eq!(first.ops("/health").status, 503);
    let drained = first.counted("sessions_started_total");
    for _ in 0..4 {
        drop(session(&several));
    }
    assert_eq!(first.counted("sessions_started_total"), drained);
    assert!(drained >= started);
    assert_eq!(tags(&running.query("select 1")), "TDCZ");
    assert_eq!(ask(&admin, false).json()["availability"], "accepting");
    drop(session_on_first(&several));
    let log = first.process().log();
    assert_eq!(log.matches("no new sessions are taken").count(), 1, "{log}");
}

#[test]
fn servers_restart_one_after_the_other_and_no_connect_and_no_query_fails() {
    let _turn = in_turn();
    let mut several = Several::start(2, &[], &["checks.slow_start = '0s'"]);
    all_up(&several);
    let connects = {
        let address = several.address();
        let servers = &mut several.servers;
        let connector = &several.connector;
        under_connects(address, Then::Query, Duration::from_secs(1), || {
            for server in servers {
                server.process().signal(Signal::TERM);
                assert_eq!(server.process().wait().code(), Some(0));
                server.restart();
                let line = format!("server_up{{server=\"127.0.0.1:{}\"}}", server.port());
                until("the connector to know that it is back", || {
                    (connector.counted(&line) == 1).then_some(())
                });
            }
        })
    };
    none_fails(&connects, harness::PATIENCE);
}
