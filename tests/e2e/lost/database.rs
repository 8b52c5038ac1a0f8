//! A database that is stopped or killed, or ends a session.

use std::thread;

use harness::raw::{Ended, Session, message, tags};
use harness::until;

use super::{Stand, farewell, is_served, plain, turned_away};

/// Waits until the server's health is this; it looks at the database once in a while only.
#[track_caller]
fn health_becomes(stand: &Stand, status: u16) {
    until("the server to notice", || {
        (stand.link.server.ops("/health").status == status).then_some(())
    });
}

#[test]
fn postgresqls_own_words_pass_when_it_is_stopped() {
    let mut stand = Stand::start(&plain());
    let sessions = [stand.session(), stand.running("select pg_sleep(600)")];
    stand.link.database.stop();
    for session in sessions {
        let error = farewell(session, "a stopped database's");
        assert_eq!(error.sqlstate(), "57P01");
        let says = error.field(b'M').unwrap();
        assert_eq!(says, "terminating connection due to administrator command");
    }
    let error = turned_away(stand.link.address());
    assert_eq!(error.sqlstate(), "08006");
    assert!(
        error
            .field(b'M')
            .unwrap()
            .contains("cannot reach its database")
    );
    health_becomes(&stand, 503);
    stand.link.database.start_again();
    is_served(stand.link.address());
    health_becomes(&stand, 200);
}

#[test]
fn sessions_of_a_killed_database_end_with_an_error() {
    let mut stand = Stand::start(&plain());
    let mut in_block = stand.session();
    in_block.query("begin");
    let sessions = [
        stand.session(),
        in_block,
        stand.running("select pg_sleep(600)"),
    ];
    stand.link.database.kill();
    for session in sessions {
        assert_eq!(farewell(session, "a killed database's").sqlstate(), "57P01");
    }
    assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
    stand.link.database.start_again();
    is_served(stand.link.address());
}

/// Reads on in a result that ends too soon. Gives the SQLSTATE of the one error that ends it.
fn cut_off(mut session: Session) -> String {
    let mut rows = 1;
    loop {
        match session.read() {
            Ok(message) if message.tag == b'D' => rows += 1,
            Ok(message) if message.tag == b'E' => {
                assert_eq!(session.read(), Err(Ended::Closed));
                return message.sqlstate();
            }
            // PostgreSQL warns of a shutdown that does not wait.
            Ok(message) if message.tag == b'N' => {}
            other => panic!("{other:?} after {rows} rows"),
        }
    }
}

#[test]
fn a_result_that_a_shutdown_cuts_off_ends_with_one_error() {
    let mut stand = Stand::start(&plain());
    for round in 0..4 {
        let results = [10, 1000, 7000].map(|length| {
            let passes = format!("repeat('x', {length})");
            let searched = format!("decode(repeat('61', {length}), 'hex')");
            [passes, searched].map(|value| {
                let sql = format!("select {value}, generate_series(1, 100000000)");
                let mut session = stand.session();
                session.send(message::query(&sql));
                for tag in *b"TD" {
                    assert_eq!(session.read().unwrap().tag, tag);
                }
                session
            })
        });
        let results = results.into_iter().flatten();
        let results: Vec<_> = results
            .map(|session| thread::spawn(|| cut_off(session)))
            .collect();
        match round % 2 {
            0 => stand.link.database.stop(),
            _ => stand.link.database.kill(),
        }
        for result in results {
            assert!(result.join().unwrap().starts_with("57P0"), "round {round}");
        }
        stand.link.database.start_again();
    }
    is_served(stand.link.address());
}

#[test]
fn an_application_that_is_sending_when_the_database_is_killed_hears_of_it() {
    let mut stand = Stand::start(&plain());
    stand
        .link
        .database
        .query("create unlogged table t (x text)");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let mut session = stand.session();
            session.send(message::query("copy t from stdin"));
            assert_eq!(session.read().unwrap().tag, b'G');
            thread::spawn(move || {
                let rows = message::copy_data(&b"a line of it\n".repeat(1000));
                while session.try_send(&rows).is_ok() {}
                farewell(session, "an application that is sending")
            })
        })
        .collect();
    until("the data to flow", || {
        let size = stand.link.database.value("select pg_relation_size('t')");
        (size.len() > 6).then_some(())
    });
    stand.link.database.kill();
    for thread in threads {
        assert_eq!(thread.join().unwrap().sqlstate(), "57P01");
    }
}

#[test]
fn a_session_that_an_administrator_ends_is_told_by_postgresql() {
    let stand = Stand::start(&plain());
    let session = stand.running("select pg_sleep(600)");
    let other = stand.session();
    let end =
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%sleep(600)'";
    stand.link.database.query(end);
    let error = farewell(session, "the ended one");
    assert_eq!(error.sqlstate(), "57P01");
    let says = error.field(b'M').unwrap();
    assert_eq!(says, "terminating connection due to administrator command");
    let mut other = other;
    assert_eq!(tags(&other.query("select 1")), "TDCZ");
}
