//! How soon a database is distrusted.

use std::time::{Duration, Instant};

use harness::{Pair, Settings};

use super::*;

/// Twice as long as a role is believed without being confirmed, and some time for a busy machine.
const TWINS: Duration = Duration::from_secs(5);

#[test]
fn two_primaries_on_one_timeline_lose_their_sessions_in_time() {
    let Pair {
        mut primary,
        replica: one,
    } = Pair::start();
    let other = Settings::new().start_replica(&primary);
    receives(&other, 1);
    let chooser = Chooser::start(&[&primary, &one, &other], &[]);
    let readers = [&one, &other].map(|it| chooser.is_reached(ANY, it));
    primary.crash();
    promote(&one);
    promote(&other);
    let both = Instant::now();
    for reader in readers {
        assert_eq!(ends(reader), "57P01");
    }
    assert!(both.elapsed() < TWINS, "only after {:?}", both.elapsed());
}
