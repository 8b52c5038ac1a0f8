//! How often a test repeats what it hopes to catch by chance.

use std::env;

/// `count`, or ten times as many in a long run: one with `PGSEAL_TEST_LONG` in its environment.
pub fn rounds(count: usize) -> usize {
    match env::var_os("PGSEAL_TEST_LONG") {
        Some(_) => 10 * count,
        None => count,
    }
}
