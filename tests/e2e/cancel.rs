//! Cancel requests through the chain: they reach the session they mean, no other, and none of its
//! later queries.

mod fleet;
mod keys;
mod mixture;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use harness::raw::tls::Hello;
use harness::raw::{Ended, Message, Session, message, tags};
use harness::{Address, Chain, Keys, Link, PATIENCE, Random, rounds, until};
use memchr::memmem;
use tokio_postgres::NoTls;

fn start() -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().start_link(&keys);
    (keys, link)
}

/// Opens a session, and gives the key that cancels its queries.
fn open(address: Address) -> (Session, Vec<u8>) {
    let mut session = address.raw();
    let greeting = session.start();
    let key = greeting.iter().find(|message| message.tag == b'K');
    let key = key.unwrap().body.clone();
    (session, key)
}

/// Sends a cancel request and waits until it has been dealt with, as libpq does.
#[track_caller]
fn cancel(address: Address, key: &[u8]) {
    let mut session = address.raw();
    session.send(message::cancel_request(key));
    assert_eq!(session.read(), Err(Ended::Closed));
}

fn is_asleep(link: &Link) -> bool {
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    link.database.value(sleeping) == "1"
}

/// A session in which a query sleeps, and its key.
fn asleep(link: &Link) -> (Session, Vec<u8>) {
    let (mut session, key) = open(link.address());
    session.send(message::query("select pg_sleep(600)"));
    until("the query to begin", || is_asleep(link).then_some(()));
    (session, key)
}

/// Whether an answer is that of a cancelled query; otherwise it is whole.
#[track_caller]
fn was_cancelled(answer: &[Message]) -> bool {
    let error = answer.iter().find(|message| message.tag == b'E');
    if let Some(error) = error {
        assert_eq!(error.sqlstate(), "57014");
    } else {
        assert_eq!(tags(answer), "TDCZ");
    }
    error.is_some()
}

#[test]
fn a_cancel_request_ends_the_query_that_it_means() {
    let (_keys, link) = start();
    let (mut session, key) = asleep(&link);
    cancel(link.address(), &key);
    assert!(was_cancelled(&session.read_until_ready()));
    assert_eq!(tags(&session.query("select 1")), "TDCZ");
    assert_eq!(link.server.counted("cancels_total"), 1);
}

#[tokio::test]
async fn a_driver_cancels_its_query() {
    let (_keys, link) = start();
    let client = link.connect().await;
    let token = client.cancel_token();
    let (slept, cancelled) = tokio::join!(client.batch_execute("select pg_sleep(600)"), async {
        let asleep = async || is_asleep(&link).then_some(());
        harness::eventually("the query to begin", asleep).await;
        token.cancel_query(NoTls).await
    });
    cancelled.unwrap();
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
}

#[test]
fn a_cancel_request_of_another_client_or_with_another_key_does_nothing() {
    let (keys, link) = start();
    keys.add_client("other");
    let other = link.connector_of(&keys, "other");
    let (mut session, key) = asleep(&link);
    let changed = |at: usize| {
        let mut key = key.clone();
        key[at] ^= 1;
        key
    };
    // By another client, who has got hold of the key.
    cancel(other.address(), &key);
    for (wrong, why) in [
        (changed(7), "a wrong secret"),
        (changed(3), "a wrong process id"),
        (key[..7].to_vec(), "a secret too short"),
        ([&key[..], &[0]].concat(), "a secret too long"),
        (vec![0; 8], "nothing at all"),
    ] {
        let mut session = link.address().raw();
        session.send(message::cancel_request(&wrong));
        let _ = session.last_words(why);
    }
    assert!(is_asleep(&link));
    assert_eq!(link.server.counted("cancels_total"), 0);

    // By the same client on another way, in TLS to the server itself.
    let app = Hello::from(&keys.client_identity("app"));
    let mut direct = app.connect(link.server.port()).unwrap();
    direct.send(message::cancel_request(&key));
    assert_eq!(direct.read(), Err(Ended::Closed));
    assert!(was_cancelled(&session.read_until_ready()));
}

