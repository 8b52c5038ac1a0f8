//! Ranges in text, `[a,"b c")`, and multiranges, `{[a,b),[c,d)}` (PostgreSQL documentation, "Range
//! Input/Output"). A bound of which nothing is written is none; an empty range, `empty`, has no
//! leaves and so nothing to read.

use super::Place;
use super::scan::{Scan, is_space};

/// Bytes that no bound without quotes holds.
pub(super) fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b',') || is_space(byte)
}

pub(super) fn walk(text: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut scan = Scan::new(text, 0);
    range(&mut scan, show)?;
    scan.end()
}

/// Goes over a multirange of at least one range.
pub(super) fn walk_multi(text: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut scan = Scan::new(text, 0);
    scan.expect(b"{")?;
    loop {
        range(&mut scan, show)?;
        match scan.next()? {
            b',' => {}
            b'}' => return scan.end(),
            _ => return None,
        }
    }
}

fn range(scan: &mut Scan<'_>, show: &mut dyn FnMut(Place)) -> Option<()> {
    matches!(scan.next()?, b'[' | b'(').then_some(())?;
    scan.doubled_or_bare(is_special, show)?;
    scan.expect(b",")?;
    scan.doubled_or_bare(is_special, show)?;
    matches!(scan.next()?, b']' | b')').then_some(())
}
