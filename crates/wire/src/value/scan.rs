//! A text walked from its front, byte by byte, and the two ways in which quoted strings are written
//! in it.

use std::ops::Range;

use super::Place;

/// A text and how far it has been walked.
pub(super) struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

/// How a quote and a backslash are written between quotes.
#[derive(Clone, Copy)]
pub(super) enum Escape {
    /// Behind a backslash: arrays and `hstore`.
    Backslash,
    /// Twice: composites and ranges.
    Doubled,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Goes over `expected`, if it stands here.
    pub(super) fn eat(&mut self, expected: &[u8]) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    /// `Some` if `expected` stands here.
    pub(super) fn expect(&mut self, expected: &[u8]) -> Option<()> {
        self.eat(expected).then_some(())
    }

    /// Goes over bytes that are such, however many there are.
    pub(super) fn skip(&mut self, such: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|byte| !such(*byte));
        let skipped = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at += skipped.len();
        skipped
    }

    /// `Some` at the end of the text.
    pub(super) fn end(&self) -> Option<()> {
        self.rest().is_empty().then_some(())
    }

    /// Goes over a quoted string, whose opening quote is next; gives its place, quotes included.
    pub(super) fn quoted(&mut self, escape: Escape) -> Option<Range<usize>> {
        let start = self.at;
        self.expect(b"\"")?;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.rest())?;
            match (self.next()?, escape) {
                (b'"', Escape::Doubled) if self.eat(b"\"") => {}
                (b'"', _) => return Some(start..self.at),
                (_, Escape::Doubled) => self.expect(b"\\")?,
                (_, Escape::Backslash) => {
                    matches!(self.next()?, b'"' | b'\\').then_some(())?;
                }
            }
        }
    }

    /// Goes over a field of a composite or a bound of a range, and shows it if anything is written: in
    /// quotes, or without them up to a special byte.
    pub(super) fn doubled_or_bare(
        &mut self,
        is_special: impl Fn(u8) -> bool,
        show: &mut dyn FnMut(Place),
    ) -> Option<()> {
        let start = self.at;
        if self.peek() == Some(b'"') {
            self.quoted(Escape::Doubled)?;
        } else {
            self.skip(|byte| !is_special(byte));
        }
        if self.at > start {
            show(Place {
                range: start..self.at,
                type_oid: None,
            });
        }
        Some(())
    }
}

/// White space as PostgreSQL sees it in SQL, arrays and records.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}