#[test]
fn a_session_that_is_over_cannot_be_cancelled() {
    let (_keys, link) = start();
    let (session, key) = open(link.address());
    drop(session);
    let (mut asleep, _) = asleep(&link);
    until("the session to end", || {
        let count = link.server.ops("/metrics");
        count
            .text()
            .contains("pgseal_server_sessions 1\n")
            .then_some(())
    });
    cancel(link.address(), &key);
    assert!(is_asleep(&link));
    assert_eq!(link.server.counted("cancels_total"), 0);
    asleep.send(message::terminate());
}

/// Asks something that takes a while, and cancels it before, during or after that. Answers whether
/// the query was hit; the one after it never is.
#[track_caller]
fn round(session: &mut Session, address: Address, key: &[u8], rows: usize) -> bool {
    session.send(message::query(&format!(
        "select count(*) from generate_series(1, {rows})"
    )));
    cancel(address, key);
    let cancelled = was_cancelled(&session.read_until_ready());
    let next = session.query("select 'the next one'");
    assert_eq!(tags(&next), "TDCZ", "{next:?}");
    cancelled
}

#[test]
fn a_late_cancel_request_never_hits_the_next_query() {
    let ((_keys, link), mut random) = (start(), Random::new());
    let (mut session, key) = open(link.address());
    let rounds = rounds(300);
    let hits = (0..rounds)
        .filter(|number| {
            let most = if number % 2 == 0 { 10 } else { 300_000 };
            round(&mut session, link.address(), &key, 1 + random.below(most))
        })
        .count();
    // Some came in time, and some did not.
    assert!((1..rounds).contains(&hits), "{hits} of {rounds}");
}

#[test]
fn a_query_waits_for_a_cancel_request_that_is_on_its_way() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().tapped().start_link(&keys);
    let tap = link.database_tap.as_ref().unwrap();
    let sent = |text: &str| memmem::find(&tap.app_to_db(), text.as_bytes()).is_some();
    let (mut session, key) = open(link.address());
    let (mut other, _) = open(link.address());
    // The database does not hear of it yet; what it is to hear is recorded all the same.
    tap.stall();
    let mut request = link.address().raw();
    request.send(message::cancel_request(&key));
    until("the cancel request to go to the database", || {
        memmem::find(&tap.app_to_db(), &message::cancel_request(&key))
    });
    session.send(message::query("select 'after the cancel request'"));
    other.send(message::query("select 'of another session'"));
    until("the other query to go to the database", || {
        sent("of another session").then_some(())
    });
    assert!(!sent("after the cancel request"));
    // Whoever cancelled may rely on it that the request is done when its connection closes.
    request.set_timeout(Duration::from_millis(100));
    assert_eq!(request.read(), Err(Ended::TimedOut));
    request.set_timeout(PATIENCE);
    tap.flow();
    assert_eq!(request.read(), Err(Ended::Closed));
    for session in [&mut session, &mut other] {
        assert_eq!(tags(&session.read_until_ready()), "TDCZ");
    }
}

#[test]
fn under_load_only_the_session_that_is_meant_is_hit() {
    let (_keys, link) = start();
    let (address, done) = (link.address(), AtomicBool::new(false));
    thread::scope(|scope| {
        let victims = [0; 3].map(|_| {
            scope.spawn(move || {
                let (mut session, key) = open(address);
                (0..rounds(40))
                    .filter(|_| round(&mut session, address, &key, 200_000))
                    .count()
            })
        });
        let bystanders = [0; 3].map(|_| {
            scope.spawn(|| {
                let (mut session, _) = open(address);
                let mut count = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = session.query("select count(*) from generate_series(1, 20000)");
                    assert_eq!(tags(&answer), "TDCZ", "{answer:?}");
                    count += 1;
                }
                count
            })
        });
        let hits: usize = victims
            .into_iter()
            .map(|victim| victim.join().unwrap())
            .sum();
        done.store(true, Ordering::Relaxed);
        let passed: usize = bystanders
            .into_iter()
            .map(|other| other.join().unwrap())
            .sum();
        assert!(hits > 0 && passed > 0, "{hits} hits, {passed} beside them");
    });
}
