//! A sealed value opens in every way in which PostgreSQL gives rows out.

use harness::raw::{Message, Session, literal, message, rows, tags};
use harness::{Keys, Link};

use super::{all_open, start};

/// How many rows [`stored`] makes.
const ROWS: usize = 5;

/// Rows with a sealed value and, beside it, what it is to open to; and a session to read them with.
fn stored() -> (Keys, Link, Session) {
    let (keys, link) = start("off");
    let app = keys.client("app");
    let values = (0..ROWS).map(|i| {
        let clear = format!("value {i}").into_bytes();
        let sealed = app.seal(&clear).unwrap();
        format!("({i}, {}, {})", literal(&sealed), literal(&clear))
    });
    let values = values.collect::<Vec<_>>().join(", ");
    link.database.query(&format!(
        "create table stored (id int, sealed bytea, clear bytea); insert into stored values {values}"
    ));
    let mut session = link.address().raw();
    session.start();
    (keys, link, session)
}

/// Sends messages and reads up to `ReadyForQuery`.
#[track_caller]
fn batch(session: &mut Session, messages: &[Vec<u8>]) -> Vec<Message> {
    session.send(messages.concat());
    session.read_until_ready()
}

#[test]
fn what_a_statement_returns_opens() {
    let (keys, link, mut session) = stored();
    let sealed = literal(&keys.client("app").seal(b"new").unwrap());
    let insert = format!("insert into stored values (9, {sealed}, 'new') returning sealed, clear");
    all_open(&session.query(&insert), 1, "insert");
    all_open(&session.extended(&insert, 1), 1, "insert, extended");
    let update = "update stored set id = id + 100 returning id, sealed, clear";
    all_open(&session.query(update), ROWS + 2, "update");
    let delete = "with gone as (delete from stored returning *) select sealed, clear from gone";
    all_open(&session.extended(delete, 0), ROWS + 2, "delete");
    assert_eq!(link.database.value("select count(*) from stored"), "0");
}

#[test]
fn rows_fetched_from_a_cursor_open() {
    let (_keys, _link, mut session) = stored();
    for kind in ["", "binary"] {
        session.query("begin");
        session.query(&format!(
            "declare c {kind} scroll cursor for select sealed, clear from stored"
        ));
        all_open(&session.query("fetch 2 from c"), 2, kind);
        all_open(&session.query("fetch all from c"), ROWS - 2, kind);
        all_open(&session.query("fetch backward 3 from c"), 3, kind);
        all_open(&session.extended("fetch absolute 1 from c", 0), 1, kind);
        session.query("commit");
    }
    // A binary cursor's rows are in binary although the simple protocol asked.
    session.query("begin; declare c binary cursor for select sealed, clear from stored");
    let row = &rows(&session.query("fetch 1 from c"))[0];
    assert_eq!(row[0].as_deref(), Some(b"value 0".as_slice()));
}

#[test]
fn every_result_of_several_statements_opens_by_its_own_columns() {
    let (_keys, _link, mut session) = stored();
    let answer = session.query(
        "select sealed, clear from stored; select 'text', 7; ; set bytea_output = escape;
         select id, null, sealed, clear from stored; select clear, clear from stored limit 2",
    );
    assert_eq!(tags(&answer), "TDDDDDCTDCCTDDDDDCTDDCZ");
    let split = answer.iter().filter(|message| message.tag == b'D').cloned();
    let results: Vec<Message> = split.collect();
    all_open(&results[..ROWS], ROWS, "the first");
    all_open(&results[ROWS + 1..], ROWS + 2, "the others");
    assert_eq!(rows(&results)[ROWS + 1][2], Some(b"value 0".to_vec()));
}

#[test]
fn a_suspended_portal_goes_on_opening() {
    let (_keys, _link, mut session) = stored();
    let describe_and_one = [
        message::parse("", "select sealed, clear from stored"),
        message::bind("", "", &[], 1),
        message::describe_portal(""),
        message::execute("", 1),
        message::execute("", 2),
        message::flush(),
    ];
    session.send(describe_and_one.concat());
    let first: Vec<Message> = (0..8).map(|_| session.read().unwrap()).collect();
    assert_eq!(tags(&first), "12TDsDDs");
    all_open(&first, 3, "before");
    let rest = batch(&mut session, &[message::execute("", 0), message::sync()]);
    assert_eq!(tags(&rest), "DDCZ");
    all_open(&rest, 2, "after");
}

#[test]
fn a_named_portal_goes_on_opening_after_sync_in_a_transaction() {
    let (_keys, _link, mut session) = stored();
    session.query("begin");
    let opened = batch(
        &mut session,
        &[
            message::parse("s", "select sealed, clear from stored"),
            message::bind("p", "s", &[], 0),
            message::bind("q", "s", &[], 1),
            message::describe_portal("p"),
            message::describe_portal("q"),
            message::execute("p", 2),
            message::sync(),
        ],
    );
    all_open(&opened, 2, "p");
    for (portal, rows) in [("q", 1), ("p", 1), ("q", 2), ("p", 0), ("q", 0)] {
        let some = batch(
            &mut session,
            &[message::execute(portal, rows), message::sync()],
        );
        let count = if rows == 0 { 2 } else { rows as usize };
        all_open(&some, count, portal);
    }
    assert_eq!(tags(&session.query("commit")), "CZ");
}

