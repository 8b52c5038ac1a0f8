//! Cancel requests of every kind, by the thousand, through several connectors to one server, while
//! other sessions work: none is lost, and none hits what it does not mean.

use std::env;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use harness::raw::{Session, message, tags};
use harness::{Address, Random};

use super::{cancel, open, start, was_cancelled};

/// Cancel requests in all.
const COUNT: usize = 2_000;
const LONG_COUNT: usize = 100_000;

/// Sessions whose queries are cancelled, and sessions whose queries are not.
const MEANT: usize = 6;
const BESIDE: usize = 3;

/// A query that says when it runs: what is cancelled after that, PostgreSQL cancels.
fn says_that_it_runs(seconds: &str) -> String {
    format!("do $$ begin raise notice 'it runs'; perform pg_sleep({seconds}); end $$")
}

/// One session whose queries are cancelled, and the ways to it.
struct Meant<'a> {
    session: Session,
    key: Vec<u8>,
    /// Connectors of its own client, and that of another.
    own: &'a [Address],
    other: Address,
    random: Random,
    sent: &'a Sent,
}

/// What has been sent, by all threads together.
#[derive(Default)]
struct Sent {
    all: AtomicUsize,
    /// Those with the session's own key, by its own client.
    right: AtomicUsize,
    /// Of those, the ones that PostgreSQL had to honour.
    due: AtomicUsize,
}

impl Meant<'_> {
    fn way(&mut self) -> Address {
        self.own[self.random.below(self.own.len())]
    }

    /// So many requests at once; returns when all have been dealt with.
    fn cancel(&mut self, count: usize) {
        self.sent.all.fetch_add(count, Ordering::Relaxed);
        self.sent.right.fetch_add(count, Ordering::Relaxed);
        let ways: Vec<Address> = (0..count).map(|_| self.way()).collect();
        thread::scope(|scope| {
            for way in &ways[1..] {
                scope.spawn(|| cancel(*way, &self.key));
            }
            cancel(ways[0], &self.key);
        });
    }

    /// A request that means no session, or none of whoever sends it.
    fn cancel_in_vain(&mut self) {
        self.sent.all.fetch_add(1, Ordering::Relaxed);
        match self.random.below(3) {
            0 => cancel(self.other, &self.key),
            _ => {
                let flipped = self.random.flip(&self.key);
                cancel(self.way(), &flipped);
            }
        }
    }

    #[track_caller]
    fn passes(&mut self, sql: &str) {
        let answer = self.session.query(sql);
        assert_eq!(tags(&answer), "TDCZ", "{answer:?}");
    }

    #[track_caller]
    fn runs(&mut self, seconds: &str) {
        self.session
            .send(message::query(&says_that_it_runs(seconds)));
        let notice = self.session.read().unwrap();
        assert_eq!(notice.field(b'M').as_deref(), Some("it runs"));
    }

    fn round(&mut self) {
        match self.random.below(8) {
            kind @ 0..=3 => {
                // In time: once, or as many times as an impatient user presses a key.
                let count = if kind == 0 {
                    2 + self.random.below(4)
                } else {
                    1
                };
                self.runs("600");
                self.cancel(count);
                self.sent.due.fetch_add(1, Ordering::Relaxed);
                let answer = self.session.read_until_ready();
                assert!(was_cancelled(&answer), "a cancel request was lost");
            }
            4 => {
                // Late, and too early.
                self.passes("select 1");
                self.cancel(1);
            }
            5 => {
                let count = 1 + self.random.below(100_000);
                let sql = format!("select count(*) from generate_series(1, {count})");
                self.session.send(message::query(&sql));
                self.cancel(1);
                was_cancelled(&self.session.read_until_ready());
            }
            6 => self.cancel_in_vain(),
            _ => {
                self.runs("0.01");
                self.cancel_in_vain();
                let answer = self.session.read_until_ready();
                assert_eq!(tags(&answer), "CZ", "{answer:?}");
            }
        }
        self.passes("select 'the next one'");
    }
}

#[test]
fn of_thousands_of_cancel_requests_none_is_lost_and_none_hits_another_query() {
    let count = env::var_os("PGSEAL_TEST_LONG").map_or(COUNT, |_| LONG_COUNT);
    let (keys, link) = start();
    keys.add_client("other");
    let connectors = ["app", "other", "other"].map(|client| link.connector_of(&keys, client));
    let [second_of_app, other, second_of_other] = connectors.each_ref().map(|it| it.address());
    let of_app = [link.address(), second_of_app];
    let of_other = [other, second_of_other];
    let (sent, done, beside) = (Sent::default(), AtomicBool::new(false), AtomicUsize::new(0));
    let begun = Instant::now();
    thread::scope(|scope| {
        let meant = [0; MEANT].map(|_| Random::new());
        let meant = meant.into_iter().enumerate().map(|(number, random)| {
            let (own, other): (&[_], _) = match number % 2 {
                0 => (&of_app, of_other[0]),
                _ => (&of_other, of_app[0]),
            };
            let sent = &sent;
            scope.spawn(move || {
                let (session, key) = open(own[number / 2 % 2]);
                let mut meant = Meant {
                    session,
                    key,
                    own,
                    other,
                    random,
                    sent,
                };
                while sent.all.load(Ordering::Relaxed) < count {
                    meant.round();
                }
            })
        });
        let meant: Vec<_> = meant.collect();
        for number in 0..BESIDE {
            let address = [of_app, of_other][number % 2][number / 2 % 2];
            let (done, beside) = (&done, &beside);
            scope.spawn(move || {
                let (mut session, _) = open(address);
                while !done.load(Ordering::Relaxed) {
                    let answer = session.query("select count(*) from generate_series(1, 20000)");
                    assert_eq!(tags(&answer), "TDCZ", "{answer:?}");
                    beside.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let ended: Vec<_> = meant.into_iter().map(|it| it.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    let [all, right, due] =
        [&sent.all, &sent.right, &sent.due].map(|it| it.load(Ordering::Relaxed));
    println!(
        "{all} cancel requests in {:.0?}, {right} with the right key, {due} queries that had to be \
         hit, {} beside them",
        begun.elapsed(),
        beside.load(Ordering::Relaxed)
    );
    assert!(due > 0 && beside.load(Ordering::Relaxed) > 0);
    assert_eq!(link.server.counted("cancels_total"), right as u64);
}
