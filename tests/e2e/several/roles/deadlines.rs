//! A replica that is too far behind: noticed as soon as was promised.

use std::time::{Duration, Instant};

use harness::raw::message;
use harness::{Nodes, until};

use super::{ends, is_reached, is_replica};

#[test]
fn a_replica_that_is_too_far_behind_gets_no_sessions_within_a_second_and_gets_them_again() {
    let promise = Duration::from_secs(1);
    let needs = [
        "target=replica max_lag=1MiB fallback_to_primary",
        "target=replica max_lag=1MiB",
    ];
    let nodes = Nodes::start(&needs, &[]);
    let (fallback, strict) = (0, 1);
    is_reached(&nodes, fallback, true);
    let (primary, replica) = (&nodes.pair.primary, &nodes.pair.replica);
    primary.query("create table bulk (x text)");
    nodes.pair.wait_for_replay();
    let mut stays = nodes.session(fallback);
    replica.query("select pg_wal_replay_pause()");
    until("the replay to pause", || {
        let state = replica.value("select pg_get_wal_replay_pause_state()");
        (state == "paused").then_some(())
    });
    primary
        .query("insert into bulk select repeat(md5(i::text), 30) from generate_series(1, 4000) i");
    let behind = Instant::now();
    is_reached(&nodes, fallback, false);
    let after = behind.elapsed();
    assert!(after < promise, "noticed after {after:?}");
    for _ in 0..5 {
        assert!(!is_replica(&mut nodes.session(fallback)));
    }
    let mut turned_away = nodes.address_of(strict).raw();
    turned_away.send(message::startup(&[("user", "postgres")]));
    assert_eq!(ends(turned_away), "57P03");
    // A lag ends no session.
    assert!(is_replica(&mut stays));
    replica.query("select pg_wal_replay_resume()");
    nodes.pair.wait_for_replay();
    is_reached(&nodes, fallback, true);
    assert!(is_replica(&mut nodes.session(strict)));
}
