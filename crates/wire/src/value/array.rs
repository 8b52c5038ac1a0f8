//! Arrays in text: `{a,"b c",NULL}`, `{{1,2},{3,4}}`, `[0:1]={a,b}` (PostgreSQL documentation,
//! "Array Input and Output Syntax").

use super::Place;
use super::scan::{Escape, Scan, is_space};

/// The most dimensions an array has (`MAXDIM`).
pub(super) const MAX_DIMENSIONS: usize = 6;

/// Bytes that no element without quotes holds.
pub(super) fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',') || is_space(byte)
}

pub(super) fn walk(text: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut scan = Scan::new(text, 0);
    let bounds = bounds(&mut scan)?;
    if bounds.is_empty() && scan.eat(b"{}") {
        return scan.end();
    }
    // Of each dimension, from the outermost on, how many there are in it: known once one is full.
    let mut sizes = [None; MAX_DIMENSIONS];
    for (size, bound) in sizes.iter_mut().zip(&bounds) {
        *size = Some(*bound);
    }
    // How many have come in each brace that is open, and in how many of them elements stand.
    let mut open = Vec::with_capacity(MAX_DIMENSIONS);
    let mut dimensions = None;
    scan.expect(b"{")?;
    open.push(0);
    loop {
        if scan.eat(b"{") {
            (open.len() < dimensions.unwrap_or(MAX_DIMENSIONS)).then_some(())?;
            open.push(0);
            continue;
        }
        (*dimensions.get_or_insert(open.len()) == open.len()).then_some(())?;
        element(&mut scan, show)?;
        *open.last_mut()? += 1;
        // Behind an element come ends of braces, or the next one.
        loop {
            match scan.next()? {
                b',' => break,
                b'}' => {}
                _ => return None,
            }
            let count: usize = open.pop()?;
            (*sizes.get_mut(open.len())?.get_or_insert(count) == count).then_some(())?;
            match open.last_mut() {
                Some(outer) => *outer += 1,
                None => {
                    let fits = bounds.is_empty() || Some(bounds.len()) == dimensions;
                    return fits.then_some(()).and(scan.end());
                }
            }
        }
    }
}

/// The sizes that `[1:2][0:3]=` states; none where there are no bounds.
fn bounds(scan: &mut Scan<'_>) -> Option<Vec<usize>> {
    let mut sizes = Vec::new();
    while scan.eat(b"[") {
        let lower = integer(scan)?;
        scan.expect(b":")?;
        let upper = integer(scan)?;
        scan.expect(b"]")?;
        let size = i64::from(upper) - i64::from(lower) + 1;
        sizes.push(usize::try_from(size).ok()?);
        (sizes.len() <= MAX_DIMENSIONS).then_some(())?;
    }
    if !sizes.is_empty() {
        scan.expect(b"=")?;
    }
    Some(sizes)
}

fn integer(scan: &mut Scan<'_>) -> Option<i32> {
    let digits = scan.skip(|byte| byte == b'-' || byte.is_ascii_digit());
    str::from_utf8(digits).ok()?.parse().ok()
}

fn element(scan: &mut Scan<'_>, show: &mut dyn FnMut(Place)) -> Option<()> {
    let start = scan.at();
    let is_null = if scan.peek() == Some(b'"') {
        scan.quoted(Escape::Backslash)?;
        false
    } else {
        let bare = scan.skip(|byte| !is_special(byte));
        (!bare.is_empty()).then_some(())?;
        bare.eq_ignore_ascii_case(b"NULL")
    };
    if !is_null {
        show(Place {
            range: start..scan.at(),
            type_oid: None,
        });
    }
    Some(())
}
