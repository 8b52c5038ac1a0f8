//! The extended protocol: statements, and what is skipped after an error.

use harness::raw::message::{
    bind, close_portal, close_statement, describe_portal, describe_statement, execute, flush,
    parse, query, sync, tagged,
};

use super::{Conversation, Turn, batch, talk};

/// A row with a value that the chain opens.
const ONE: &str = "select s, id from rows where id = 4";

/// `Bind` of the unnamed statement without parameters to a portal.
pub fn portal(name: &str) -> Vec<u8> {
    bind(name, "", &[], 0)
}

/// A statement that cannot be parsed.
fn bad() -> Vec<u8> {
    parse("", "selekt")
}

/// One whole extended query.
pub fn whole(sql: &str) -> Vec<u8> {
    [parse("", sql), portal(""), execute("", 0)].concat()
}

pub fn statements() -> Vec<Conversation> {
    vec![
        batch(
            "a statement and a portal with names",
            "1tT2TDC33Z",
            &[
                parse("s", "select $1 || x, s from rows where x = $2"),
                describe_statement("s"),
                bind("p", "s", &[Some(b"a"), Some(b"text 2")], 0),
                describe_portal("p"),
                execute("p", 0),
                close_portal("p"),
                close_statement("s"),
                sync(),
            ],
        ),
        batch(
            "one statement in two formats",
            "1tT2TDC2TDCZ",
            &[
                parse("s", "select s, 1 from rows where id = $1"),
                describe_statement("s"),
                bind("", "s", &[Some(b"3")], 1),
                describe_portal(""),
                execute("", 0),
                bind("", "s", &[Some(b"4")], 0),
                describe_portal(""),
                execute("", 0),
                sync(),
            ],
        ),
        batch(
            "a statement described, and its portals not",
            "1tT2DC2DCZ",
            &[
                parse("s", ONE),
                describe_statement("s"),
                bind("", "s", &[], 1),
                execute("", 0),
                bind("", "s", &[], 0),
                execute("", 0),
                sync(),
            ],
        ),
        batch("never described", "12DCZ", &[whole(ONE), sync()]),
        batch(
            "never described, in binary",
            "12DCZ",
            &[parse("", ONE), bind("", "", &[], 1), execute("", 0), sync()],
        ),
        batch(
            "the unnamed statement again and again",
            "12DC12DCZ",
            &[whole("select 1"), whole(ONE), sync()],
        ),
        batch(
            "what returns no rows",
            "1tn2nCZ",
            &[
                parse("", "set lock_timeout = 1"),
                describe_statement(""),
                portal(""),
                describe_portal(""),
                execute("", 0),
                sync(),
            ],
        ),
        batch(
            "an empty statement",
            "12nIZ",
            &[
                parse("", ""),
                portal(""),
                describe_portal(""),
                execute("", 0),
                sync(),
            ],
        ),
        talk(
            "a statement over several batches",
            "1Z2DCZ2DCZ",
            vec![
                Turn::new(b'Z', &[parse("s", "select $1::int"), sync()]),
                Turn::new(
                    b'Z',
                    &[bind("", "s", &[Some(b"1")], 0), execute("", 0), sync()],
                ),
                Turn::new(
                    b'Z',
                    &[bind("", "s", &[Some(b"2")], 1), execute("", 0), sync()],
                ),
            ],
        ),
        talk(
            "several batches sent together",
            "12DCZ12DCZTDCZZ",
            vec![
                Turn::new(
                    b'Z',
                    &[
                        whole("select 1"),
                        sync(),
                        whole("select 2"),
                        sync(),
                        query("select 3"),
                        sync(),
                    ],
                ),
                Turn::new(b'Z', &[]),
                Turn::new(b'Z', &[]),
                Turn::new(b'Z', &[]),
            ],
        ),
        talk(
            "a flush, and Sync later",
            "12TDCZ",
            vec![
                Turn::new(
                    b'C',
                    &[
                        parse("", "select 1"),
                        portal(""),
                        describe_portal(""),
                        execute("", 0),
                        flush(),
                    ],
                ),
                Turn::new(b'Z', &[sync()]),
            ],
        ),
        talk(
            "a query between, which the unnamed statement does not outlive",
            "1ZTDCZEZ",
            vec![
                Turn::new(b'Z', &[parse("", "select 1"), sync()]),
                Turn::new(b'Z', &[query("select 2")]),
                Turn::new(b'Z', &[portal(""), sync()]),
            ],
        ),
        talk(
            "everything discarded",
            "1ZCSZCSZEZ",
            vec![
                Turn::new(b'Z', &[parse("s", "select 1"), sync()]),
                Turn::new(b'Z', &[query("set datestyle = 'SQL'")]),
                Turn::new(b'Z', &[query("discard all")]),
                Turn::new(b'Z', &[bind("", "s", &[], 0), sync()]),
            ],
        ),
        talk(
            "a table that changes under a statement",
            "CZ1ZCZEZ",
            vec![
                Turn::new(b'Z', &[query("create temp table changing (a int)")]),
                Turn::new(b'Z', &[parse("s", "select * from changing"), sync()]),
                Turn::new(b'Z', &[query("alter table changing alter a type text")]),
                Turn::new(b'Z', &[bind("", "s", &[], 0), execute("", 0), sync()]),
            ],
        ),
        talk(
            "what a failed Parse did not make is closed",
            "EZ3Z",
            vec![
                Turn::new(b'Z', &[parse("s", "selekt"), sync()]),
                Turn::new(b'Z', &[close_statement("s"), sync()]),
            ],
        ),
        batch(
            "a portal is closed and its statement stays",
            "1232DCZ",
            &[
                parse("s", ONE),
                bind("p", "s", &[], 0),
                close_portal("p"),
                bind("p", "s", &[], 0),
                execute("p", 0),
                sync(),
            ],
        ),
        batch(
            "names that nobody knows are closed",
            "33Z",
            &[close_portal("none"), close_statement("none"), sync()],
        ),
    ]
}

