//! Cancel requests of every kind, by the thousand, while other sessions work: none is lost, and none hits
//! what it does not mean. Through several connectors to one server here; `fleet` has several servers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use harness::raw::{Session, message, tags};
use harness::{Address, Random, is_long};

use super::{cancel, open, start, was_cancelled};

/// Cancel requests in all.
const COUNT: usize = 2_000;
pub const LONG_COUNT: usize = 100_000;

/// Sessions whose queries are cancelled, and sessions whose queries are not.
pub const MEANT: usize = 6;
const BESIDE: usize = 3;

/// A query that says when it runs and then waits: what is cancelled after that, PostgreSQL cancels.
fn says_that_it_runs(waits: &str) -> String {
    format!("do $$ begin raise notice 'it runs'; perform {waits}; end $$")
}

/// Two clients and the ways in that each has, and the database itself; and what has been sent so far, by all
/// threads together.
pub struct Mixture<'a> {
    ways: [&'a [Address]; 2],
    database: Address,
    all: AtomicUsize,
    right: AtomicUsize,
    due: AtomicUsize,
    beside: AtomicUsize,
}

/// One session whose queries are cancelled.
pub struct Meant<'a> {
    pub session: Session,
    pub key: Vec<u8>,
    /// At the database itself: has queries of the other wait until they may go on.
    holder: Session,
    /// Which of the two clients has it.
    client: usize,
    /// The keys of its sessions that are over.
    old_keys: Vec<Vec<u8>>,
    random: Random,
    sent: &'a Mixture<'a>,
}

impl<'a> Mixture<'a> {
    pub fn new(ways: [&'a [Address]; 2], database: Address) -> Self {
        Self {
            ways,
            database,
            all: AtomicUsize::new(0),
            right: AtomicUsize::new(0),
            due: AtomicUsize::new(0),
            beside: AtomicUsize::new(0),
        }
    }

    /// Sessions to be cancelled, of both clients.
    pub fn open(&'a self, random: &mut Random) -> Vec<Meant<'a>> {
        let open = |number| Meant::open(number % 2, random.fork(), self);
        (0..MEANT).map(open).collect()
    }

    /// Cancels queries of these sessions until `count` requests have been sent in all. Gives the sessions
    /// back.
    pub fn run(&'a self, meant: Vec<Meant<'a>>, count: usize) -> Vec<Meant<'a>> {
        let (done, begun) = (AtomicBool::new(false), Instant::now());
        let meant = thread::scope(|scope| {
            let meant = meant.into_iter().map(|mut meant| {
                scope.spawn(move || {
                    while self.all.load(Ordering::Relaxed) < count {
                        meant.round();
                    }
                    meant
                })
            });
            let meant: Vec<_> = meant.collect();
            for number in 0..BESIDE {
                let ways = self.ways[number % 2];
                let address = ways[number / 2 % ways.len()];
                let done = &done;
                scope.spawn(move || {
                    let (mut session, _) = open(address);
                    while !done.load(Ordering::Relaxed) {
                        let answer =
                            session.query("select count(*) from generate_series(1, 20000)");
                        assert_eq!(tags(&answer), "TDCZ", "{answer:?}");
                        self.beside.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let ended: Vec<_> = meant.into_iter().map(|it| it.join()).collect();
            done.store(true, Ordering::Relaxed);
            let ended: Result<Vec<_>, _> = ended.into_iter().collect();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let [all, due, beside] =
            [&self.all, &self.due, &self.beside].map(|it| it.load(Ordering::Relaxed));
        println!(
            "{all} cancel requests by now, {} with the right key, {due} queries that had to be hit, \
             {beside} beside them; {:.0?}",
            self.right(),
            begun.elapsed(),
        );
        assert!(due > 0 && beside > 0);
        meant
    }

    /// Requests with the session's own key, by its own client.
    pub fn right(&self) -> u64 {
        self.right.load(Ordering::Relaxed) as u64
    }
}

impl<'a> Meant<'a> {
    fn open(client: usize, mut random: Random, sent: &'a Mixture<'a>) -> Self {
        let ways = sent.ways[client];
        let (session, key) = open(ways[random.below(ways.len())]);
        let (holder, _) = open(sent.database);
        Self {
            session,
            key,
            holder,
            client,
            old_keys: Vec::new(),
            random,
            sent,
        }
    }

    /// In place of a session that is over another one.
    pub fn open_again(&mut self) {
        let way = self.way();
        let (session, key) = open(way);
        self.session = session;
        self.old_keys.push(std::mem::replace(&mut self.key, key));
    }

    fn way(&mut self) -> Address {
        self.way_of(self.client)
    }

    fn way_of(&mut self, client: usize) -> Address {
        let ways = self.sent.ways[client];
        ways[self.random.below(ways.len())]
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
        match (self.random.below(4), self.old_keys.last().cloned()) {
            (0 | 1, _) => {
                let other = self.way_of(1 - self.client);
                cancel(other, &self.key);
            }
            (2, Some(key)) => cancel(self.way(), &key),
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
    fn runs(&mut self, waits: &str) {
        self.session.send(message::query(&says_that_it_runs(waits)));
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
                self.runs("pg_sleep(600)");
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
                let lock = u32::from_be_bytes(self.key[..4].try_into().unwrap());
                self.holder
                    .query(&format!("select pg_advisory_lock({lock})"));
                self.runs(&format!("pg_advisory_xact_lock({lock})"));
                self.cancel_in_vain();
                self.holder
                    .query(&format!("select pg_advisory_unlock({lock})"));
                let answer = self.session.read_until_ready();
                assert_eq!(tags(&answer), "CZ", "{answer:?}");
            }
        }
        self.passes("select 'the next one'");
    }
}

#[test]
fn of_thousands_of_cancel_requests_none_is_lost_and_none_hits_another_query() {
    let count = if is_long() { LONG_COUNT } else { COUNT };
    let (keys, link) = start();
    keys.add_client("other");
    let connectors = ["app", "other", "other"].map(|client| link.connector_of(&keys, client));
    let [second_of_app, other, second_of_other] = connectors.each_ref().map(|it| it.address());
    let (of_app, of_other) = ([link.address(), second_of_app], [other, second_of_other]);
    let mixture = Mixture::new([&of_app, &of_other], link.database.address());
    mixture.run(mixture.open(&mut Random::new()), count);
    assert_eq!(link.server.counted("cancels_total"), mixture.right());
}
