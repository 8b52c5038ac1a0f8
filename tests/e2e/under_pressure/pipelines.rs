//! More requests before one `Sync` than the server takes note of at once: the rest waits in its
//! socket, and goes on when replies have come.

use std::thread;

use harness::Chain;
use harness::raw::{Session, Stream, message};

use super::Stand;

/// Runs of a statement in one batch: more than 65,536 requests.
const RUNS: usize = 40_000;

const CLEAR: &[u8] = b"4000 0012 3456 7899";

/// Sends all of it while the answer is read; gives the number of rows, each of which must have been
/// opened.
#[track_caller]
fn opened_rows(session: &mut Session, pipeline: Vec<u8>) -> usize {
    let mut sending = Session::over(session.stream().tcp().try_clone().unwrap());
    let sender = thread::spawn(move || sending.send(pipeline));
    let mut rows = 0;
    loop {
        let message = session.read();
        let message = message.unwrap_or_else(|ended| panic!("{ended:?} after {rows} rows"));
        match message.tag {
            b'D' => {
                assert_eq!(message.row(), [Some(CLEAR.to_vec())], "row {rows}");
                rows += 1;
            }
            b'E' => panic!("{message:?} after {rows} rows"),
            b'Z' => break,
            _ => {}
        }
    }
    sender.join().unwrap();
    rows
}

#[test]
fn forty_thousand_runs_of_a_statement_in_one_batch_are_all_opened() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let sealed = harness::raw::literal(&stand.app.seal(CLEAR).unwrap());
    let mut session = stand.session();
    session.query(&format!("create table stored as select {sealed} as value"));
    let run = [message::bind("", "s", &[], 1), message::execute("", 0)].concat();
    let pipeline = [
        message::parse("s", "select value from stored"),
        run.repeat(RUNS),
        message::sync(),
    ];
    assert_eq!(opened_rows(&mut session, pipeline.concat()), RUNS);
    let pipeline = [run.repeat(10), message::sync()];
    assert_eq!(
        opened_rows(&mut session, pipeline.concat()),
        10,
        "afterwards"
    );
}

#[test]
fn an_insert_of_many_rows_that_are_returned_and_described_each_opens_them_all() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let mut session = stand.session();
    session.query("create table stored (value bytea)");
    // A parameter in text, as psycopg's executemany sends it in pipeline mode.
    let sealed: String = stand
        .app
        .seal(CLEAR)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let parameter = format!(r"\x{sealed}");
    let run = [
        message::bind("", "s", &[Some(parameter.as_bytes())], 1),
        message::describe_portal(""),
        message::execute("", 0),
    ]
    .concat();
    let runs = RUNS / 2;
    let pipeline = [
        message::parse("s", "insert into stored values ($1) returning value"),
        run.repeat(runs + runs / 4),
        message::sync(),
    ];
    assert_eq!(
        opened_rows(&mut session, pipeline.concat()),
        runs + runs / 4
    );
}