pub fn errors() -> Vec<Conversation> {
    vec![
        batch(
            "one that works, one that does not, and what is skipped",
            "12DCEZ",
            &[
                whole("select 1"),
                bad(),
                portal(""),
                execute("", 0),
                close_statement(""),
                whole("select 2"),
                sync(),
            ],
        ),
        talk(
            "a batch after one that failed",
            "EZ12DCZ",
            vec![
                Turn::new(b'Z', &[bad(), whole("select 1"), sync()]),
                Turn::new(b'Z', &[whole(ONE), sync()]),
            ],
        ),
        batch(
            "a query that is skipped",
            "EZ",
            &[bad(), query("select 1"), sync()],
        ),
        batch(
            "a function call that is skipped",
            "EZ",
            &[bad(), tagged(b'F', b"whatever"), sync()],
        ),
        talk(
            "a Sync that comes later",
            "EZ12DCZ",
            vec![
                Turn::new(b'E', &[bad(), flush()]),
                Turn::new(b'Z', &[whole("select 1"), sync()]),
                Turn::new(b'Z', &[whole(ONE), sync()]),
            ],
        ),
        batch(
            "rows and then an error",
            "12DDEZ",
            &[
                whole("select s, 1 / (3 - id) from rows"),
                whole(ONE),
                sync(),
            ],
        ),
        talk(
            "an error in a transaction",
            "12C12C1EZEZ12CZ",
            vec![
                Turn::new(
                    b'Z',
                    &[
                        whole("begin"),
                        whole("select from rows where false"),
                        whole("select 1 / 0"),
                        whole("select 1"),
                        sync(),
                    ],
                ),
                Turn::new(b'Z', &[whole("select 1"), sync()]),
                Turn::new(b'Z', &[whole("rollback"), sync()]),
            ],
        ),
        batch(
            "too few parameters",
            "1EZ",
            &[parse("", "select $1::int"), portal(""), sync()],
        ),
        batch(
            "a parameter that is none",
            "1EZ",
            &[
                parse("", "select $1::int"),
                bind("", "", &[Some(b"x")], 0),
                sync(),
            ],
        ),
        batch(
            "a format that is none",
            "12EZ",
            &[
                parse("", "select 1"),
                bind("", "", &[], 2),
                execute("", 0),
                sync(),
            ],
        ),
        batch(
            "a statement nobody knows",
            "EZ",
            &[bind("", "none", &[], 0), sync()],
        ),
        batch("a portal nobody knows", "EZ", &[execute("none", 0), sync()]),
        batch(
            "a description of nothing",
            "EZ",
            &[describe_statement("none"), sync()],
        ),
        batch(
            "two statements in one",
            "EZ",
            &[parse("", "select 1; select 2"), sync()],
        ),
        batch(
            "a name used twice",
            "1EZ",
            &[parse("s", "select 1"), parse("s", "select 2"), sync()],
        ),
        batch(
            "a kind of thing to close that is none",
            "EZ",
            &[tagged(b'C', b"Xs\0"), sync()],
        ),
        batch("a message too short", "EZ", &[tagged(b'B', b"\0"), sync()]),
    ]
}
