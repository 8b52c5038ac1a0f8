//! JSON (RFC 8259), as PostgreSQL takes it. The strings in it that are values are leaves; those that
//! are names are not. What is open is kept in a list of its own, however deep it goes: a bit a level.

use super::Place;
use super::scan::Scan;

pub(super) fn walk(text: &[u8], start: usize, show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut scan = Scan::new(text, start);
    let mut open = Open::default();
    loop {
        // A value.
        space(&mut scan);
        match scan.peek()? {
            b'{' => {
                scan.next();
                space(&mut scan);
                if !scan.eat(b"}") {
                    open.push(Within::Object);
                    name(&mut scan)?;
                    continue;
                }
            }
            b'[' => {
                scan.next();
                space(&mut scan);
                if !scan.eat(b"]") {
                    open.push(Within::Array);
                    continue;
                }
            }
            b'"' => {
                let start = scan.at();
                string(&mut scan)?;
                show(Place {
                    range: start..scan.at(),
                    type_oid: None,
                });
            }
            b't' => scan.expect(b"true")?,
            b'f' => scan.expect(b"false")?,
            b'n' => scan.expect(b"null")?,
            _ => number(&mut scan)?,
        }
        // Behind it the next one, or the end of what it stands in.
        loop {
            space(&mut scan);
            let Some(within) = open.last() else {
                return scan.end();
            };
            match (scan.next()?, within) {
                (b',', Within::Array) => break,
                (b',', Within::Object) => {
                    space(&mut scan);
                    name(&mut scan)?;
                    break;
                }
                (b']', Within::Array) | (b'}', Within::Object) => open.pop(),
                _ => return None,
            }
        }
    }
}

/// What a value stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Array,
    Object,
}

/// What is open, from the outermost on.
#[derive(Default)]
struct Open {
    /// The levels before the last ones, 64 in each.
    full: Vec<u64>,
    /// The last ones, the very last in the lowest bit: set where it is an object.
    last: u64,
    levels: usize,
}

impl Open {
    fn push(&mut self, within: Within) {
        if self.levels > 0 && self.levels.is_multiple_of(64) {
            self.full.push(self.last);
        }
        self.last = self.last << 1 | u64::from(within == Within::Object);
        self.levels += 1;
    }

    fn pop(&mut self) {
        self.levels = self.levels.saturating_sub(1);
        self.last >>= 1;
        if self.levels > 0 && self.levels.is_multiple_of(64) {
            self.last = self.full.pop().unwrap_or_default();
        }
    }

    fn last(&self) -> Option<Within> {
        match (self.levels, self.last & 1) {
            (0, _) => None,
            (_, 0) => Some(Within::Array),
            _ => Some(Within::Object),
        }
    }
}

fn space(scan: &mut Scan<'_>) {
    scan.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
}

/// A name, and what separates it from its value.
fn name(scan: &mut Scan<'_>) -> Option<()> {
    string(scan)?;
    space(scan);
    scan.expect(b":")
}

fn string(scan: &mut Scan<'_>) -> Option<()> {
    scan.expect(b"\"")?;
    loop {
        scan.skip(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        match scan.next()? {
            b'"' => return Some(()),
            b'\\' => match scan.next()? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => {
                    for _ in 0..4 {
                        scan.next()?.is_ascii_hexdigit().then_some(())?;
                    }
                }
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn number(scan: &mut Scan<'_>) -> Option<()> {
    scan.eat(b"-");
    if !scan.eat(b"0") {
        digits(scan)?;
    }
    if scan.eat(b".") {
        digits(scan)?;
    }
    if scan.eat(b"e") || scan.eat(b"E") {
        let _ = scan.eat(b"+") || scan.eat(b"-");
        digits(scan)?;
    }
    Some(())
}

fn digits(scan: &mut Scan<'_>) -> Option<()> {
    let digits = scan.skip(|byte| byte.is_ascii_digit());
    (!digits.is_empty()).then_some(())
}
