//! Names that the protocol has described and SQL puts something else behind: no value is read by
//! the types of what was there before.

use harness::raw::{Message, Session, message};

use super::{BAD, CLEAR, GOOD, Stand, hex, is_usable, is_usable_after_rollback, seen};

/// Prepares a statement and has it described.
#[track_caller]
fn prepare(session: &mut Session, name: &str, sql: &str) {
    let batch = [
        message::parse(name, sql),
        message::describe_statement(name),
        message::sync(),
    ];
    session.send(batch.concat());
    assert_eq!(seen(&session.read_until_ready())[..6], *"1 t T ", "{sql}");
}

/// Runs it without a description.
fn run_prepared(session: &mut Session, name: &str, format: u16) -> Vec<Message> {
    let batch = [
        message::bind("", name, &[], format),
        message::execute("", 0),
        message::sync(),
    ];
    session.send(batch.concat());
    session.read_until_ready()
}

/// What stands behind the name now is opened where it may be, and refused where it may not.
#[track_caller]
fn is_read_anew(session: &mut Session, name: &str, redefine: impl Fn(&str) -> String, case: &str) {
    for format in [0, 1] {
        session.query(&redefine(GOOD));
        let answer = run_prepared(session, name, format);
        let opened = match format {
            0 => format!(r"\x{}", hex(CLEAR)).into_bytes(),
            _ => CLEAR.to_vec(),
        };
        assert_eq!(&seen(&answer)[..5], "2 D C", "{case}, format {format}");
        assert_eq!(answer[1].row(), [Some(opened)], "{case}, format {format}");
        session.query("rollback");

        session.query(&redefine(BAD));
        let answer = seen(&run_prepared(session, name, format));
        assert!(
            answer.starts_with("2 E42501 Z"),
            "{case}, format {format}: {answer}"
        );
        session.query("rollback");
    }
}

#[test]
fn a_statement_that_sql_redefines_is_read_by_what_it_is_now() {
    let stand = Stand::start();
    for drop in [
        "deallocate s",
        "deallocate all",
        "discard all",
        "discard plans; deallocate s",
    ] {
        let mut session = stand.session();
        prepare(&mut session, "s", "select 1");
        let redefine = |sql: &str| format!("prepare s as {sql}");
        let again = |sql: &str| format!("deallocate s; {}", redefine(sql));
        session.query(drop);
        session.query(&redefine("select 2"));
        is_read_anew(&mut session, "s", again, drop);
        is_usable(session);
    }
}

#[test]
fn a_statement_that_executes_another_is_read_by_what_that_is_now() {
    let stand = Stand::start();
    let mut session = stand.session();
    session.query("prepare inner_one as select 1");
    prepare(&mut session, "s", "execute inner_one");
    let redefine = |sql: &str| format!("deallocate inner_one; prepare inner_one as {sql}");
    is_read_anew(&mut session, "s", redefine, "execute");
    is_usable(session);
}

#[test]
fn a_fetch_is_read_by_what_its_cursor_is_now() {
    let stand = Stand::start();
    for between in ["close k", "close all", "commit; begin", "rollback; begin"] {
        let mut session = stand.session();
        session.query("begin; declare k cursor for select 1");
        prepare(&mut session, "s", "fetch all from k");
        let redefine = |sql: &str| {
            format!("begin; declare k cursor for select 1; {between}; declare k cursor for {sql}")
        };
        session.query("rollback");
        is_read_anew(&mut session, "s", redefine, between);
        is_usable(session);
    }
}

#[test]
fn a_portal_that_is_a_cursor_now_is_read_by_what_that_is() {
    let stand = Stand::start();
    let mut session = stand.in_block();
    let begun = [
        message::parse("s", "select 1"),
        message::bind("k", "s", &[], 0),
        message::describe_portal("k"),
        message::sync(),
    ];
    session.send(begun.concat());
    assert_eq!(seen(&session.read_until_ready()), "1 2 T ZT");
    session.query(&format!("close k; declare k cursor for {GOOD}"));
    session.send([message::execute("k", 0), message::sync()].concat());
    let answer = session.read_until_ready();
    assert_eq!(seen(&answer), "D C ZT");
    let opened = format!(r"\x{}", hex(CLEAR)).into_bytes();
    assert_eq!(answer[0].row(), [Some(opened)]);
    session.query(&format!("close k; declare k cursor for {BAD}"));
    session.send([message::execute("k", 0), message::sync()].concat());
    assert_eq!(seen(&session.read_until_ready()), "E42501 ZE");
    is_usable_after_rollback(session);
}
