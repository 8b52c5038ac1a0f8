//! Two primaries: on different timelines, and on one.

use harness::{Pair, Settings, until};

use super::*;

#[test]
fn two_replicas_that_were_promoted_at_the_same_time_get_no_sessions_either() {
    let Pair {
        mut primary,
        replica: one,
    } = Pair::start();
    let other = Settings::new().start_replica(&primary);
    receives(&other, 1);
    let mut chooser = Chooser::start(&[&primary, &one, &other], &[]);
    drop(chooser.is_reached(PRIMARY, &primary));
    let readers = [&one, &other].map(|it| chooser.is_reached(ANY, it));
    primary.crash();
    promote(&one);
    promote(&other);
    for twin in [&one, &other] {
        assert_eq!(
            twin.value("select left(pg_walfile_name(pg_current_wal_lsn()), 8)"),
            "00000002"
        );
        chooser.says(
            twin,
            "claims to be primary on timeline 2, and so does another database: neither gets sessions",
        );
    }
    for reader in readers {
        assert_eq!(ends(reader), "57P01");
    }
    for listener in [PRIMARY, ANY] {
        chooser.is_refused(listener);
    }
    assert_eq!(chooser.server.ops("/primary").status, 503);
    // Who is silent may serve others, and so the other one is no better for it.
    let mut other = other;
    other.crash();
    let down = format!("database_up{{database=\"{}\"}}", other.address());
    until("one of the two to be down", || {
        (chooser.server.counted(&down) == 0).then_some(())
    });
    assert!(chooser.distrusts(&one));
    chooser.is_refused(PRIMARY);
    // Who has decided says so.
    let list = format!("databases = ['{}']", one.address());
    chooser.server.reconfigure(&[&list]);
    chooser.server.restart();
    drop(chooser.is_reached(PRIMARY, &one));
}

#[test]
fn an_old_primary_is_found_out_by_a_replica_although_the_new_one_was_never_heard() {
    let Pair {
        primary: old,
        replica: mut new,
    } = Pair::start();
    let follower = Settings::new().start_replica(&new);
    receives(&follower, 1);
    promote(&new);
    receives(&follower, 2);
    // It knows on which timeline it is, without anybody to receive from.
    new.query("checkpoint");
    follower.wait_for_replay(&new.wal_end());
    follower.query("checkpoint");
    new.crash();
    let chooser = Chooser::start(&[&old, &new, &follower], &[]);
    chooser.says(
        &old,
        "claims to be primary on timeline 1, but a replica is on 2: it gets no sessions",
    );
    chooser.is_refused(PRIMARY);
    drop(chooser.is_reached(ANY, &follower));
    assert_eq!(chooser.server.ops("/primary").status, 503);
    new.start_again();
    drop(chooser.is_reached(PRIMARY, &new));
    assert!(chooser.distrusts(&old));
}

#[test]
fn sessions_of_a_primary_that_was_replaced_end_although_they_would_be_kept_otherwise() {
    let Pair {
        primary: old,
        replica: new,
    } = Pair::start();
    let chooser = Chooser::start(&[&old, &new], &["balance.on_role_change = 'keep'"]);
    let writer = chooser.is_reached(PRIMARY, &old);
    let mut reader = chooser.is_reached(REPLICA, &new);
    promote(&new);
    assert_eq!(ends(writer), "57P01");
    chooser.says(&old, "claims to be primary on timeline 1, but");
    // This one is no replica any more, and stays.
    assert!(is_of(&mut reader, new.address()));
}
