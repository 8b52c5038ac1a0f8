//! Settings and transactions before and behind a refused value: as before and behind an error of
//! PostgreSQL's own, but for what had been committed already.

use harness::raw::{Session, message, rows};

use super::{BAD, FAILS, GOOD, Stand, errors, read_up_to, run, seen};

/// What two settings of our own hold.
fn values(session: &mut Session) -> String {
    let answer = session
        .query("select coalesce(current_setting('pg.a', true), ''), current_setting('pg.b', true)");
    let row = rows(&answer).remove(0);
    let text = |value: &Option<Vec<u8>>| {
        String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()
    };
    row.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// Steps in the simple protocol, `!` being the statement that fails; gives what is set at the end.
fn after(stand: &Stand, steps: &[&str], fails: &str) -> String {
    let mut session = stand.session();
    for step in steps {
        let sql = if *step == "!" { fails } else { step };
        let failed = errors(&session.query(sql)).len();
        assert_eq!(failed, usize::from(*step == "!"), "{sql} of {steps:?}");
    }
    let values = values(&mut session);
    assert_eq!(seen(&session.query(GOOD)), "T D C ZI");
    values
}

#[test]
fn settings_hold_or_are_undone_as_after_an_error_of_postgresql() {
    let stand = Stand::start();
    let cases: [(&[&str], &str); 6] = [
        (&["set pg.a = 1", "!", "set pg.b = 2"], "1 2"),
        (
            &[
                "set pg.a = 1",
                "begin",
                "set pg.a = 2",
                "set local pg.b = 3",
                "!",
                "rollback",
            ],
            "1 ",
        ),
        // COMMIT of a block that has failed is a ROLLBACK.
        (
            &["set pg.a = 1", "begin", "set pg.a = 2", "!", "commit"],
            "1 ",
        ),
        (
            &[
                "begin",
                "set pg.a = 1",
                "savepoint s",
                "set pg.a = 2",
                "!",
                "rollback to s",
                "set pg.b = 3",
                "commit",
            ],
            "1 3",
        ),
        (
            &[
                "begin",
                "set local pg.a = 1",
                "commit",
                "!",
                "begin",
                "set pg.b = 2",
                "commit",
            ],
            " 2",
        ),
        (
            &[
                "set pg.a = 1",
                "set pg.b = 2",
                "!",
                "discard all",
                "set pg.b = 3",
            ],
            " 3",
        ),
    ];
    for (steps, expected) in cases {
        for fails in [FAILS, BAD] {
            assert_eq!(after(&stand, steps, fails), expected, "{fails}: {steps:?}");
        }
    }
}

#[test]
fn a_batch_that_has_not_ended_is_undone_whole() {
    let stand = Stand::start();
    for fails in [FAILS, BAD] {
        let mut session = stand.session();
        session.query("set pg.a = 1");
        session.send([run("set pg.a = 2"), run(fails), message::flush()].concat());
        read_up_to(&mut session, b'E');
        session.send([run("set pg.b = 3"), message::sync()].concat());
        assert_eq!(seen(&session.read_until_ready()), "ZI", "{fails}");
        assert_eq!(values(&mut session), "1 ", "{fails}");
    }
}

#[test]
fn a_batch_that_had_ended_keeps_what_it_did_as_documented() {
    let stand = Stand::start();
    for (fails, expected) in [(FAILS, "1 "), (BAD, "2 ")] {
        let mut session = stand.session();
        session.query("set pg.a = 1");
        session.send([run("set pg.a = 2"), run(fails), message::sync()].concat());
        assert_eq!(errors(&session.read_until_ready()).len(), 1, "{fails}");
        assert_eq!(values(&mut session), expected, "{fails}");
    }
}
