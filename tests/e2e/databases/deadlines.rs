//! A replica behind a server that is killed, hangs, or whose packets are dropped, while applications connect.

use std::time::{Duration, Instant};

use harness::{Network, Signal, until};

use super::{ANY, REPLICA, Stand, ends, is_replica};
use crate::several::{Then, in_turn, none_fails, under_connects};

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
            replica.signal(Signal::STOP);
            assert_eq!(ends(lost), "57P01");
            let promise = Duration::from_secs(3);
            assert!(
                begun.elapsed() < promise,
                "only after {:?}",
                begun.elapsed()
            );
        },
    );
    replica.signal(Signal::CONT);
    none_fails(&connects, Duration::from_secs(2));
    // It comes back by itself.
    stand.is_reached(REPLICA, true);
}

#[test]
fn a_replica_whose_packets_are_dropped_fails_no_connect() {
    let _turn = in_turn();
    let mut network = Network::new();
    let host = network.host();
    let pair = Stand::settings().start_pair_apart(&host);
    let stand = Stand::before(pair, &[]);
    let lost = stand.session(REPLICA);
    let connects = under_connects(
        stand.address_of(REPLICA),
        Then::End,
        Duration::from_secs(2),
        || {
            let begun = Instant::now();
            host.unplug();
            assert_eq!(ends(lost), "57P01");
            let after = begun.elapsed();
            assert!(after < Duration::from_secs(2), "only after {after:?}");
        },
    );
    host.plug();
    none_fails(&connects, Duration::from_secs(1));
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
