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
    let mut session = stand.link.address().raw();
    let greeting = session.start();
    let key = &greeting
        .iter()
        .find(|message| message.tag == b'K')
        .unwrap()
        .body;
    session.send(message::query("select pg_sleep(600)"));
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    until("the query to sleep", || {
        (stand.link.database.value(asleep) == "1").then_some(())
    });

    // What goes to the database is recorded, and does not get there.
    tap.stall();
    let mut request = stand.link.address().raw();
    request.send(message::cancel_request(key));
    until("the request to be on its way to the database", || {
        memmem::find(&tap.app_to_db(), &message::cancel_request(key))
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
