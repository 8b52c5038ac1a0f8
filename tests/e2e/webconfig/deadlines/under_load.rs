//! Zone mode is switched in a browser while applications are at work on both servers: no session is
//! dropped, no query fails, and no row is of two modes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::raw::{Message, Session, literal, message, rows};
use harness::{report, rounds};

use super::super::browser::{click, holds, signed_in, url};
use super::*;

/// Sessions at work beside each connector.
const BUSY: usize = 2;

/// Rows of one of their results.
const ROWS: usize = 10;

/// Rows of a result that is held up, and bytes beside the values in each: together more than all that
/// stands between a database and an application takes up.
const HELD_ROWS: usize = 1000;
const PADDING: usize = 32 << 10;

const OF_ZONE: &[u8] = b"sealed to the zone";
const OF_CLIENT: &[u8] = b"sealed to the client";

/// A result of an application at work.
struct Result {
    asked: Instant,
    /// The mode of each row.
    rows: Vec<&'static str>,
}

/// The mode that a row is of: each opens one of its two values.
#[track_caller]
fn mode(row: &[Option<Vec<u8>>]) -> &'static str {
    let opens = |place: usize, clear: &[u8]| row[place].as_deref() == Some(clear);
    match (opens(1, OF_ZONE), opens(2, OF_CLIENT)) {
        (true, false) => "on",
        (false, true) => "off",
        both => panic!("a row of two modes, or none: {both:?}"),
    }
}

/// Asks for so many rows that have a zone's value beside its tag, a client's, and padding.
fn select(chain: &Chain, rows: usize, padding: usize) -> String {
    let zone = chain.keys.add_zone(&["app"]);
    let (tag, of_zone) = (zone.owner().id(), literal(&zone.seal(OF_ZONE).unwrap()));
    let of_client = literal(&chain.client().seal(OF_CLIENT).unwrap());
    format!(
        "select '{tag}'::text, {of_zone}, {of_client}, repeat('x', {padding}) \
         from generate_series(1, {rows})"
    )
}

/// An application at work: asks again and again, until it is told to stop.
fn work(link: &Link, sql: &str, stop: &AtomicBool, results: &Mutex<Vec<Result>>) {
    let mut session = session(link);
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let answer = session.extended(sql, 1);
        let rows: Vec<_> = rows(&answer).iter().map(|row| mode(row)).collect();
        assert_eq!(rows.len(), ROWS, "{answer:?}");
        results.lock().unwrap().push(Result { asked, rows });
    }
}

/// Tells applications to stop, when a test fails too.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A result in the middle of which an application stops reading.
struct Held {
    session: Session,
    first: Vec<Message>,
}

impl Held {
    fn begin(link: &Link, sql: &str) -> Self {
        let mut session = session(link);
        session.send(
            [
                message::parse("", sql),
                message::bind("", "", &[], 1),
                message::execute("", 0),
                message::sync(),
            ]
            .concat(),
        );
        let first = (0..5).map(|_| session.read().unwrap()).collect();
        Self { session, first }
    }

    /// Reads on: what was on its way at the change is as it was before, what follows as it is since.
    #[track_caller]
    fn reads_on(mut self, before: &str, since: &str) {
        let rest = self.session.read_until_ready();
        let all = rows(&[self.first, rest].concat());
        let mut modes: Vec<_> = all.iter().map(|row| mode(row)).collect();
        assert_eq!(modes.len(), HELD_ROWS);
        modes.dedup();
        assert_eq!(modes, [before, since]);
    }
}

#[test]
fn zone_mode_is_switched_under_load_without_a_session_a_query_or_a_row_lost() {
    let stand = Stand::start();
    let sql = select(&stand.chain, ROWS, 0);
    let long = select(&stand.chain, HELD_ROWS, PADDING);
    let mut tab = signed_in(&stand.page);
    tab.go(&url(&stand.page, "/zone-mode"));
    tab.until(&holds("off"));
    let links = stand.chain.links();
    let mut idle = links.map(session);
    let (stop, results) = (
        AtomicBool::new(false),
        Vec::from_iter((0..2 * BUSY).map(|_| Mutex::default())),
    );
    let mut longest = Duration::ZERO;
    thread::scope(|scope| {
        let _stopping = Stopping(&stop);
        for (results, place) in results.iter().zip(0..) {
            let (link, sql, stop) = (links[place % 2], &sql, &stop);
            scope.spawn(move || work(link, sql, stop, results));
        }
        let all_are = |mode: &str, since: Instant| {
            results.iter().all(|results| {
                let results = results.lock().unwrap();
                let last = results.last();
                last.is_some_and(|it| it.asked > since && it.rows.iter().all(|it| *it == mode))
            })
        };
        within(harness::PATIENCE, Instant::now(), "at work", || {
            all_are("off", Instant::now() - PROMISE)
        });
        for round in 0..rounds(2) {
            for (before, since) in [("off", "on"), ("on", "off")] {
                let held = (round == 0).then(|| links.map(|link| Held::begin(link, &long)));
                let clicked = Instant::now();
                click(&mut tab, since);
                within(PROMISE, clicked, "on both servers", || {
                    all_are(since, clicked)
                });
                longest = longest.max(clicked.elapsed());
                for session in &mut idle {
                    let answer = session.extended(&sql, 1);
                    let rows = rows(&answer);
                    assert!(!rows.is_empty() && rows.iter().all(|row| mode(row) == since));
                }
                for held in held.into_iter().flatten() {
                    held.reads_on(before, since);
                }
                tab.until(&holds(since));
                // What was asked later than promised was of the new mode alone.
                for results in &results {
                    let mut results = results.lock().unwrap();
                    let late = results.iter().filter(|it| it.asked > clicked + PROMISE);
                    assert!(late.flat_map(|it| &it.rows).all(|it| *it == since));
                    results.clear();
                }
            }
        }
    });
    assert_eq!(tab.complaints(), [] as [&str; 0]);
    report(
        "webconfig-under-load",
        &format!("zone mode switched under load: on both servers after {longest:?} at most\n"),
    );
}
