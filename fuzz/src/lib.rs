//! What holds for every parser that reads a peer's bytes, whatever the bytes: one function for each,
//! which takes bytes and panics where it does not hold.
//!
//! libFuzzer calls them from `main` with bytes of its own making, `tests/replay.rs` with those of
//! `corpus`. None asserts merely that nothing panics: what was read is written and is the same, or a
//! second, simpler implementation says the same, or a field is unchanged or opened. Where random
//! bytes would not get in, they say how something valid is made, and where it is spoiled.

mod input;
mod sealed;
mod targets;

/// One parser, or some that belong together, and what holds for them.
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// The files that it is about, from the root of the repository.
    pub parsers: &'static [&'static str],
    /// Panics where something does not hold.
    pub run: fn(&[u8]),
}

pub use targets::TARGETS;
