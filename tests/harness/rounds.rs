//! How often a test repeats what it hopes to catch by chance.

use std::env;

/// True in a long run: one with `PGSEAL_TEST_LONG` in its environment.
pub fn is_long() -> bool {
    env::var_os("PGSEAL_TEST_LONG").is_some()
}

/// `count`, or ten times as many in a [long](is_long) run.
pub fn rounds(count: usize) -> usize {
    if is_long() { 10 * count } else { count }
}
