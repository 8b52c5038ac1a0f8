//! Rows over `max_open_row` are not opened: they pass, or they are refused before their first byte
//! leaves.

use harness::Chain;
use harness::raw::{Session, literal, message, rows, tags};

use super::Stand;

/// A row of a sealed value beside so many bytes that are not sealed.
fn with_padding(sealed: &str, padding: usize) -> String {
    format!("select {sealed}, repeat('x', {padding})")
}

/// Whether the first field of the one row comes back opened.
fn opens(session: &mut Session, sql: &str) -> bool {
    rows(&session.extended(sql, 1))[0][0].as_deref() == Some(b"opened")
}

#[test]
fn a_row_over_max_open_row_passes_or_is_refused_and_a_shorter_one_opens() {
    for (limit, long) in [("100KiB", 200_000), ("100KiB", 100 << 10), ("1KiB", 2000)] {
        let line = format!("max_open_row = '{limit}'");
        let mut stand = Stand::start(&Chain::builder().server(&line));
        let sealed = stand.app.seal(b"opened").unwrap();
        let (short, long) = (
            with_padding(&literal(&sealed), 500),
            with_padding(&literal(&sealed), long),
        );
        let mut session = stand.session();
        for policy in ["ciphertext", "null", "error"] {
            let case = format!("{limit}, {policy}");
            stand.apply(&format!("on_refused = '{policy}'"));
            assert!(opens(&mut session, &short), "{case}");
            let answer = session.extended(&long, 1);
            if policy == "ciphertext" {
                assert_eq!(answer, stand.direct().extended(&long, 1), "{case}");
            } else {
                assert_eq!(tags(&answer), "12TEZ", "{case}");
                assert_eq!(answer[3].sqlstate(), "42501", "{case}");
            }
            assert!(opens(&mut session, &short), "{case}");
        }
        let server = &stand.link.server;
        assert_eq!(server.counted("long_rows_passed_total"), 1, "{limit}");
        let too_long = r#"values_refused_total{reason="row_too_long"}"#;
        assert_eq!(server.counted(too_long), 2, "{limit}");
    }
}

#[test]
fn a_long_row_of_types_that_hold_no_envelopes_passes_under_every_policy() {
    let chain = Chain::builder().server("max_open_row = '100KiB'");
    let stand = Stand::start(&chain.on_refused("error"));
    let mut session = stand.session();
    let answer = session.query("select xmlcomment(repeat('x', 199993)), 1");
    assert_eq!(tags(&answer), "TDCZ");
    assert_eq!(rows(&answer)[0][0].as_ref().unwrap().len(), 200_000);
}

#[test]
fn a_long_row_that_is_refused_in_a_block_fails_the_block() {
    let chain = Chain::builder().server("max_open_row = '100KiB'");
    let stand = Stand::start(&chain.on_refused("null"));
    let mut session = stand.session();
    let sealed = literal(&stand.app.seal(b"opened").unwrap());
    session.query("begin");
    // Rows behind it, long and short, are dropped.
    let several =
        format!("select {sealed}, repeat('x', i) from unnest(array[10, 200000, 20, 300000, 30]) i");
    assert_eq!(tags(&session.query(&several)), "TDEZ");
    assert_eq!(session.query("select 1")[0].sqlstate(), "25P02");
    assert_eq!(tags(&session.query("rollback")), "CZ");
    session.send(message::query(&with_padding(&sealed, 10)));
    assert_eq!(tags(&session.read_until_ready()), "TDCZ");
}
