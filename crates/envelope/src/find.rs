//! Finding envelopes among other bytes, in the binary form.
//!
//! One pass: a start that is no envelope moves the search on by one byte, an envelope to its end.
//! Each start is judged by its header alone, so the work grows with the field, whatever is in it.
//! The armored form is found by `armor`.

use std::iter;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::envelope::{Envelope, START};

static STARTS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&START));

/// The first envelope in `field`, and its offset.
pub fn find(field: &[u8]) -> Option<(usize, Envelope<'_>)> {
    find_from(field, 0)
}

/// The envelopes in `field` one after the other, each with its offset. None is looked for inside
/// another.
pub fn envelopes(field: &[u8]) -> impl Iterator<Item = (usize, Envelope<'_>)> {
    let mut searched = 0;
    iter::from_fn(move || {
        let (start, envelope) = find_from(field, searched)?;
        searched = start + envelope.as_bytes().len();
        Some((start, envelope))
    })
}

/// The first envelope that starts at `from` or later, and its offset.
pub(crate) fn find_from(field: &[u8], from: usize) -> Option<(usize, Envelope<'_>)> {
    starts(field, from, &STARTS)
        .find_map(|start| Some((start, Envelope::at_start(field.get(start..)?)?)))
}

/// Where in `field` the needle begins, from `from` on.
pub(crate) fn starts(
    field: &[u8],
    mut from: usize,
    needle: &Finder<'_>,
) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let start = from + needle.find(field.get(from..)?)?;
        from = start + 1;
        Some(start)
    })
}
