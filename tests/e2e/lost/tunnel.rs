//! Networks that cut, refuse, stall and lose what is on its way.

use std::time::{Duration, Instant};

use harness::raw::{Message, message, tags};

use super::{Stand, farewell, is_served, plain, turned_away};

#[test]
fn a_cut_tunnel_ends_its_sessions_with_an_error_on_both_sides() {
    let stand = Stand::start(&plain().tapped());
    let tap = stand.link.tunnel_tap.as_ref().unwrap();
    let sessions = [stand.session(), stand.running("select pg_sleep(600)")];
    tap.cut();
    for session in sessions {
        assert_eq!(farewell(session, "the cut one").sqlstate(), "57P01");
    }
    let cancel =
        "select pg_cancel_backend(pid) from pg_stat_activity where query like '%sleep(600)'";
    stand.link.database.query(cancel);
    stand.no_session_is_left();
    is_served(stand.link.address());
}

#[test]
fn a_tunnel_that_is_refused_or_stalls_is_no_tunnel() {
    let stand = Stand::start(&plain().tapped().connector("connect_timeout = '2s'"));
    let tap = stand.link.tunnel_tap.as_ref().unwrap();
    tap.refuse();
    assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
    tap.flow();
    let mut running = stand.session();
    tap.stall();
    running.send(message::query("select 1"));
    assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
    tap.flow();
    assert_eq!(tags(&running.read_until_ready()), "TDCZ");
    is_served(stand.link.address());
}

/// Connects where nothing answers. Gives what is said, and when.
fn unanswered(stand: &Stand) -> (Message, Duration) {
    let begun = Instant::now();
    let error = turned_away(stand.link.address());
    (error, begun.elapsed())
}

#[test]
fn a_database_that_takes_a_session_and_says_nothing_is_given_up() {
    let promise = Duration::from_secs(1);
    let patient = "answer_timeout = '1h'";
    for (server, connector, says) in [
        ("1h", "1s", "the pgseal server does not answer"),
        ("1s", "1h", "the pgseal server cannot reach its database"),
    ] {
        let builder = plain()
            .tapped()
            .connector(&patient.replace("1h", connector))
            .server(&format!("database.{}", patient.replace("1h", server)));
        let stand = Stand::start(&builder);
        let mut running = stand.session();
        stand.link.database_tap.as_ref().unwrap().stall();
        let (error, after) = unanswered(&stand);
        assert_eq!(error.sqlstate(), "08006");
        assert_eq!(error.field(b'M').as_deref(), Some(says));
        assert!((promise..4 * promise).contains(&after), "{after:?}");
        // It is no end of those that have begun.
        running.send(message::query("select 1"));
        stand.link.database_tap.as_ref().unwrap().flow();
        assert_eq!(tags(&running.read_until_ready()), "TDCZ");
        is_served(stand.link.address());
    }
}

#[test]
fn a_cancel_request_that_nobody_ends_is_given_up() {
    let builder = plain().tapped().connector("answer_timeout = '1s'");
    let stand = Stand::start(&builder.server("database.connect_timeout = '1h'"));
    let mut session = stand.link.address().raw();
    let greeting = session.start();
    let key = greeting.iter().find(|message| message.tag == b'K').unwrap();
    stand.link.database_tap.as_ref().unwrap().stall();
    let begun = Instant::now();
    let mut cancel = stand.link.address().raw();
    cancel.send(message::cancel_request(&key.body));
    assert_eq!(cancel.read_until_closed(), []);
    let after = begun.elapsed();
    let promise = Duration::from_secs(1);
    assert!((promise..4 * promise).contains(&after), "{after:?}");
}

#[test]
fn a_message_whose_rest_is_lost_is_followed_by_nothing() {
    let stand = Stand::start(&plain().tapped());
    let database = stand.link.database_tap.as_ref().unwrap();
    let tunnel = stand.link.tunnel_tap.as_ref().unwrap();
    for tap in [tunnel, database] {
        // What the database still sends to a session before is none of the bytes that are counted.
        stand.no_session_is_left();
        let mut session = stand.session();
        tap.truncate_after(300_000);
        // Of a type in which nothing is looked for, so that it passes in pieces.
        session.send(message::query("select xmlcomment(repeat('x', 1000000))"));
        assert_eq!(session.read().unwrap().tag, b'T');
        let heard = session.last_words("a text cut off");
        assert_eq!(heard[0], b'D');
        assert!((100_000..300_000).contains(&heard.len()), "{}", heard.len());
        assert!(heard.ends_with(b"xxxx"));
    }
    is_served(stand.link.address());
}

#[test]
fn a_row_that_is_held_to_be_opened_and_never_gets_whole_is_an_error() {
    let stand = Stand::start(&plain().tapped());
    let mut session = stand.session();
    stand
        .link
        .database_tap
        .as_ref()
        .unwrap()
        .truncate_after(300_000);
    session.send(message::query("select decode(repeat('61', 500000), 'hex')"));
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "TE");
    assert_eq!(heard[1].sqlstate(), "57P01");
}

#[test]
fn a_database_that_is_cut_off_ends_the_session_with_an_error() {
    let stand = Stand::start(&plain().tapped());
    let tap = stand.link.database_tap.as_ref().unwrap();
    let sessions = [stand.session(), stand.running("select pg_sleep(600)")];
    tap.cut();
    for session in sessions {
        assert_eq!(farewell(session, "the cut one").sqlstate(), "57P01");
    }
    tap.refuse();
    // The database took the connection, and hung up.
    assert_eq!(turned_away(stand.link.address()).sqlstate(), "57P01");
    tap.flow();
    is_served(stand.link.address());
}
