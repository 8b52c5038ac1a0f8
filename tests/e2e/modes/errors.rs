//! What each value of `on_refused` does; above all that a query which fails for a refused value
//! leaves the session as an error of PostgreSQL's own would.

mod conversations;

use harness::raw::{Message, Session, literal, message, rows};
use harness::{Chain, Keys, PATIENCE};

use super::{Stand, forged};
use Ask::Run;

/// Fails in the second of three rows; see [`Ask::bytes`].
const FAILS: &str = "select id, {x} from stored";

#[test]
fn a_refused_value_stays_as_it_is_or_becomes_null() {
    let mut stand = Stand::start(&Chain::builder());
    let good = stand.app.seal(b"good").unwrap();
    let bad = forged(good.clone());
    let both = [b"1 ", good.as_slice(), b" 2 ", &bad, b" 3 ", &good].concat();
    let half_open = [b"1 good 2 ", bad.as_slice(), b" 3 good"].concat();
    let select = [&bad, &good, &both].map(|value| literal(value)).join(", ");
    let select = format!("select {select}, null::bytea, 'text'");
    let cases = [
        ("ciphertext", Some(bad), Some(half_open)),
        ("null", None, None),
    ];
    let mut session = stand.session();
    for (policy, refused, mixed) in cases {
        stand.apply(&format!("on_refused = '{policy}'"));
        let expected = [
            refused,
            Some(b"good".to_vec()),
            mixed,
            None,
            Some(b"text".to_vec()),
        ];
        let answer = session.extended(&select, 1);
        assert_eq!(rows(&answer), [expected], "{policy}");
    }
}

