//! Pipelines without a `Sync`, sent by who does not read: the programs hold back what does not fit,
//! and the right answers come when they are read at last.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use harness::Chain;
use harness::raw::{Session, literal, message};

use super::Stand;

/// Runs of a statement, two messages each.
const RUNS: usize = 50_000;

/// How much more memory either program may take, in bytes: for 65,536 requests without a reply, and
/// chunks.
const ROOM: u64 = 32 << 20;

/// Sends as much as is taken, without reading; gives how much that is.
fn push(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    stream
        .set_write_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("after {sent} bytes: {error}"),
        }
    }
    stream.set_write_timeout(Some(harness::PATIENCE)).unwrap();
    sent
}

/// Sends a pipeline without reading, then the rest of it while it reads. Every row is to be
/// `expected`, and there are to be so many.
#[track_caller]
fn pipeline(stand: &Stand, session: &mut Session, bytes: &[u8], runs: usize, expected: &[u8]) {
    let programs = [stand.link.server.process(), stand.link.connector.process()];
    let before = programs.map(|program| program.peak_memory());
    let sent = push(session.stream(), bytes);
    println!("{sent} of {} bytes before the first was read", bytes.len());
    // Others are served meanwhile.
    stand.session().query("select 1");
    let mut rest = Session::over(session.stream().try_clone().unwrap());
    let rows = thread::scope(|scope| {
        scope.spawn(move || rest.send(&bytes[sent..]));
        let mut rows = 0;
        loop {
            let message = session.read().unwrap();
            match message.tag {
                b'D' => {
                    let row = message.row();
                    assert!(row[0].as_deref() == Some(expected), "row {rows}");
                    rows += 1;
                }
                b'E' => panic!("{message:?} after {rows} rows"),
                b'Z' => return rows,
                _ => {}
            }
        }
    });
    assert_eq!(rows, runs);
    for (program, before) in programs.into_iter().zip(before) {
        let grown = program.peak_memory() - before;
        assert!(grown <= ROOM, "{grown} bytes more than before: {program:?}");
    }
}

#[test]
fn a_hundred_thousand_messages_without_a_sync_wait_for_who_does_not_read() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let clear = [b'c'; 300];
    let sealed = literal(&stand.app.seal(&clear).unwrap());
    let mut session = stand.session();
    session.query(&format!("create table stored as select {sealed} as value"));
    // A parameter that nobody asks for makes requests as long as replies.
    let filler = [b'f'; 200];
    let run = [
        message::bind("", "s", &[Some(&filler)], 1),
        message::execute("", 0),
    ];
    let bytes = [
        message::parse("s", "select value, length($1) from stored"),
        run.concat().repeat(RUNS),
        message::sync(),
    ];
    pipeline(&stand, &mut session, &bytes.concat(), RUNS, &clear);
}

/// Length of a long parameter, and how many of them.
const LONG: usize = 2 << 20;
const COUNT: usize = 40;

#[test]
fn parameters_of_2_megabytes_in_a_pipeline_wait_for_who_does_not_read() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let mut session = stand.session();
    let long = vec![b'p'; LONG];
    let run = [
        message::bind("", "s", &[Some(&long)], 0),
        message::execute("", 0),
    ];
    let bytes = [
        message::parse("s", "select $1::text || 'q'"),
        run.concat().repeat(COUNT),
        message::sync(),
    ];
    let expected = [&long[..], b"q"].concat();
    pipeline(&stand, &mut session, &bytes.concat(), COUNT, &expected);
}
