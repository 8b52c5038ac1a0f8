//! Lines out of what comes in pieces.

use bytes::BytesMut;

/// What has come and is not yet a line.
pub(crate) struct Lines {
    input: BytesMut,
    /// How much of it has been searched for a line's end.
    searched: usize,
    /// The longest line, in bytes, without its end.
    longest: usize,
}

/// A line is longer than any may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    /// Of so many bytes at most, each.
    pub fn new(longest: usize) -> Self {
        Self {
            input: BytesMut::new(),
            searched: 0,
            longest,
        }
    }

    /// What has come.
    pub fn push(&mut self, piece: &[u8]) {
        self.input.extend_from_slice(piece);
    }

    /// The line at the front without its end, if all of it has come.
    pub fn next(&mut self) -> Result<Option<BytesMut>, TooLong> {
        let unsearched = self.input.iter().skip(self.searched);
        let end = unsearched.take_while(|byte| **byte != b'\n').count() + self.searched;
        if end > self.longest {
            return Err(TooLong);
        }
        if end == self.input.len() {
            self.searched = end;
            return Ok(None);
        }
        self.searched = 0;
        let mut line = self.input.split_to(end + 1);
        line.truncate(end);
        Ok(Some(line))
    }
}
