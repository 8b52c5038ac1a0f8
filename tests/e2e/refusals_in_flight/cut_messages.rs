//! The application is in the middle of a message when a value is refused: what must go to the
//! database before that message cannot.

use harness::raw::{Session, message};

use super::{
    BAD, COPY, FAILS, GOOD, Stand, batch, is_usable, is_usable_after_rollback, next_error,
    read_up_to, run, seen,
};

#[test]
fn a_sync_that_is_half_sent_when_a_value_is_refused_ends_its_batch() {
    let stand = Stand::start();
    let sync = message::sync();
    for behind in [None, Some(GOOD), Some(FAILS), Some(COPY)] {
        let begun = [
            run(BAD),
            behind.map(run).unwrap_or_default(),
            message::flush(),
        ]
        .concat();
        for cut in 1..sync.len() {
            let half_sent = |session: &mut Session| {
                session.send([&begun, &sync[..cut]].concat());
                assert_eq!(seen(&read_up_to(session, b'E')), "1 2 E42501");
                session.send(&sync[cut..]);
                seen(&session.read_until_ready())
            };
            let mut session = stand.session();
            assert_eq!(half_sent(&mut session), "ZI", "{behind:?}");
            is_usable(session);
            let mut session = stand.in_block();
            assert_eq!(half_sent(&mut session), "ZE", "{behind:?}");
            is_usable_after_rollback(session);
        }
    }
}

/// What comes next, by name.
fn next_batches() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a query", message::query(GOOD)),
        ("a query that fails", message::query(FAILS)),
        ("a query that is refused", message::query(BAD)),
        ("a copy", message::query(COPY)),
        ("a batch", batch(GOOD)),
        ("a batch that fails", batch(FAILS)),
        ("a batch that cannot be parsed", batch("nonsense")),
        ("a batch that is refused", batch(BAD)),
        ("a batch that copies", batch(COPY)),
        ("a Sync", message::sync()),
    ]
}

#[test]
fn a_message_that_is_half_sent_when_its_block_is_to_fail_is_answered() {
    let stand = Stand::start();
    for (case, next) in next_batches() {
        for first in [message::query(BAD), batch(BAD)] {
            for cut in [1, 4, next.len() / 2, next.len() - 1] {
                let mut session = stand.in_block();
                session.send([&first, &next[..cut]].concat());
                let answer = seen(&session.read_until_ready());
                assert!(answer.ends_with("E42501 ZE"), "{case}: {answer}");
                session.send(&next[cut..]);
                next_error(&mut session, &format!("{case}, cut at {cut}"));
                is_usable_after_rollback(session);
            }
        }
    }
}

#[test]
fn a_batch_that_comes_byte_by_byte_behind_a_refusal_is_answered() {
    let stand = Stand::start();
    for (case, next) in next_batches() {
        let mut session = stand.in_block();
        session.send(message::query(BAD));
        for byte in &next {
            session.send([*byte]);
        }
        assert_eq!(seen(&session.read_until_ready()), "T E42501 ZE", "{case}");
        next_error(&mut session, case);
        is_usable_after_rollback(session);
    }
}
