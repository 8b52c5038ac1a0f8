//! Values out of the fuzzer's bytes. A fuzzer that has run out of bytes gets zeros, so every input
//! means something.

use arbitrary::{Arbitrary, Unstructured};

/// Bytes that values are made of.
pub struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    /// From these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// Any value.
    pub fn any<T: Arbitrary<'a> + Default>(&mut self) -> T {
        self.0.arbitrary().unwrap_or_default()
    }

    /// True when all of it has been used.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        match end {
            0 => 0,
            _ => self.0.int_in_range(0..=end - 1).unwrap_or_default(),
        }
    }

    /// One of these.
    pub fn one_of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }

    /// True once in `count` times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// Up to `most` bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most + 1).min(self.0.len());
        self.0.bytes(length).unwrap_or_default()
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    /// Where `length` bytes are cut: the ends of up to eight pieces, the last at their end.
    pub fn cuts(&mut self, length: usize) -> Vec<usize> {
        let mut ends: Vec<_> = (0..self.below(8)).map(|_| self.below(length + 1)).collect();
        ends.push(length);
        ends.sort_unstable();
        ends
    }

    /// `bytes` with some of them spoiled: changed, left out, doubled, or cut off.
    pub fn spoiled(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..1 + self.below(3) {
            let at = self.below(bytes.len());
            match (self.below(5), bytes.get_mut(at)) {
                (_, None) => bytes.push(self.any()),
                (0, Some(byte)) => *byte = self.any(),
                (1, Some(byte)) => *byte ^= 1 << self.below(8),
                (2, _) => drop(bytes.remove(at)),
                (3, Some(&mut byte)) => bytes.insert(at, byte),
                (_, _) => bytes.truncate(at),
            }
        }
        bytes
    }
}

/// `bytes` in pieces that end so.
pub fn pieces<'b>(bytes: &'b [u8], ends: &[usize]) -> impl Iterator<Item = &'b [u8]> {
    let starts = [0].into_iter().chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| &bytes[start..*end])
}
