//! What the list of servers says: weights, backups, and that it can be another at any time.

use harness::raw::tags;
use harness::{Connector, Several, Signal};

use super::{all_up, is_up, session};

fn address(several: &Several, server: usize) -> String {
    format!("127.0.0.1:{}", several.servers[server].port())
}

fn list(servers: &[String]) -> String {
    format!("servers = ['{}']", servers.join("', '"))
}

/// Opens so many sessions, and counts those that each server got.
#[track_caller]
fn shares(several: &Several, sessions: usize) -> Vec<u64> {
    let started = |it: &harness::Server| it.counted("sessions_started_total");
    let before: Vec<_> = several.servers.iter().map(started).collect();
    for _ in 0..sessions {
        drop(session(several));
    }
    let after = several.servers.iter().map(started);
    after
        .zip(before)
        .map(|(after, before)| after - before)
        .collect()
}

#[test]
fn sessions_are_shared_out_by_weight() {
    let mut several = Several::start(3, &[], &["checks.slow_start = '0s'"]);
    let weighted = list(&[
        format!("{} weight=3", address(&several, 0)),
        address(&several, 1),
        format!("{} weight=0", address(&several, 2)),
    ]);
    several.connector.apply(&[&weighted]);
    all_up(&several);
    assert_eq!(shares(&several, 8), [6, 2, 0]);
}

#[test]
fn a_backup_gets_sessions_only_while_no_other_can() {
    let mut several = Several::start(2, &[], &["checks.slow_start = '0s'"]);
    let with_backup = list(&[
        address(&several, 0),
        format!("{} backup", address(&several, 1)),
    ]);
    several.connector.apply(&[&with_backup]);
    all_up(&several);
    assert_eq!(shares(&several, 4), [4, 0]);
    let port = several.servers[0].port();
    several.servers[0].process().signal(Signal::STOP);
    is_up(&several, port, 0);
    let before = several.servers[1].counted("sessions_started_total");
    for _ in 0..4 {
        assert_eq!(tags(&session(&several).query("select 1")), "TDCZ");
    }
    assert_eq!(
        several.servers[1].counted("sessions_started_total"),
        before + 4
    );
    several.servers[0].process().signal(Signal::CONT);
    is_up(&several, port, 1);
    assert_eq!(shares(&several, 4), [4, 0]);
}

#[test]
fn the_list_is_taken_over_while_sessions_run() {
    let mut several = Several::start(2, &[], &["checks.slow_start = '0s'"]);
    all_up(&several);
    let mut running: Vec<_> = (0..4).map(|_| session(&several)).collect();
    let (first, second) = (address(&several, 0), address(&several, 1));
    several
        .connector
        .apply(&[&list(std::slice::from_ref(&second))]);
    assert_eq!(shares(&several, 4), [0, 4]);
    for session in &mut running {
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
    let line = several
        .connector
        .process()
        .wait_for_line("is not listed any more");
    assert!(line.contains(&first), "{line}");
    // Nobody listens to it any more.
    let watching = "server_up{server=\"".to_owned() + &first;
    assert!(!metrics(&several.connector).contains(&watching));
    several.connector.apply(&[&list(&[first, second])]);
    all_up(&several);
    assert_eq!(shares(&several, 4), [2, 2]);
}

#[test]
fn a_wrong_list_changes_nothing() {
    let mut several = Several::start(2, &[], &[]);
    all_up(&several);
    let (first, second) = (address(&several, 0), address(&several, 1));
    for (wrong, why) in [
        (list(&[first.clone(), first.clone()]), "is listed twice"),
        (
            list(&[format!("{first} weight=1000")]),
            "weight: write a number from 0 to 256",
        ),
        (
            list(&[format!("{first} main")]),
            "`main` is none of weight=",
        ),
        ("servers = []".to_owned(), "`server` is not set"),
    ] {
        several.connector.reconfigure(&[&wrong]);
        let log = several.connector.process().wait_for_line(why);
        assert!(log.contains("the configuration stays as it was"), "{log}");
        assert_eq!(shares(&several, 4), [2, 2], "{second}");
    }
}

fn metrics(connector: &Connector) -> String {
    let metrics = connector.api(&harness::http::Request::get("/metrics"));
    metrics.text().to_owned()
}
