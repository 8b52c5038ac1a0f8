//! Random input that can be had again.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;

/// The variable that holds the seed of an earlier run.
const SEED: &str = "PGSEAL_TEST_SEED";

/// A generator (SplitMix64) whose seed is printed, so that what failed can be tried again.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// With the seed in `PGSEAL_TEST_SEED`, or else a new one.
    pub fn new() -> Self {
        let seed = match env::var(SEED) {
            Ok(seed) => seed
                .parse()
                .unwrap_or_else(|error| panic!("{SEED}={seed}: {error}")),
            Err(_) => RandomState::new().hash_one(()),
        };
        println!("{SEED}={seed} repeats this test's random input");
        Self(seed)
    }

    /// Another one, whose numbers follow from this one's.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a test's numbers are small");
        usize::try_from(self.next() % bound).expect("it is below a usize")
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// The same bytes but for one bit.
    pub fn flip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut flipped = bytes.to_vec();
        let (at, bit) = (self.below(bytes.len()), self.below(8));
        if let Some(byte) = flipped.get_mut(at) {
            *byte ^= 1 << bit;
        }
        flipped
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_gives_others() {
        assert_eq!(Random(7).bytes(20), Random(7).bytes(20));
        assert_ne!(Random(7).bytes(20), Random(8).bytes(20));
    }

    #[test]
    fn one_bit_is_flipped() {
        let (bytes, mut random) = ([0x55; 9], Random(7));
        for _ in 0..100 {
            let flipped = random.flip(&bytes);
            let differing: u32 = bytes
                .iter()
                .zip(&flipped)
                .map(|(old, new)| (old ^ new).count_ones())
                .sum();
            assert_eq!(differing, 1);
        }
    }
}
