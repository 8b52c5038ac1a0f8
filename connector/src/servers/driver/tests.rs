//! The driver without sockets: servers say what they are, and sessions are chosen for and moved.

use control::{Availability, DatabaseRole, DatabaseStanding};
use serde_json::{Value, json};

use super::*;

const A: usize = 0;
const B: usize = 1;

/// Servers `a:1` and `b:1`, which nobody checks.
fn driver(settings: Value) -> Arc<Driver> {
    let mut config = json!({
        "servers": ["a:1", "b:1"],
        "tls": { "certificate": "c", "private_key": "k", "ca": "a" },
    });
    let settings = settings.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(settings);
    let config: Config = serde_json::from_value(config).unwrap();
    let checks = balancer::Checks::from(&config.checks);
    let addresses = vec!["a:1".to_owned(), "b:1".to_owned()];
    Driver::new(&config, checks, addresses, Arc::default(), |_, _| {}).unwrap()
}

fn is(role: DatabaseRole, timeline: u32, position: u64) -> Standing {
    Standing {
        database: Some(DatabaseStanding {
            role,
            timeline,
            position,
            delay_ms: None,
        }),
        ..Standing::default()
    }
}

fn primary(timeline: u32) -> Standing {
    is(DatabaseRole::Primary, timeline, 10_000)
}

fn replica(position: u64) -> Standing {
    is(DatabaseRole::Replica, 1, position)
}

#[track_caller]
fn used(driver: &Arc<Driver>) -> Leased {
    match driver.choose(&[]) {
        Answer::Use(leased) => leased,
        _ => panic!("there is a server to use"),
    }
}

fn leaving(driver: &Driver, place: usize) -> Option<Leaving> {
    driver
        .leaving
        .borrow()
        .get(&driver.endpoints[place])
        .copied()
}

#[test]
fn writers_follow_a_promotion_and_end_where_they_were() {
    for (on_role_change, left) in [("close", Some(Leaving::Role)), ("keep", None)] {
        let settings = json!({ "target": "primary", "on_role_change": on_role_change });
        let driver = driver(settings);
        assert!(matches!(driver.choose(&[]), Answer::NoPrimary));
        driver.heard(A, Some(&primary(1)));
        driver.heard(B, Some(&replica(9_000)));
        assert_eq!(used(&driver).name(), "a:1");
        let events = *driver.events().borrow();
        // The old primary says nothing new of itself, and is not believed any more.
        driver.heard(B, Some(&primary(2)));
        assert!(*driver.events().borrow() > events, "whoever waits is woken");
        assert_eq!(used(&driver).name(), "b:1");
        assert_eq!(leaving(&driver, A), left);
        assert_eq!(leaving(&driver, B), None);
        // As a replica it is nothing for them either.
        driver.heard(A, Some(&replica(10_000)));
        assert_eq!(leaving(&driver, A), left);
    }
}

#[test]
fn a_replica_beyond_max_lag_gets_no_sessions_and_keeps_those_it_has() {
    let driver = driver(json!({ "target": "replica", "max_lag": "1KiB" }));
    driver.heard(A, Some(&primary(1)));
    for (position, serves) in [(9_500, true), (8_000, false), (9_900, true)] {
        driver.heard(B, Some(&replica(position)));
        let answer = driver.choose(&[]);
        assert_eq!(matches!(answer, Answer::Use(_)), serves, "{position}");
        assert_eq!(leaving(&driver, B), None);
    }
}

#[test]
fn a_server_that_drains_gets_no_sessions_and_keeps_those_it_has() {
    let driver = driver(json!({}));
    let draining = Standing {
        availability: Availability::Draining,
        ..Standing::default()
    };
    driver.heard(A, Some(&draining));
    driver.heard(B, None);
    for _ in 0..4 {
        assert_eq!(used(&driver).name(), "b:1");
    }
    assert_eq!(leaving(&driver, A), None);
}

#[test]
fn sessions_stay_with_a_server_that_takes_no_connects_for_as_long_as_it_speaks() {
    let driver = driver(json!({}));
    driver.heard(A, None);
    for _ in 0..2 {
        let mut leased = used(&driver);
        let lease = leased.lease.take().unwrap();
        driver.connect_failed(lease, A, "refused");
    }
    assert_eq!(driver.up(), [0; 0]);
    assert!(matches!(
        driver.choose(&[driver.endpoints[B]]),
        Answer::Nobody
    ));
    assert_eq!(leaving(&driver, A), None);
    // Silent, but there is no other: that is where sessions go, too.
    driver.fell_silent(A);
    assert_eq!(leaving(&driver, A), None);
    let (a, b) = (driver.endpoints[A], driver.endpoints[B]);
    assert_eq!(driver.last_resort(&[]), Some((A, a)));
    assert_eq!(driver.last_resort(&[a]), None);
    driver.heard(B, None);
    assert_eq!(leaving(&driver, A), Some(Leaving::Down));
    assert_eq!(leaving(&driver, B), None);
    assert!(matches!(driver.choose(&[b]), Answer::Nobody));
}

#[test]
fn who_needs_a_role_does_not_go_to_a_server_that_is_down() {
    let driver = driver(json!({ "target": "replica" }));
    driver.heard(A, Some(&replica(1)));
    for _ in 0..2 {
        let lease = used(&driver).lease.take().unwrap();
        driver.connect_failed(lease, A, "refused");
    }
    assert_eq!(driver.last_resort(&[]), None);
}

#[tokio::test]
async fn a_place_is_handed_on_and_lost_to_nobody() {
    let driver = driver(json!({ "max_connections": 1 }));
    driver.heard(A, None);
    let first = used(&driver);
    let wait = || match driver.choose(&[]) {
        Answer::Queued(waiting) => waiting,
        _ => panic!("it has to wait"),
    };
    let (second, third) = (wait(), wait());
    // Its turn comes, and it is not there any more.
    drop(first);
    drop(second);
    let third = third.granted().await.expect("the place was handed on");
    assert_eq!(third.name(), "a:1");
    drop(third);
    drop(used(&driver));
}
