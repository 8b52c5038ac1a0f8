//! A server whose packets are dropped, without an answer, while applications connect.

use std::time::{Duration, Instant};

use harness::Apart;
use harness::raw::tags;

use crate::several::{Then, in_turn, none_fails, under_connects};

#[test]
fn a_server_whose_packets_are_dropped_fails_no_connect() {
    let _turn = in_turn();
    let apart = Apart::start(&[20, 21], &["checks.timeout = '500ms'"]);
    let lost = &apart.hosts[0];
    let mut held = apart.session_on(0, apart.address());
    let connects = under_connects(apart.address(), Then::End, Duration::from_secs(2), || {
        let begun = Instant::now();
        lost.namespace().unplug();
        let heard = held.read_until_closed();
        let after = begun.elapsed();
        assert_eq!(tags(&heard), "E");
        assert_eq!(heard[0].sqlstate(), "57P01");
        assert!(after < Duration::from_secs(2), "only after {after:?}");
    });
    lost.namespace().plug();
    none_fails(&connects, Duration::from_secs(1));
    // It comes back by itself.
    apart.is_up(0);
    drop(apart.session_on(0, apart.address()));
}
