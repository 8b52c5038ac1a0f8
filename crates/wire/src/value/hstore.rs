//! `hstore` in text: `"a"=>"b", "c"=>NULL` (PostgreSQL documentation, "hstore External
//! Representation"). Its values are leaves, its keys are not. One without pairs is empty text.

use super::Place;
use super::scan::{Escape, Scan};

pub(super) fn walk(text: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
    let mut scan = Scan::new(text, 0);
    loop {
        scan.quoted(Escape::Backslash)?;
        scan.expect(b"=>")?;
        if !scan.eat(b"NULL") {
            show(Place {
                range: scan.quoted(Escape::Backslash)?,
                type_oid: None,
            });
        }
        if scan.peek().is_none() {
            return Some(());
        }
        scan.expect(b", ")?;
    }
}
