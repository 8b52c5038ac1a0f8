//! A chunk of messages on its way, of which some are replaced or left out.

use std::ops::Range;

use bytes::BytesMut;

/// Collects changes from left to right. As long as there are none, nothing is copied.
pub struct Edits<'a> {
    input: &'a [u8],
    /// How far into the input `edited` has come.
    done: usize,
    edited: Option<BytesMut>,
}

impl<'a> Edits<'a> {
    /// No changes yet.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            done: 0,
            edited: None,
        }
    }

    /// The bytes as they came.
    #[must_use]
    pub fn input(&self) -> &'a [u8] {
        self.input
    }

    /// Leaves `place` out; what the caller appends to the answer stands in its stead.
    pub fn replace(&mut self, place: Range<usize>) -> &mut BytesMut {
        let kept = self.input.get(self.done..place.start).unwrap_or_default();
        self.done = place.end;
        let edited = self.edited.get_or_insert_with(BytesMut::new);
        edited.extend_from_slice(kept);
        edited
    }

    /// What leaves: the first `taken` bytes of the input with all changes in them.
    #[must_use]
    pub fn finish(&mut self, taken: usize) -> &[u8] {
        let kept = self.input.get(self.done..taken).unwrap_or_default();
        match &mut self.edited {
            None => kept,
            Some(edited) => {
                edited.extend_from_slice(kept);
                edited
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_changes_the_input_itself_leaves() {
        let input = b"abcdef";
        let mut edits = Edits::new(input);
        assert_eq!(edits.finish(4).as_ptr(), input.as_ptr());
        assert_eq!(Edits::new(input).finish(4), b"abcd");
    }

    #[test]
    fn changes_stand_in_their_places() {
        let mut edits = Edits::new(b"abcdefgh");
        edits.replace(1..3).extend_from_slice(b"XY Z");
        edits.replace(4..5);
        edits.replace(5..5).extend_from_slice(b"!");
        assert_eq!(edits.finish(7), b"aXY Zd!fg");
    }
}
