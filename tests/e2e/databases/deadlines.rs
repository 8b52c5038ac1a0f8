//! A replica that dies or hangs behind a server, while applications connect.

use std::time::{Duration, Instant};

use harness::{Cluster, Signal, until};
use rustix::process::{Pid, Signal as Kernel, kill_process};

use super::{ANY, REPLICA, Stand, ends, is_replica};
use crate::several::{Then, in_turn, none_fails, under_connects};

/// Stops all processes of a database, or lets them go on.
fn all(database: &Cluster, signal: Kernel) {
    let first = i32::try_from(database.process().pid()).unwrap();
    for pid in database.children().into_iter().chain([first]) {
        // One that has ended since is as good as stopped.
        let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
    }
}

#[test]
fn a_replica_that_is_killed_fails_no_connect() {
    let _turn = in_turn();
    let mut stand = Stand::start(&[]);
    let lost = stand.session(REPLICA);
    let promise = Duration::from_secs(1);
    let address = stand.address_of(REPLICA);
    let replica = &mut stand.pair.replica;
    let connects = under_connects(address, Then::End, 2 * promise, || {
        let begun = Instant::now();
        replica.crash();
        assert_eq!(ends(lost), "57P01");
        assert!(
            begun.elapsed() < promise,
            "only after {:?}",
            begun.elapsed()
        );
    });
    none_fails(&connects, harness::PATIENCE);
    // A primary serves while no replica does.
    assert!(!is_replica(&mut stand.session(REPLICA)));
}

#[test]
fn a_replica_that_hangs_fails_no_connect() {
    let _turn = in_turn();
    let stand = Stand::start(&[]);
    let lost = stand.session(REPLICA);
    let replica = &stand.pair.replica;
    let connects = under_connects(
        stand.address_of(REPLICA),
        Then::End,
        Duration::from_secs(3),
        || {
            let begun = Instant::now();
            all(replica, Kernel::STOP);
            assert_eq!(ends(lost), "57P01");
            let promise = Duration::from_secs(3);
            assert!(
                begun.elapsed() < promise,
                "only after {:?}",
                begun.elapsed()
            );
        },
    );
    all(replica, Kernel::CONT);
    none_fails(&connects, Duration::from_secs(2));
    // It comes back by itself.
    stand.is_reached(REPLICA, true);
}

#[test]
fn sessions_anywhere_go_where_a_database_is() {
    let mut stand = Stand::start(&[]);
    stand.pair.replica.crash();
    for _ in 0..6 {
        assert!(!is_replica(&mut stand.session(ANY)));
    }
    stand.server.process().signal(Signal::TERM);
    until("the server to end", || stand.server.process().ended());
}
