//! Batches behind a refused value, whole and half sent.

use harness::raw::{message, tags};
use harness::until;

use super::{
    BAD, BAD_MANY, FAILS, GOOD, Stand, batch, is_usable, is_usable_after_rollback, next_error,
    read_up_to, run, seen,
};

#[test]
fn a_batch_half_sent_behind_a_refusal_in_a_block_fails_at_its_sync() {
    let stand = Stand::start();
    for (second, error) in [
        (GOOD, "25P02"),
        ("savepoint a", "25P02"),
        (BAD, "42501"),
        (FAILS, "22012"),
        ("nonsense", "42601"),
    ] {
        let mut session = stand.in_block();
        session.send([run(BAD), message::sync(), run(second)].concat());
        assert_eq!(seen(&session.read_until_ready()), "1 2 E42501 ZE");
        session.send(message::sync());
        assert_eq!(next_error(&mut session, second).as_deref(), Some(error));
        is_usable_after_rollback(session);
    }
}

#[test]
fn a_batch_that_stays_half_sent_behind_a_refusal_in_a_block_hears_of_its_failure() {
    let stand = Stand::start();
    let mut session = stand.in_block();
    session.send([run(BAD), message::sync(), run(GOOD), message::flush()].concat());
    assert_eq!(seen(&session.read_until_ready()), "1 2 E42501 ZE");
    assert_eq!(seen(&read_up_to(&mut session, b'E')), "1 2 D C E25P02");
    // PostgreSQL would ignore all of this.
    session.send([run(GOOD), run(FAILS), run("commit"), message::sync()].concat());
    assert_eq!(seen(&session.read_until_ready()), "ZE");
    is_usable_after_rollback(session);
}

#[test]
fn whole_batches_behind_a_refusal_in_a_block_are_answered_and_the_block_is_lost() {
    let stand = Stand::start();
    let insert = "insert into made values (1)";
    type Way = fn(&str) -> Vec<u8>;
    let ways: [[Way; 2]; 3] = [
        [batch, batch],
        [batch, message::query],
        [message::query, batch],
    ];
    for [first, second] in ways {
        let mut session = stand.in_block();
        session.send([first(BAD), second(insert), first(BAD), second(FAILS)].concat());
        for expected in ["E42501 ZE", "C ZE", "E42501 ZE", "E22012 ZE"] {
            let answer = seen(&session.read_until_ready());
            assert!(answer.ends_with(expected), "{answer}, not {expected}");
        }
        is_usable_after_rollback(session);
    }
    assert_eq!(stand.link.database.value("select count(*) from made"), "0");
}

#[test]
fn a_query_before_the_sync_of_a_failed_batch_is_ignored_whoever_failed_it() {
    let stand = Stand::start();
    for (fails, error) in [(FAILS, "22012"), (BAD, "42501"), (BAD_MANY, "42501")] {
        for (in_block, ends, next) in [(false, "ZI", "T D C ZI"), (true, "ZE", "E25P02 ZE")] {
            let session = || match in_block {
                false => stand.session(),
                true => stand.in_block(),
            };
            // All at once.
            let mut at_once = session();
            let begun = [run(fails), message::query(GOOD)].concat();
            let rest = [run(GOOD), message::sync()].concat();
            at_once.send([begun.as_slice(), &rest].concat());
            // Half of it, and the rest once the error has come.
            let mut in_turns = session();
            in_turns.send(&begun);
            let heard = seen(&read_up_to(&mut in_turns, b'E'));
            assert!(heard.ends_with(&format!("E{error}")), "{heard}");
            in_turns.send(&rest);
            assert_eq!(seen(&in_turns.read_until_ready()), ends, "{fails}");
            let heard = seen(&at_once.read_until_ready());
            assert!(heard.ends_with(&format!("E{error} {ends}")), "{heard}");
            for mut session in [at_once, in_turns] {
                assert_eq!(seen(&session.query(GOOD)), next, "{fails}");
                match in_block {
                    false => is_usable(session),
                    true => is_usable_after_rollback(session),
                }
            }
        }
    }
}

#[test]
fn postgresqls_last_words_reach_an_application_that_waits_behind_a_refusal() {
    let stand = Stand::start();
    let mut session = stand.session();
    session.send(message::query(&format!("{BAD_MANY}; select pg_sleep(600)")));
    assert_eq!(seen(&read_up_to(&mut session, b'E')), "T E42501");
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'";
    until("the query to sleep, and to be ended", || {
        (!stand.link.database.query(end).is_empty()).then_some(())
    });
    let rest = session.read_until_closed();
    assert_eq!(seen(&rest), "E57P01");
    assert_eq!(rest[0].field(b'V').as_deref(), Some("FATAL"));
    let says = rest[0].field(b'M').unwrap();
    assert!(says.contains("administrator"), "PostgreSQL's own: {says}");
}

#[test]
fn what_runs_on_behind_a_refusal_is_not_taken_for_an_answer_to_what_comes_next() {
    let stand = Stand::start();
    let sleep = "do $$ begin perform pg_sleep(0.2); end $$";
    let begun = [run(BAD_MANY), run(sleep), run(GOOD), message::flush()].concat();
    let next = [message::query(GOOD), message::query(BAD_MANY)].concat();
    let rest = [message::sync(), next].concat();
    let mut session = stand.session();
    session.send(&begun);
    assert_eq!(seen(&read_up_to(&mut session, b'E')), "1 2 E42501");
    session.send(&rest);
    for expected in ["ZI", "T D C ZI", "T E42501 ZI"] {
        assert_eq!(seen(&session.read_until_ready()), expected);
    }
    is_usable(session);
    let mut session = stand.in_block();
    session.send(&begun);
    assert_eq!(seen(&read_up_to(&mut session, b'E')), "1 2 E42501");
    session.send(&rest);
    for expected in ["ZE", "E25P02 ZE", "E25P02 ZE"] {
        assert_eq!(seen(&session.read_until_ready()), expected);
    }
    is_usable_after_rollback(session);
}

#[test]
fn a_goodbye_behind_a_refusal_ends_the_session() {
    let stand = Stand::start();
    let goodbyes = [
        [message::query(BAD), message::terminate()].concat(),
        [batch(BAD), message::terminate()].concat(),
        [run(BAD), message::flush(), message::terminate()].concat(),
        [
            message::query(BAD),
            message::query(BAD),
            message::terminate(),
        ]
        .concat(),
    ];
    for goodbye in goodbyes {
        for mut session in [stand.session(), stand.in_block()] {
            session.send(&goodbye);
            let heard = session.read_until_closed();
            assert!(
                heard.iter().all(|message| message.tag != b'D'),
                "{}",
                tags(&heard)
            );
        }
    }
    is_usable(stand.session());
}
