//! The binary forms: lengths and types before values, as PostgreSQL's send functions write them
//! (`array_send`, `record_send`, `range_send`, `multirange_send`, `hstore_send`). A form ends with
//! its last byte, and nothing is allocated by a number that stands in it.

use std::ops::Range;

use super::Place;
use super::array::MAX_DIMENSIONS;

/// What binary `jsonb` begins with.
pub(super) const JSONB_VERSION: u8 = 1;

/// The lowest object id of a type: below it nothing is one, so that the numbers of other forms are
/// not taken for types.
const FIRST_TYPE: u32 = 16;
/// The most columns a composite has (`MaxTupleAttributeNumber`).
const MAX_FIELDS: u32 = 1664;

/// Flags of a range.
const EMPTY: u8 = 0x01;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;
const ALL_FLAGS: u8 = 0x1f;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let chunk = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*chunk)
    }

    fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.chunk().map(i32::from_be_bytes)
    }

    /// A count of what takes at least `least` bytes each, of which there are no more than fit.
    fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.i32()?).ok()?;
        let left = self.bytes.len() - self.at;
        (count <= left / least).then_some(count)
    }

    /// A length and what it is the length of: the place of both. `None` inside is NULL.
    fn value(&mut self) -> Option<Option<Range<usize>>> {
        let start = self.at;
        let length = self.i32()?;
        if length == -1 {
            return Some(None);
        }
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.bytes.len()).then_some(())?;
        self.at = end;
        Some(Some(start..end))
    }

    /// A value that must not be NULL.
    fn present(&mut self) -> Option<Range<usize>> {
        self.value()?
    }

    fn end(&self) -> Option<()> {
        (self.at == self.bytes.len()).then_some(())
    }
}

pub(super) fn array(bytes: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let dimensions = usize::try_from(reader.i32()?).ok()?;
    (dimensions <= MAX_DIMENSIONS).then_some(())?;
    let may_be_null = match reader.i32()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let type_oid = reader.u32().filter(|oid| *oid >= FIRST_TYPE)?;
    let mut elements = usize::from(dimensions > 0);
    for _ in 0..dimensions {
        elements = elements.checked_mul(usize::try_from(reader.i32()?).ok()?)?;
        reader.i32()?; // the lower bound
    }
    for _ in 0..elements {
        match reader.value()? {
            None => may_be_null.then_some(())?,
            Some(range) => show(Place {
                range,
                type_oid: Some(type_oid),
            }),
        }
    }
    reader.end()
}

pub(super) fn composite(bytes: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let fields = reader.u32().filter(|fields| *fields <= MAX_FIELDS)?;
    for _ in 0..fields {
        let type_oid = reader.u32().filter(|oid| *oid >= FIRST_TYPE)?;
        if let Some(range) = reader.value()? {
            show(Place {
                range,
                type_oid: Some(type_oid),
            });
        }
    }
    reader.end()
}

pub(super) fn range(bytes: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let [flags] = reader.chunk()?;
    (flags & !ALL_FLAGS == 0).then_some(())?;
    for infinite in [LOWER_INFINITE, UPPER_INFINITE] {
        if flags & (EMPTY | infinite) == 0 {
            show(untyped(reader.present()?));
        }
    }
    reader.end()
}

/// Of a multirange its ranges are leaves, which have lengths of their own.
pub(super) fn multirange(bytes: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.count(4 + 1)? {
        let place = reader.present()?;
        let contents = bytes.get(place.start + 4..place.end)?;
        range(contents, &mut |_| ())?;
        show(untyped(place));
    }
    reader.end()
}

pub(super) fn hstore(bytes: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.count(4 + 4)? {
        reader.present()?; // the key
        if let Some(range) = reader.value()? {
            show(untyped(range));
        }
    }
    reader.end()
}

fn untyped(range: Range<usize>) -> Place {
    Place {
        range,
        type_oid: None,
    }
}
