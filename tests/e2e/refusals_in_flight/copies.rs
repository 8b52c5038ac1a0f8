//! `COPY … FROM STDIN` behind a refused value: the application does not hear that it has begun, and
//! it ends all the same.

use harness::raw::message;

use super::{
    BAD, BAD_MANY, COPY, FAILS, GOOD, Stand, batch, is_usable, is_usable_after_rollback,
    next_error, read_up_to, run, seen,
};

/// What an application that does not wait sends behind its `COPY`.
fn data() -> Vec<u8> {
    [message::copy_data(b"1\n"), message::copy_done()].concat()
}

#[test]
fn a_copy_in_flight_behind_a_refusal_in_a_block_is_ended() {
    let stand = Stand::start();
    let mut simple = stand.in_block();
    simple.send([message::query(BAD), message::query(COPY)].concat());
    assert_eq!(seen(&simple.read_until_ready()), "T E42501 ZE");
    let mut extended = stand.in_block();
    extended.send([batch(BAD), batch(COPY)].concat());
    assert_eq!(seen(&extended.read_until_ready()), "1 2 E42501 ZE");
    for mut session in [simple, extended] {
        assert!(next_error(&mut session, "the copy").is_some());
        is_usable_after_rollback(session);
    }
}

#[test]
fn a_copy_in_the_same_batch_as_a_refusal_is_ended() {
    let stand = Stand::start();
    let sql = format!("{BAD}; {COPY}; {COPY}; {GOOD}");
    let both = [run(BAD), batch(COPY)].concat();
    for mut session in [stand.session(), stand.session()] {
        assert_eq!(seen(&session.query(&sql)), "T E42501 ZI");
        session.send(&both);
        assert_eq!(seen(&session.read_until_ready()), "1 2 E42501 ZI");
        is_usable(session);
    }
    let mut session = stand.in_block();
    assert_eq!(seen(&session.query(&sql)), "T E42501 ZE");
    is_usable_after_rollback(session);
    let mut session = stand.in_block();
    session.send(&both);
    assert_eq!(seen(&session.read_until_ready()), "1 2 E42501 ZE");
    is_usable_after_rollback(session);
}

#[test]
fn a_copy_with_its_sync_still_to_come_behind_a_refusal_is_ended() {
    let stand = Stand::start();
    let rests = [
        message::sync(),
        [data(), message::sync()].concat(),
        [message::copy_fail("no"), message::sync()].concat(),
    ];
    for (refused, rest) in [BAD, BAD_MANY]
        .iter()
        .flat_map(|sql| rests.iter().map(move |rest| (sql, rest)))
    {
        let begun = [run(refused), run(COPY), message::flush()].concat();
        let mut session = stand.session();
        session.send(&begun);
        assert_eq!(seen(&read_up_to(&mut session, b'E')), "1 2 E42501");
        session.send(rest);
        assert_eq!(seen(&session.read_until_ready()), "ZI");
        is_usable(session);
        let mut session = stand.in_block();
        session.send(&begun);
        assert_eq!(seen(&read_up_to(&mut session, b'E')), "1 2 E42501");
        session.send(rest);
        assert_eq!(seen(&session.read_until_ready()), "ZE");
        is_usable_after_rollback(session);
    }
}

#[test]
fn the_data_of_several_copies_behind_a_refusal_may_come_in_parts() {
    let stand = Stand::start();
    let sql = message::query(&format!("{BAD}; {COPY}; {COPY}"));
    let both = [data(), data()].concat();
    for cut in 0..=both.len() {
        let mut session = stand.session();
        session.send([&sql, &both[..cut]].concat());
        assert_eq!(seen(&read_up_to(&mut session, b'E')), "T E42501", "{cut}");
        session.send(&both[cut..]);
        assert_eq!(seen(&session.read_until_ready()), "ZI", "{cut}");
        is_usable(session);
    }
}

#[test]
fn a_copy_that_is_over_leaves_nothing_behind_for_a_refusal() {
    let stand = Stand::start();
    let end = |data: &[u8]| [&message::copy_data(data), message::copy_done().as_slice()].concat();
    for (data, outcome) in [(b"1\n", "C ZI"), (b"x\n", "E22P02 ZI")] {
        let mut simple = stand.session();
        simple.send(message::query(COPY));
        assert_eq!(seen(&read_up_to(&mut simple, b'G')), "G");
        simple.send(end(data));
        // As libpq does it: PostgreSQL ignores the first Sync.
        let mut extended = stand.session();
        extended.send(batch(COPY));
        assert_eq!(seen(&read_up_to(&mut extended, b'G')), "1 2 G");
        extended.send([end(data), message::sync()].concat());
        for mut session in [simple, extended] {
            assert_eq!(seen(&session.read_until_ready()), outcome);
            for (sql, expected) in [
                (FAILS, "E22012 ZI"),
                (BAD_MANY, "T E42501 ZI"),
                (GOOD, "T D C ZI"),
                ("begin", "C ZT"),
                (BAD, "T E42501 ZE"),
            ] {
                assert_eq!(seen(&session.query(sql)), expected, "{sql}");
            }
            is_usable_after_rollback(session);
        }
    }
}
