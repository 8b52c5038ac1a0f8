//! A cancel request is over when PostgreSQL has dealt with it, and no sooner: whoever sends one
//! waits for that.

use std::time::Duration;

use harness::raw::{Ended, message, tags};
use harness::{Chain, until};
use memchr::memmem;

use super::Stand;

#[test]
fn a_cancel_request_is_not_over_before_postgresql_has_dealt_with_it() {
    let stand = Stand::start(&Chain::builder().tapped());
    let tap = stand.link.database_tap.as_ref().unwrap();
    let (mut session, key) = stand.session_with_key();
    session.send(message::query("select pg_sleep(600)"));
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    until("the query to sleep", || {
        (stand.link.database.value(asleep) == "1").then_some(())
    });

    // What goes to the database is recorded, and does not get there.
    tap.stall();
    let mut request = stand.link.address().raw();
    request.send(message::cancel_request(&key));
    until("the request to be on its way to the database", || {
        memmem::find(&tap.app_to_db(), &message::cancel_request(&key))
    });
    request.set_timeout(Duration::from_millis(300));
    assert_eq!(request.read(), Err(Ended::TimedOut));
    assert_eq!(stand.link.database.value(asleep), "1");

    tap.flow();
    request.set_timeout(harness::PATIENCE);
    assert_eq!(request.read(), Err(Ended::Closed));
    let answer = session.read_until_ready();
    assert_eq!(tags(&answer), "TEZ");
    assert_eq!(answer[1].sqlstate(), "57014");
}

/// How long the database may take to accept a connection, here; a request may take longer.
const SHORT: &str = "database.connect_timeout = '300ms'";

#[test]
fn a_query_waits_for_a_cancel_request_however_slow_the_database_is() {
    let stand = Stand::start(&Chain::builder().tapped().server(SHORT));
    let tap = stand.link.database_tap.as_ref().unwrap();
    let (mut session, key) = stand.session_with_key();
    tap.stall();
    let mut request = stand.link.address().raw();
    request.send(message::cancel_request(&key));
    until("the request to be on its way to the database", || {
        memmem::find(&tap.app_to_db(), &message::cancel_request(&key))
    });
    session.send(message::query("select 'a later one'"));
    request.set_timeout(Duration::from_secs(1));
    assert_eq!(request.read(), Err(Ended::TimedOut));
    let sent = memmem::find(&tap.app_to_db(), b"a later one");
    assert_eq!(sent, None, "the request could have hit it");
    tap.flow();
    request.set_timeout(harness::PATIENCE);
    assert_eq!(request.read(), Err(Ended::Closed));
    assert_eq!(tags(&session.read_until_ready()), "TDCZ");
}

/// Cancel requests at once.
const STORM: usize = 300;

#[test]
fn a_storm_of_cancel_requests_for_a_session_takes_two_connections_to_the_database() {
    let stand = Stand::start(&Chain::builder().tapped());
    let tap = stand.link.database_tap.as_ref().unwrap();
    let (mut session, key) = stand.session_with_key();
    session.send(message::query("select pg_sleep(600)"));
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    until("the query to sleep", || {
        (stand.link.database.value(asleep) == "1").then_some(())
    });
    let before = tap.connections();
    tap.stall();
    let mut storm: Vec<_> = (0..STORM).map(|_| stand.link.address().raw()).collect();
    for request in &mut storm {
        request.send(message::cancel_request(&key));
    }
    until("all of them to have found their session", || {
        (stand.link.server.counted("cancels_total") == STORM as u64).then_some(())
    });
    tap.flow();
    for request in &mut storm {
        assert_eq!(request.read(), Err(Ended::Closed));
    }
    assert_eq!(session.read_until_ready()[1].sqlstate(), "57014");
    assert_eq!(tags(&session.query("select 'the next one'")), "TDCZ");
    assert!(
        tap.connections() - before <= 2,
        "{}",
        tap.connections() - before
    );
}