#[test]
fn a_statement_described_once_opens_as_often_as_it_is_executed() {
    let (_keys, _link, mut session) = stored();
    let sql = "select id, sealed, clear from stored where id = $1::int";
    let described = batch(
        &mut session,
        &[
            message::parse("s", sql),
            message::describe_statement("s"),
            message::sync(),
        ],
    );
    assert_eq!(tags(&described), "1tTZ");
    for (id, format) in ["0", "1", "2", "3", "4"].iter().zip([0, 1, 1, 0, 1]) {
        let answer = batch(
            &mut session,
            &[
                message::bind("", "s", &[Some(id.as_bytes())], format),
                message::execute("", 0),
                message::sync(),
            ],
        );
        assert_eq!(tags(&answer), "2DCZ");
        all_open(&answer, 1, id);
    }
}

#[test]
fn rows_that_are_executed_without_being_described_open() {
    let (_keys, _link, mut session) = stored();
    for (output, format) in [("hex", 0), ("escape", 0), ("hex", 1)] {
        session.query(&format!("set bytea_output = '{output}'"));
        let answer = batch(
            &mut session,
            &[
                message::parse("", "select id, sealed, clear from stored"),
                message::bind("", "", &[], format),
                message::execute("", 0),
                message::sync(),
            ],
        );
        assert_eq!(tags(&answer), "12DDDDDCZ");
        all_open(&answer, ROWS, output);
    }
}

#[test]
fn statements_and_portals_may_be_named_anew_in_the_middle_of_a_pipeline() {
    let (_keys, _link, mut session) = stored();
    let one = |name: &str, sql: &str, format| {
        [
            message::parse(name, sql),
            message::bind("", name, &[], format),
            message::describe_portal(""),
            message::execute("", 0),
        ]
        .concat()
    };
    let sealed = "select sealed, clear from stored";
    let answer = batch(
        &mut session,
        &[
            one("", "select 1, 2", 0),
            one("", sealed, 1),
            one("s", sealed, 0),
            message::close_statement("s"),
            one("s", "select 'a'::text", 0),
            one("", sealed, 0),
            message::sync(),
            one("", sealed, 1),
            message::sync(),
        ],
    );
    let after = session.read_until_ready();
    let two_fields = |message: &Message| message.tag == b'D' && message.row().len() == 2;
    let of_stored = answer
        .iter()
        .filter(|message| two_fields(message))
        .skip(1)
        .cloned();
    all_open(&of_stored.collect::<Vec<_>>(), 3 * ROWS, "the first batch");
    all_open(&after, ROWS, "the second");
}

#[test]
fn statements_prepared_in_sql_open() {
    let (_keys, _link, mut session) = stored();
    session.query("prepare few as select sealed, clear from stored where id < $1");
    all_open(&session.query("execute few(3)"), 3, "simple");
    all_open(&session.extended("execute few(2)", 1), 2, "extended");
    session.query("discard all");
    all_open(&session.query("table stored"), ROWS, "after discard all");
}

#[test]
fn what_passes_through_expressions_of_type_bytea_opens() {
    let (_keys, _link, mut session) = stored();
    session.query("create domain secret as bytea; create view v as select * from stored");
    for select in [
        "select sealed::secret, clear from stored",
        "select sealed, clear from v",
        "select coalesce(null, sealed), clear from stored",
        "select ('a'::bytea || sealed) || '', 'a' || clear from stored",
        "select (select sealed), clear from stored order by clear desc",
        "select max(sealed::text)::bytea, max(clear::text)::bytea from stored group by id",
        "select sealed, clear from stored union all select null, null limit 5",
    ] {
        all_open(&session.query(select), ROWS, select);
        all_open(&session.extended(select, 1), ROWS, select);
    }
}

#[tokio::test]
async fn a_driver_reads_opened_values_in_each_of_its_ways() {
    let (_keys, link, _session) = stored();
    let mut client = link.connect().await;
    let expected: Vec<Vec<u8>> = (0..ROWS).map(|i| format!("value {i}").into()).collect();
    let sql = "select sealed from stored where id >= $1 order by id";
    let statement = client.prepare(sql).await.unwrap();
    for first in 0..4_usize {
        let id = i32::try_from(first).unwrap();
        let found = client.query(&statement, &[&id]).await.unwrap();
        let found: Vec<Vec<u8>> = found.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, expected[first..]);
    }
    let typed = [(&0_i32 as _, tokio_postgres::types::Type::INT4)];
    assert_eq!(client.query_typed(sql, &typed).await.unwrap().len(), ROWS);
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind(&statement, &[&0_i32]).await.unwrap();
    let mut found: Vec<Vec<u8>> = Vec::new();
    for _ in 0..3 {
        let some = transaction.query_portal(&portal, 2).await.unwrap();
        found.extend(some.iter().map(|row| row.get::<_, Vec<u8>>(0)));
    }
    assert_eq!(found, expected);
}
