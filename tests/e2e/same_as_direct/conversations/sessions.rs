//! How sessions start, and sessions of replication.

use harness::raw::message::{
    self, copy_done, function_call, parse, query, ssl_request, sync, terminate,
};

use super::extended::whole;
use super::{Conversation, Start, Turn, queries, talk};

pub fn starts() -> Vec<Conversation> {
    let version = |name, version, parameters| {
        queries(name, "TDCZ", &["select s from rows where id = 1"]).starting(Start {
            version,
            parameters,
            ..Start::default()
        })
    };
    let refused = |name, types, parameters| {
        talk(name, types, vec![Turn::new(b'Z', &[query("select 1")])]).starting(Start {
            parameters,
            ..Start::default()
        })
    };
    let (old, new) = (message::VERSION_3_0, message::VERSION_3_2);
    let options = || vec![("_pq_.new", "1"), ("_pq_.newer", "2")];
    vec![
        version("options of the protocol, 3.0", old, options()),
        version("options of the protocol, 3.2", new, options()),
        version("a protocol newer than any", old + 9_999, vec![]),
        queries(
            "parameters of many kinds",
            "TDCZTDCZTDCZTDCZ",
            &[
                "show work_mem",
                "show search_path",
                "show extra_float_digits",
                "show application_name",
            ],
        )
        .starting(Start {
            parameters: vec![
                ("application_name", "a n\u{e4}me"),
                ("options", "-c work_mem=4321kB -c search_path=x"),
                ("extra_float_digits", "2"),
                ("client_encoding", "LATIN1"),
                ("datestyle", "German"),
            ],
            ..Start::default()
        }),
        queries("encryption that is not to be had", "TDCZ", &["select 1"]).starting(Start {
            asks: vec![ssl_request()],
            ..Start::default()
        }),
        refused(
            "a database that is not there",
            "RE",
            vec![("database", "none")],
        ),
        refused("a user who is not there", "RE", vec![("user", "nobody")]),
        refused("a user without a name", "E", vec![("user", "")]),
        refused(
            "a parameter nobody knows",
            "RE",
            vec![("no_such_thing", "1")],
        ),
        refused(
            "a parameter with a wrong value",
            "RE",
            vec![("work_mem", "much")],
        ),
    ]
}

/// `wal` is a place in the write-ahead log, before its end.
pub fn replication(wal: &str) -> Vec<Conversation> {
    let start = format!("START_REPLICATION PHYSICAL {wal}");
    let of = |kind: &'static str, conversation: Conversation| {
        conversation.starting(Start {
            parameters: vec![("replication", kind)],
            ..Start::default()
        })
    };
    vec![
        of(
            "true",
            talk(
                "a stream of WAL",
                "WcCCZTDCZ",
                vec![
                    Turn::new(b'd', &[query(&start)]),
                    Turn::new(b'Z', &[copy_done()]),
                    Turn::new(b'Z', &[query("SHOW wal_segment_size")]),
                ],
            ),
        ),
        of(
            "true",
            queries(
                "a slot that is made, and used, and dropped",
                "TDCZTDCZCZEZ",
                &[
                    "CREATE_REPLICATION_SLOT s TEMPORARY PHYSICAL",
                    "READ_REPLICATION_SLOT s",
                    "DROP_REPLICATION_SLOT s",
                    "START_REPLICATION SLOT s PHYSICAL 0/1000000",
                ],
            ),
        ),
        of(
            "database",
            queries(
                "SQL in a session of replication",
                "TDDCZEZCZCZ",
                &[
                    "select id, x from rows where id < 3",
                    "select nonsense",
                    "begin",
                    "rollback",
                ],
            ),
        ),
        of(
            "database",
            talk(
                "the extended protocol, which replication does not have",
                "EZEZTDCZ",
                vec![
                    Turn::new(b'Z', &[whole("select 1"), sync()]),
                    Turn::new(b'Z', &[parse("s", "select 1"), sync()]),
                    Turn::new(b'Z', &[query("SHOW wal_segment_size")]),
                ],
            ),
        ),
        of(
            "true",
            talk(
                "a function called, which replication does not have",
                "EZ",
                vec![Turn::new(b'Z', &[function_call(1947, &[b"01", b"hex"], 1)])],
            ),
        ),
        of(
            "true",
            Conversation {
                ends: terminate(),
                ..talk("goodbye in a session of replication", "", vec![])
            },
        ),
    ]
}
