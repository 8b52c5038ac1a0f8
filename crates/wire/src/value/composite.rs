//! Composites in text: `(a,"b c",)` (PostgreSQL documentation, "Composite Type Input and Output
//! Syntax"). A field of which nothing is written is NULL.

use super::Place;
use super::scan::{Scan, is_space};

/// Bytes that no field without quotes holds.
pub(super) fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(byte)
}

pub(super) fn walk(text: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut scan = Scan::new(text, 0);
    scan.expect(b"(")?;
    loop {
        scan.doubled_or_bare(is_special, show)?;
        match scan.next()? {
            b',' => {}
            b')' => return scan.end(),
            _ => return None,
        }
    }
}
