//! Replicas that follow whom they should not.

use harness::{Pair, Settings};

use super::*;

#[test]
fn a_replica_that_follows_the_old_primary_is_near_to_nobody_and_then_gets_no_reader_at_all() {
    let Pair {
        primary: old,
        replica: new,
    } = Pair::start();
    let astray = Settings::new().start_replica(&old);
    receives(&astray, 1);
    old.query("create table t (x int)");
    for replica in [&new, &astray] {
        replica.wait_for_replay(&old.wal_end());
    }
    let chooser = Chooser::start(&[&old, &new, &astray], &[]);
    drop(chooser.is_reached(PRIMARY, &old));
    drop(chooser.is_reached(NEAR, &astray));
    let reader = chooser.is_reached(REPLICA, &astray);
    promote(&new);
    chooser.says(&old, "claims to be primary on timeline 1, but");
    // It goes on with what nobody else has.
    old.query("insert into t select generate_series(1, 100000)");
    astray.wait_for_replay(&old.wal_end());
    chooser.says(
        &astray,
        "has a replica that went on on timeline 1 behind where 2 began: it gets no sessions",
    );
    assert_eq!(ends(reader), "57P01");
    for listener in [REPLICA, NEAR] {
        chooser.is_refused(listener);
    }
    drop(chooser.is_reached(ANY, &new));
}

#[test]
fn whom_a_replica_follows_is_not_known_to_a_user_without_rights_while_there_are_two_primaries() {
    let Pair {
        primary: mut old,
        replica: new,
    } = Pair::start();
    let astray = Settings::new().start_replica(&old);
    receives(&astray, 1);
    old.query("create role watcher login");
    for replica in [&new, &astray] {
        replica.wait_for_replay(&old.wal_end());
    }
    let user = "database.monitor.user = 'watcher'";
    let chooser = Chooser::start(&[&old, &new, &astray], &[user]);
    drop(chooser.is_reached(NEAR, &astray));
    promote(&new);
    chooser.says(&old, "claims to be primary on timeline 1, but");
    chooser.is_refused(NEAR);
    // A failover is like this, and readers are not to notice.
    old.crash();
    drop(chooser.is_reached(NEAR, &astray));
}
