//! Rows that take a processor long to open: others get their turn meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::raw::{literal, message, tags};
use harness::{Chain, until};

use super::Stand;

/// Values in a row, each with a private-key operation of its own.
const VALUES: usize = 800;

/// Rows. Together they hold more values than the server keeps key schedules of, so that reading
/// them over and over saves no operation.
const ROWS: usize = 14;

/// How long another may wait, with time to spare for a build without optimisation on a machine that
/// has other things to do.
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn rows_of_many_values_hold_up_neither_other_sessions_nor_the_ops_port() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let mut other = stand.session();
    other.query("create table stored (id int, value bytea)");
    for row in 0..ROWS {
        let values: Vec<u8> = (0..VALUES)
            .flat_map(|_| stand.app.seal(b"x").unwrap())
            .collect();
        other.query(&format!(
            "insert into stored values ({row}, {})",
            literal(&values)
        ));
    }
    let (done, read) = (AtomicBool::new(false), AtomicUsize::new(0));
    let read_on = || {
        let mut session = stand.session();
        while !done.load(Ordering::Relaxed) {
            session.send(message::query("select value from stored order by id"));
            let opened = format!(r"\x{}", "78".repeat(VALUES)).into_bytes();
            loop {
                let message = session.read().unwrap();
                match message.tag {
                    b'D' => {
                        assert_eq!(message.row(), [Some(opened.clone())]);
                        read.fetch_add(1, Ordering::Relaxed);
                    }
                    b'Z' => break,
                    tag => assert_ne!(tag, b'E', "{message:?}"),
                }
            }
        }
    };
    thread::scope(|scope| {
        let reading = [scope.spawn(read_on), scope.spawn(read_on)];
        let more_than = |count: usize| {
            until("rows to be opened", || {
                let stopped = reading.iter().any(|reader| reader.is_finished());
                (stopped || read.load(Ordering::Relaxed) > count).then_some(())
            });
        };
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            // Between two looks something is opened, so the server is busy.
            more_than(read.load(Ordering::Relaxed));
            let begun = Instant::now();
            assert_eq!(stand.link.server.ops("/metrics").status, 200);
            longest = longest.max(begun.elapsed());
            let begun = Instant::now();
            assert_eq!(tags(&other.query("select 1")), "TDCZ");
            longest = longest.max(begun.elapsed());
        }
        done.store(true, Ordering::Relaxed);
        for reader in reading {
            reader.join().unwrap();
        }
        assert!(longest < LIMIT, "somebody waited for {longest:?}");
        println!("the longest wait was {longest:?}");
    });
}
