//! COPY, in both protocols and both directions.

use harness::raw::message::{
    bind, copy_data, copy_done, copy_fail, describe_portal, execute, flush, parse, query, sync,
};

use super::{Conversation, Turn, queries, talk};

const IN: &str = "copy target from stdin";

/// A COPY of the extended protocol, up to the execution.
fn begun(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", "", &[], 0), execute("", 0)].concat()
}

fn in_(name: &'static str, types: &'static str, sql: &str, says: &[Vec<u8>]) -> Conversation {
    talk(
        name,
        types,
        vec![Turn::new(b'G', &[query(sql)]), Turn::new(b'Z', says)],
    )
}

pub fn simple() -> Vec<Conversation> {
    vec![
        queries(
            "out",
            "HddcCZ",
            &["copy (select id, b from rows limit 2) to stdout"],
        ),
        queries(
            "out in binary",
            "HdddcCZ",
            &["copy (select id, b from rows limit 2) to stdout (format binary)"],
        ),
        queries(
            "out between queries",
            "TDCHdcCTDCZ",
            &["select 1; copy (select 2) to stdout; select 3"],
        ),
        queries(
            "out and then an error",
            "HddEZ",
            &["copy (select 1 / (3 - x) from generate_series(1, 5) x) to stdout"],
        ),
        in_(
            "in, and a query behind it",
            "GCTDCZ",
            "copy target from stdin; select 5",
            &[copy_data(b"1\to"), copy_data(b"ne\n2\ttwo\n"), copy_done()],
        ),
        in_("in, nothing", "GCZ", IN, &[copy_done()]),
        in_(
            "in, given up",
            "GEZ",
            IN,
            &[copy_data(b"1\tone\n"), copy_fail("no more")],
        ),
        in_(
            "in that fails while more comes",
            "GEZ",
            IN,
            &[
                copy_data(b"no number\tx\n"),
                copy_data(b"2\ttwo\n"),
                copy_done(),
            ],
        ),
        talk(
            "in that fails, and a query after it",
            "GEZTDCZ",
            vec![
                Turn::new(b'G', &[query(IN)]),
                Turn::new(
                    b'Z',
                    &[copy_data(b"x\ty\n"), copy_data(b"2\ttwo\n"), copy_done()],
                ),
                Turn::new(b'Z', &[query("select '\\x01'::bytea")]),
            ],
        ),
        in_(
            "in with messages that do not count",
            "GCZ",
            IN,
            &[
                copy_data(b"1\tone\n"),
                flush(),
                sync(),
                copy_data(b"2\ttwo\n"),
                copy_done(),
            ],
        ),
        in_(
            "in, and a query where data belongs",
            "GEE",
            IN,
            &[copy_data(b"1\tone\n"), query("select 1")],
        ),
        talk(
            "two in one query",
            "GCGCZ",
            vec![
                Turn::new(
                    b'G',
                    &[query("copy target from stdin; copy target from stdin")],
                ),
                Turn::new(b'G', &[copy_data(b"1\tone\n"), copy_done()]),
                Turn::new(b'Z', &[copy_data(b"2\ttwo\n"), copy_done()]),
            ],
        ),
        talk(
            "data where there is no COPY",
            "TDCZ",
            vec![Turn::new(
                b'Z',
                &[
                    copy_data(b"x"),
                    copy_done(),
                    copy_fail("x"),
                    query("select 1"),
                ],
            )],
        ),
    ]
}

pub fn extended() -> Vec<Conversation> {
    let then_a_value = || {
        let select = parse("", "select s from rows limit 1");
        let (bind, describe) = (bind("", "", &[], 1), describe_portal(""));
        Turn::new(b'Z', &[select, bind, describe, execute("", 0), sync()])
    };
    vec![
        talk(
            "extended out",
            "12HddcCZ",
            vec![Turn::new(
                b'Z',
                &[begun("copy (select b from rows limit 2) to stdout"), sync()],
            )],
        ),
        talk(
            "extended in",
            "12GCZ12TDCZ",
            vec![
                Turn::new(b'G', &[begun(IN), flush()]),
                Turn::new(
                    b'Z',
                    &[
                        copy_data(b"1\tone\n"),
                        copy_data(b"2\ttwo\n"),
                        copy_done(),
                        sync(),
                    ],
                ),
                then_a_value(),
            ],
        ),
        talk(
            "extended in with a Sync too early",
            "12GCZ12TDCZ",
            vec![
                Turn::new(b'G', &[begun(IN), sync()]),
                Turn::new(b'Z', &[copy_data(b"1\tone\n"), copy_done(), sync()]),
                then_a_value(),
            ],
        ),
        talk(
            "extended in that fails, and Sync later",
            "12GEZ12TDCZ",
            vec![
                Turn::new(b'G', &[begun(IN), flush()]),
                Turn::new(b'E', &[copy_data(b"x\ty\n")]),
                Turn::new(b'Z', &[copy_data(b"2\ttwo\n"), copy_done(), sync()]),
                then_a_value(),
            ],
        ),
        talk(
            "extended in, given up",
            "12GEZ12TDCZ",
            vec![
                Turn::new(b'G', &[begun(IN), flush()]),
                Turn::new(
                    b'Z',
                    &[copy_data(b"1\tone\n"), copy_fail("no more"), sync()],
                ),
                then_a_value(),
            ],
        ),
        talk(
            "extended in with more behind it",
            "12GC12DCZ12TDCZ",
            vec![
                Turn::new(b'G', &[begun(IN), flush()]),
                Turn::new(
                    b'Z',
                    &[
                        copy_data(b"1\tone\n"),
                        copy_done(),
                        begun("select 1"),
                        sync(),
                    ],
                ),
                then_a_value(),
            ],
        ),
    ]
}
