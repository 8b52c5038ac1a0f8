//! Rows that take a processor long to open: others get their turn meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::Chain;
use harness::raw::{literal, message, tags};

use super::Stand;

/// Values in a row, each with a private-key operation of its own.
const VALUES: usize = 600;

/// Rows of a result. Together they hold more values than the server keeps key schedules of, so that
/// reading them again saves nothing.
const ROWS: usize = 20;

/// How long another may wait, with time to spare for a build without optimisation on a machine that
/// has other things to do.
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn rows_of_many_values_hold_up_neither_other_sessions_nor_the_ops_port() {
    let stand = Stand::start(&Chain::builder().on_refused("error"));
    let mut other = stand.session();
    other.query("create table stored (value bytea)");
    for _ in 0..ROWS {
        let values: Vec<u8> = (0..VALUES)
            .flat_map(|_| stand.app.seal(b"x").unwrap())
            .collect();
        other.query(&format!("insert into stored values ({})", literal(&values)));
    }
    let select = [
        message::parse("", "select value from stored"),
        message::bind("", "", &[], 1),
        message::execute("", 0),
        message::sync(),
    ]
    .concat();

    let (done, read) = (AtomicBool::new(false), AtomicUsize::new(0));
    let read_on = || {
        let mut session = stand.session();
        while !done.load(Ordering::Relaxed) {
            session.send(&select);
            loop {
                let message = session.read().unwrap();
                match message.tag {
                    b'D' => {
                        assert_eq!(message.row(), [Some(vec![b'x'; VALUES])]);
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
        let mut longest = Duration::ZERO;
        // Asked over and over, they meet every moment of the work.
        while read.load(Ordering::Relaxed) < 5 * ROWS && !reading.iter().any(|it| it.is_finished())
        {
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
