//! A cancel request reaches the process that has taken over, and means a session of one before.

use harness::raw::{Ended, message, tags};
use harness::{Link, until};

use super::{open, start};

fn is_asleep(link: &Link) -> bool {
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    link.database.value(sleeping) == "1"
}

#[test]
fn a_query_of_a_process_before_is_cancelled_through_those_that_took_over() {
    let (_keys, mut link) = start();
    let (mut session, key) = open(&link);
    let mut before = Vec::new();
    for restarts in ["server", "connector", "server"] {
        before.push(match restarts {
            "server" => link.server.hand_over(),
            _ => link.connector.hand_over(),
        });
        session.send(message::query("select pg_sleep(600)"));
        until("the query to begin", || is_asleep(&link).then_some(()));
        let mut other = link.address().raw();
        let mut wrong = key.clone();
        wrong[7] ^= 1;
        other.send(message::cancel_request(&wrong));
        assert_eq!(other.read(), Err(Ended::Closed));
        assert!(is_asleep(&link), "another key means another session");
        let mut request = link.address().raw();
        request.send(message::cancel_request(&key));
        assert_eq!(request.read(), Err(Ended::Closed));
        let answer = session.read_until_ready();
        assert_eq!(answer[answer.len() - 2].sqlstate(), "57014");
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
    drop(session);
    for process in &before {
        assert!(process.wait().success());
    }
}
