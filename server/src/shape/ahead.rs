//! Where in a chunk of rows the next markers stand: up to there nothing is sealed.

use memchr::memmem::Finder;

use super::{HEX, MAGIC, Markers};

/// The markers ahead in one chunk. Each is looked for in each byte once, whatever rows there are.
pub struct Ahead<'a> {
    chunk: &'a [u8],
    magic: Next,
    hex: Next,
}

/// Where one marker stands next; its chunk's length where nowhere, nothing as long as it was not
/// looked for.
#[derive(Default)]
struct Next(Option<usize>);

impl<'a> Ahead<'a> {
    /// Nothing has been looked for.
    #[must_use]
    pub fn new(chunk: &'a [u8]) -> Self {
        Self {
            chunk,
            magic: Next::default(),
            hex: Next::default(),
        }
    }

    /// The bytes of the chunk from `at` up to the first of these markers; `at` never goes back.
    #[must_use]
    pub fn without(&mut self, markers: Markers, at: usize) -> &'a [u8] {
        let mut end = self.chunk.len();
        if markers.magic {
            end = end.min(self.magic.from(at, self.chunk, &MAGIC));
        }
        if markers.hex {
            end = end.min(self.hex.from(at, self.chunk, &HEX));
        }
        self.chunk.get(at..end).unwrap_or_default()
    }
}

impl Next {
    fn from(&mut self, at: usize, chunk: &[u8], marker: &Finder<'_>) -> usize {
        if let Some(known) = self.0.filter(|known| *known >= at) {
            return known;
        }
        let rest = chunk.get(at..).unwrap_or_default();
        let next = marker.find(rest).map_or(chunk.len(), |found| at + found);
        self.0 = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_next_marker_is_without_one() {
        let chunk = b"12 pgs 89 f570677301 pgs";
        let mut ahead = Ahead::new(chunk);
        assert_eq!(ahead.without(Markers::NONE, 0), chunk);
        assert_eq!(ahead.without(Markers::ALL, 0), b"12 ");
        assert_eq!(ahead.without(Markers::ALL, 2), b" ");
        assert_eq!(ahead.without(Markers::ALL, 3), b"");
        assert_eq!(ahead.without(Markers::ALL, 4), b"gs 89 ");
        let magic = Markers {
            magic: true,
            hex: false,
        };
        assert_eq!(ahead.without(magic, 7), &chunk[7..21]);
        assert_eq!(ahead.without(Markers::ALL, 22), b"gs");
        assert_eq!(ahead.without(Markers::ALL, 24), b"");
    }
}