/// A part of a batch that ends with Sync. In SQL, `{x}` stands for the expression that fails.
#[derive(Clone, Copy)]
enum Ask {
    /// `Parse`, `Bind`, `Describe` and `Execute` of all rows.
    Run(&'static str),
    /// `Parse` of a statement, and its description.
    Prepare(&'static str, &'static str),
    /// `Bind` and `Execute` of it.
    RunPrepared(&'static str),
    /// `Bind` of a portal to it.
    Open(&'static str, &'static str),
    /// `Execute` of so many rows of a portal.
    Fetch(&'static str, u32),
    /// The data of a `COPY`, sent before PostgreSQL has asked for it.
    Data,
}

impl Ask {
    fn bytes(self, failing: &str) -> Vec<u8> {
        match self {
            Self::Run(sql) => [
                message::parse("", &sql.replace("{x}", failing)),
                message::bind("", "", &[], 1),
                message::describe_portal(""),
                message::execute("", 0),
            ]
            .concat(),
            Self::Prepare(name, sql) => [
                message::parse(name, &sql.replace("{x}", failing)),
                message::describe_statement(name),
            ]
            .concat(),
            Self::RunPrepared(name) => {
                [message::bind("", name, &[], 0), message::execute("", 0)].concat()
            }
            Self::Open(portal, name) => message::bind(portal, name, &[], 1),
            Self::Fetch(portal, rows) => message::execute(portal, rows),
            Self::Data => [message::copy_data(b"1\n"), message::copy_done()].concat(),
        }
    }
}

/// What an application sees of an answer: types of messages, `ReadyForQuery`'s status, the SQLSTATE
/// of errors. Whichever of the two errors it was that had to come is `failed`.
fn transcript(answer: &[Message]) -> String {
    let seen = |message: &Message| match message.tag {
        b'Z' => format!("Z{}", char::from(message.body[0])),
        b'E' => match message.sqlstate().as_str() {
            "42501" | "22012" => "E(failed)".to_owned(),
            other => format!("E({other})"),
        },
        tag => char::from(tag).to_string(),
    };
    answer.iter().map(seen).collect::<Vec<_>>().join(" ")
}

/// A stand under `on_refused = error` with a table of three rows, of which the second holds a value
/// that is refused.
fn with_errors() -> Stand {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let good = stand.app.seal(b"good").unwrap();
    let values = [&good, &forged(good.clone()), &good].map(|value| literal(value));
    stand.link.database.query(&format!(
        "create table made (x int); create table copied (x int);
         create table stored (id int, value bytea);
         insert into stored values (1, {}), (2, {}), (3, {})",
        values[0], values[1], values[2]
    ));
    stand
}

#[test]
fn the_error_says_no_more_than_that_a_value_was_refused() {
    let stand = with_errors();
    let mut session = stand.session();
    let other = literal(&Keys::new().add_client("app").seal(b"x").unwrap());
    let (zone, forged) = (
        literal(&stand.zone.seal(b"x").unwrap()),
        "(select value from stored where id = 2)",
    );
    let error = |sql: &str, session: &mut Session| session.query(sql)[1].clone();
    let errors =
        [&other, &zone, forged].map(|value| error(&format!("select {value}"), &mut session));
    assert_eq!(errors[0].sqlstate(), "42501");
    let says = errors[0].field(b'M').unwrap();
    assert_eq!(says, "a sealed value in this result was refused");
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
}

/// What follows is in pieces, with time to answer between them: without Sync, no `ReadyForQuery`.
fn until_error(session: &mut Session) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages
        .last()
        .is_none_or(|last: &Message| last.tag != b'E')
    {
        messages.push(session.read().unwrap());
    }
    messages
}

#[test]
fn a_pipeline_that_is_refused_before_its_sync_is_skipped_up_to_it() {
    let stand = with_errors();
    for block in [false, true] {
        let mut session = stand.session();
        if block {
            session.query("begin");
        }
        let made = Run("insert into made values (1) returning x");
        session.send([made.bytes(""), Run(FAILS).bytes("value"), message::flush()].concat());
        assert_eq!(
            transcript(&until_error(&mut session)),
            "1 2 T D C 1 2 T D E(failed)"
        );
        // PostgreSQL would ignore all of this.
        let ignored = [
            made.bytes(""),
            message::flush(),
            Run("nonsense").bytes(""),
            message::query("select 'ignored'"),
            message::execute("nowhere", 0),
        ];
        session.send(ignored.concat());
        session.send(message::sync());
        let status = if block { "ZE" } else { "ZI" };
        assert_eq!(transcript(&session.read_until_ready()), status);
        if block {
            assert_eq!(transcript(&session.query("select 1")), "E(25P02) ZE");
            assert_eq!(transcript(&session.query("rollback")), "C ZI");
        }
        assert_eq!(transcript(&session.query("select 1")), "T D C ZI");
        // Nothing has been committed.
        assert_eq!(stand.link.database.value("select count(*) from made"), "0");
    }
}

#[test]
fn a_copy_without_a_sync_behind_a_refused_value_does_not_take_the_session_with_it() {
    let stand = with_errors();
    let mut session = stand.session();
    let (fails, copy) = (
        Run(FAILS).bytes("value"),
        Run("copy made from stdin").bytes(""),
    );
    session.send([fails, copy, message::flush()].concat());
    assert_eq!(transcript(&until_error(&mut session)), "1 2 T D E(failed)");
    session.send([message::copy_data(b"1\n"), message::copy_done()].concat());
    session.send(message::sync());
    assert_eq!(transcript(&session.read_until_ready()), "ZI");
    assert_eq!(transcript(&session.query("select * from made")), "T C ZI");
}

#[test]
fn a_fetch_from_a_cursor_that_is_refused_fails_its_block() {
    let stand = with_errors();
    let mut session = stand.session();
    session.query("begin; declare c cursor for select id, value from stored");
    assert_eq!(transcript(&session.query("fetch 1 from c")), "T D C ZT");
    assert_eq!(
        transcript(&session.query("fetch 2 from c")),
        "T E(failed) ZE"
    );
    assert_eq!(transcript(&session.query("fetch 1 from c")), "E(25P02) ZE");
    assert_eq!(transcript(&session.query("rollback")), "C ZI");
}

#[test]
fn what_was_committed_behind_a_refused_value_stays_committed() {
    let stand = with_errors();
    let mut session = stand.session();
    let cases = [
        "select value from stored; insert into made values (1)",
        "begin; insert into made values (2); select value from stored; commit",
        "with made as (insert into made values (3) returning x) select x, value from stored, made",
    ];
    for sql in cases {
        let answer = transcript(&session.query(sql));
        assert!(answer.ends_with("E(failed) ZI"), "{sql}: {answer}");
    }
    let made = "select string_agg(x::text, ' ' order by x) from made";
    assert_eq!(stand.link.database.value(made), "1 2 3");
}

#[test]
fn batches_on_their_way_behind_a_refused_value_in_a_block_end_in_a_failed_block() {
    let stand = with_errors();
    let mut session = stand.session();
    session.query("begin");
    let batches = [FAILS, "insert into made values (1)", "select 2"];
    let batch = |sql| [Run(sql).bytes("value"), message::sync()].concat();
    session.send(batches.map(batch).concat());
    let answers = batches.map(|_| session.read_until_ready());
    assert_eq!(transcript(&answers[0]), "1 2 T D E(failed) ZE");
    for answer in &answers[1..] {
        let errors = answer.iter().filter(|message| message.tag == b'E').count();
        assert!(errors <= 1, "{answer:?}");
        assert!(transcript(answer).ends_with("ZE"), "{answer:?}");
    }
    assert_eq!(transcript(&session.query("select 3")), "E(25P02) ZE");
    assert_eq!(transcript(&session.query("commit")), "C ZI");
    assert_eq!(stand.link.database.value("select count(*) from made"), "0");
}

#[test]
fn an_application_that_reads_nothing_until_all_is_sent_is_not_blocked() {
    let stand = with_errors();
    let mut session = stand.session();
    session.set_timeout(PATIENCE);
    let batch = [Run(FAILS).bytes("value"), message::sync()].concat();
    session.send(batch.repeat(500));
    for _ in 0..500 {
        assert_eq!(
            transcript(&session.read_until_ready()),
            "1 2 T D E(failed) ZI"
        );
    }
}
