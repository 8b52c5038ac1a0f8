//! Conversations in which a value is refused, beside the same ones in which PostgreSQL fails.

use harness::raw::{Message, Session, message};

use super::Ask::{self, Data, Fetch, Open, Prepare, Run, RunPrepared};
use super::{FAILS, transcript, with_errors};
use Step::{Batches, CopyIn, Queries, Query};

/// One send of a conversation, and the `ReadyForQuery` messages it brings. In SQL, `{x}` stands for
/// the expression that fails in the second of three rows.
enum Step {
    Query(&'static str),
    /// A query that ends in `COPY … FROM STDIN`, and the data behind it at once.
    CopyIn(&'static str),
    Queries(&'static [&'static str]),
    Batches(&'static [&'static [Ask]]),
}

impl Step {
    /// Sends it and returns the answer, one part for each `ReadyForQuery`.
    fn run(&self, session: &mut Session, failing: &str) -> Vec<Vec<Message>> {
        let query = |sql: &str| message::query(&sql.replace("{x}", failing));
        let sent: Vec<Vec<u8>> = match self {
            Self::Query(sql) => vec![query(sql)],
            Self::CopyIn(sql) => vec![[query(sql), Data.bytes(failing)].concat()],
            Self::Queries(several) => several.iter().map(|sql| query(sql)).collect(),
            Self::Batches(batches) => {
                let batch = |asks: &&[Ask]| {
                    let asks = asks.iter().map(|ask| ask.bytes(failing));
                    asks.chain([message::sync()]).collect::<Vec<_>>().concat()
                };
                batches.iter().map(batch).collect()
            }
        };
        session.send(sent.concat());
        sent.iter().map(|_| session.read_until_ready()).collect()
    }
}

/// Conversations in which a value is refused, each in a session of its own.
const CONVERSATIONS: &[&[Step]] = &[
    // Autocommit.
    &[Query(FAILS)],
    &[Query(
        "select 1; select id, {x} from stored; select 2; select 3",
    )],
    &[Queries(&[FAILS, "select 1", FAILS, "select 2"])],
    &[Batches(&[&[Run(FAILS)]])],
    &[Batches(&[&[Run("select 1"), Run(FAILS), Run("select 2")]])],
    &[Batches(&[&[Run(FAILS), Run(FAILS)]])],
    &[Batches(&[
        &[Run("select 1")],
        &[Run(FAILS)],
        &[Run("select 2")],
        &[Run(FAILS)],
    ])],
    &[
        Batches(&[&[Prepare("s", FAILS)]]),
        Batches(&[&[RunPrepared("s")], &[RunPrepared("s")]]),
    ],
    &[Batches(&[&[
        Prepare("s", FAILS),
        Open("p", "s"),
        Fetch("p", 1),
        Fetch("p", 1),
        Fetch("p", 1),
    ]])],
    // A transaction block.
    &[
        Query("begin"),
        Query(FAILS),
        Query("select 1"),
        Query("rollback"),
    ],
    &[
        Query("begin"),
        Query(FAILS),
        Query("commit"),
        Query("select 1"),
    ],
    &[
        Query("begin; select id, {x} from stored"),
        Query("select 1"),
        Query("rollback"),
    ],
    &[
        Query("begin"),
        Batches(&[&[
            Run("insert into made values (1)"),
            Run(FAILS),
            Run("select 2"),
        ]]),
        Batches(&[&[Run("select 1")]]),
        Batches(&[&[Run("rollback")]]),
        Query("select * from made"),
    ],
    &[
        Query("begin"),
        Query("savepoint a"),
        Query("insert into made values (1)"),
        Query(FAILS),
        Query("select 1"),
        Query("rollback to a"),
        Query("select * from made"),
        Query(FAILS),
        Query("release a"),
        Query("rollback"),
    ],
    &[
        Query("begin"),
        Batches(&[&[Prepare("s", FAILS), Open("p", "s"), Fetch("p", 1)]]),
        Batches(&[&[Fetch("p", 1)]]),
        Batches(&[&[Fetch("p", 1)]]),
        Query("rollback"),
        Batches(&[&[RunPrepared("s")]]),
    ],
    // COPY behind it in the same batch.
    &[Query(
        "select id, {x} from stored; copy made from stdin; select 2",
    )],
    &[Query(
        "select id, {x} from stored; copy stored to stdout; select 2",
    )],
    &[
        Query("begin"),
        Query("select id, {x} from stored; copy made from stdin"),
        Query("rollback"),
    ],
    &[
        CopyIn("select id, {x} from stored; copy copied from stdin"),
        CopyIn("copy copied from stdin"),
        Query("select 1"),
    ],
    &[Batches(&[&[Run(FAILS), Run("copy made from stdin")]])],
    &[Batches(&[&[
        Run(FAILS),
        Run("copy copied from stdin"),
        Data,
    ]])],
    &[Batches(&[
        &[Run(FAILS), Run("copy copied from stdin"), Data],
        &[Run("select 3")],
        &[Run("select 4")],
    ])],
    &[Batches(&[
        &[Run(FAILS), Run("copy stored to stdout"), Run("select 2")],
        &[Run("select 3")],
    ])],
    // After COPY has come and gone.
    &[
        Query("copy stored to stdout; select id, {x} from stored"),
        Query(FAILS),
    ],
];

#[test]
fn a_query_that_fails_for_a_refused_value_fails_like_one_of_postgresqls_own_errors() {
    let stand = with_errors();
    for (index, conversation) in CONVERSATIONS.iter().enumerate() {
        let [refused, own] = ["value", "1 / (2 - id)"].map(|failing| {
            let mut session = stand.session();
            let mut seen = Vec::new();
            for step in *conversation {
                for answer in step.run(&mut session, failing) {
                    let errors = answer.iter().filter(|message| message.tag == b'E').count();
                    assert!(errors <= 1, "conversation {index}: {answer:?}");
                    seen.push(transcript(&answer));
                }
            }
            assert!(
                seen.iter().any(|answer| answer.contains("E(failed)")),
                "{index}: {seen:?}"
            );
            seen.push(transcript(&session.query("select 'usable'")));
            seen
        });
        assert_eq!(refused, own, "conversation {index}");
        assert_eq!(refused.last().unwrap(), "T D C ZI", "conversation {index}");
    }
    assert_eq!(stand.link.database.value("select count(*) from made"), "0");
}
