//! Messages that answer nothing, calls beside the two protocols, and how sessions end.

use harness::raw::message::{function_call, query, sync, tagged, terminate};

use super::{Conversation, Turn, batch, queries, talk};

/// Object id of the function `decode(text, text)`.
const DECODE: u32 = 1947;

pub fn messages() -> Vec<Conversation> {
    vec![
        queries(
            "notices between rows",
            "TNDNDNDCZ",
            &["select noisy(id), s from rows where id <= 3"],
        ),
        queries(
            "a notification to itself",
            "CZCAZ",
            &["listen here", "notify here, 'a word'"],
        ),
        queries(
            "a notification in a transaction",
            "CZCZCZTDCZCAZ",
            &["listen here", "begin", "notify here", "select 1", "commit"],
        ),
        queries(
            "two parameters that change",
            "CCSSZ",
            &["set datestyle = 'German'; set intervalstyle = 'iso_8601'"],
        ),
        queries(
            "a parameter that changes back",
            "CZCSZCSZ",
            &["begin", "set local timezone = 'Asia/Tokyo'", "rollback"],
        ),
        batch(
            "a function called",
            "VZ",
            &[function_call(DECODE, &[b"0102", b"hex"], 1)],
        ),
        talk(
            "a function called that fails",
            "EZTDCZ",
            vec![
                Turn::new(b'Z', &[function_call(DECODE, &[b"x", b"hex"], 1)]),
                Turn::new(b'Z', &[query("select '\\x01'::bytea")]),
            ],
        ),
        batch(
            "a function nobody knows",
            "EZ",
            &[function_call(u32::MAX, &[], 1)],
        ),
        batch("Sync and nothing else", "Z", &[sync()]),
    ]
}

pub fn ends() -> Vec<Conversation> {
    let at_end = |name, types, turns, ends| Conversation {
        ends,
        ..talk(name, types, turns)
    };
    let select = || vec![Turn::new(b'Z', &[query("select 1")])];
    vec![
        at_end("goodbye at once", "", vec![], terminate()),
        at_end("no goodbye", "TDCZ", select(), vec![]),
        at_end(
            "no goodbye in a transaction",
            "CZ",
            vec![Turn::new(b'Z', &[query("begin")])],
            vec![],
        ),
        at_end(
            "half a message",
            "TDCZ",
            select(),
            query("select 2")[..9].to_vec(),
        ),
        at_end(
            "goodbye with more behind it",
            "TDCZ",
            select(),
            [terminate(), query("select 2")].concat(),
        ),
        at_end(
            "a type that is none",
            "TDCZE",
            select(),
            tagged(b'?', b"what"),
        ),
        at_end(
            "a password nobody asked for",
            "TDCZE",
            select(),
            tagged(b'p', b"secret\0"),
        ),
    ]
}
