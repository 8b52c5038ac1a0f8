//! A database that is killed, hangs, takes no more connections, or is promoted: told as promised.

use std::thread;
use std::time::{Duration, Instant};

use harness::raw::message;
use harness::{Cluster, Signal, until};

use super::{CREATE, INTERVAL, Stand, TOLD_WITHIN, Watcher, has_role, is_gone, keys, scram, watch};

/// `monitor_timeout`, as it comes.
const LIMIT: Duration = Duration::from_secs(1);

/// How often it is tried whether connections are taken.
const KNOCK: Duration = Duration::from_secs(1);

/// When the database was told as gone, after something was done to it; and as back, once that is undone:
/// how long that took.
#[track_caller]
fn told_within(
    stand: &mut Stand,
    limit: Duration,
    harm: impl FnOnce(&mut Cluster),
    mend: impl FnOnce(&mut Cluster),
) -> Duration {
    let mut news = stand.watch();
    news.until("the database", has_role("primary"));
    let told = thread::spawn(move || {
        let (_, gone) = news.until("the end of the database", is_gone);
        (news, gone)
    });
    let began = Instant::now();
    harm(&mut stand.database);
    let (mut news, gone) = told.join().unwrap();
    assert!(gone - began < limit, "told after {:?}", gone - began);
    assert_eq!(stand.answers(), 0);
    let health = stand.server.ops("/health");
    assert_eq!(
        (health.status, health.text()),
        (503, "the database does not answer\n")
    );
    mend(&mut stand.database);
    let mended = Instant::now();
    let (standing, back) = news.until("its return", has_role("primary"));
    assert_eq!(standing["availability"], "accepting");
    assert_eq!(stand.answers(), 1);
    back.saturating_duration_since(mended)
}

#[test]
fn a_database_that_is_killed_is_told_as_gone_at_once_and_in_one_line() {
    let mut stand = Stand::start();
    told_within(
        &mut stand,
        // PostgreSQL's processes end when they find that the first of them has.
        Duration::from_secs(1),
        Cluster::crash,
        Cluster::start_again,
    );
    let said = stand.said();
    let [first, gone, back] = said.as_slice() else {
        panic!("{said:#?}");
    };
    assert!(
        first.contains("answers the monitor role=primary timeline=1"),
        "{first}"
    );
    assert!(
        gone.contains("ERROR") && gone.contains("does not answer the monitor"),
        "{gone}"
    );
    assert!(back.contains("answers the monitor"), "{back}");
}

#[test]
fn a_database_that_hangs_is_told_as_gone() {
    let mut stand = Stand::start();
    told_within(
        &mut stand,
        INTERVAL + LIMIT + TOLD_WITHIN,
        |database| database.signal(Signal::STOP),
        |database| database.signal(Signal::CONT),
    );
}

#[test]
fn a_database_that_takes_no_more_connections_is_told_as_gone_and_as_back() {
    let mut stand = Stand::start();
    let back = told_within(
        &mut stand,
        KNOCK + LIMIT + TOLD_WITHIN,
        |database| database.process().signal(Signal::STOP),
        |database| database.process().signal(Signal::CONT),
    );
    // It is tried anew as often as it is asked, until it does.
    assert!(back < 2 * INTERVAL + TOLD_WITHIN, "back after {back:?}");
    let said = stand.said();
    assert!(said[1].contains("it takes no new connections"), "{said:#?}");
}

#[test]
fn a_session_of_the_monitor_that_breaks_says_nothing_of_the_database() {
    let stand = Stand::start();
    let mut news = stand.watch();
    news.until("the database", has_role("primary"));
    let of_monitor = "from pg_stat_activity where application_name = 'pgseal-monitor'";
    let pid = || {
        let pids = stand.database.query(&format!("select pid {of_monitor}"));
        pids.first().and_then(|row| row[0].clone())
    };
    for _ in 0..5 {
        let before = until("the monitor's session", pid);
        stand
            .database
            .query(&format!("select pg_terminate_backend({before})"));
        until("another", || pid().filter(|now| *now != before));
    }
    assert_eq!(stand.said().len(), 1, "{:#?}", stand.said());
}

#[test]
fn a_promotion_is_told_as_soon_as_was_promised() {
    let (pair, keys, watcher) = (scram().start_pair(), keys(), Watcher::new());
    pair.primary.query(CREATE);
    pair.wait_for_replay();
    let server = watcher.server(&keys, &pair.replica.address().to_string(), &[]);
    let mut news = watch(&keys, &server);
    news.until("the replica", has_role("replica"));
    let told = thread::spawn(move || news.until("the promotion", has_role("primary")));

    let mut direct = pair.replica.address().raw();
    direct.start();
    direct.query("select pg_promote(false)");
    let seen = until("the promotion", || {
        let answer = direct.query("select pg_is_in_recovery()");
        (harness::raw::rows(&answer)[0][0].as_deref() == Some(b"f")).then(Instant::now)
    });
    direct.send(message::terminate());
    let (standing, told) = told.join().unwrap();
    let late = told.saturating_duration_since(seen);
    assert!(late < INTERVAL + TOLD_WITHIN, "told after {late:?}");
    assert_eq!(standing["database"]["timeline"], 2);
    let line = server
        .process()
        .wait_for_line("the database has become another");
    assert!(line.contains("role=primary timeline=2"), "{line}");
}
