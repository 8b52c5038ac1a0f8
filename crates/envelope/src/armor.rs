//! Text armor: `pgs1.` and base64url without padding of a whole envelope, for columns of text.
//!
//! The length inside ends an armor, whatever follows it. The binary form is found by `find`.

use std::ops::Range;
use std::sync::LazyLock;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{Engine, encoded_len};
use memchr::memchr;
use memchr::memmem::Finder;

use crate::envelope::{Envelope, Header};
use crate::find::starts;

/// How every armor begins. The dot is no character of base64url, so armors cannot overlap.
const PREFIX: &str = "pgs1.";
/// Characters that give the whole header, and one byte more.
const HEADER_CHARACTERS: usize = 28;

static STARTS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PREFIX));

/// The envelope in text armor.
pub fn armor(envelope: &[u8]) -> String {
    let mut text = String::from(PREFIX);
    URL_SAFE_NO_PAD.encode_string(envelope, &mut text);
    text
}

/// The first armored envelope that starts at `from` or later, decoded into `decoded`, and where in
/// the field its armor stands.
///
/// Each start costs the characters of its armor, and no more than up to the next dot, before which
/// there is no other start: the work grows with the field, whatever is in it.
pub(crate) fn find_from<'d>(
    field: &[u8],
    from: usize,
    decoded: &'d mut Vec<u8>,
) -> Option<(Range<usize>, Envelope<'d>)> {
    let range = starts(field, from, &STARTS).find_map(|start| {
        let text = start + PREFIX.len();
        let length = decode(field.get(text..)?, decoded)?;
        Some(start..text + length)
    })?;
    let envelope = Envelope::at_start(decoded).expect("decoded to the length its header states");
    Some((range, envelope))
}

/// Decodes the envelope whose armor `text` begins with, prefix left out; gives the armor's length.
fn decode(text: &[u8], decoded: &mut Vec<u8>) -> Option<usize> {
    let mut header = [0; HEADER_CHARACTERS / 4 * 3];
    let Ok(_) = URL_SAFE_NO_PAD.decode_slice(text.first_chunk::<HEADER_CHARACTERS>()?, &mut header)
    else {
        return None;
    };
    let characters = encoded_len(Header::at_start(&header)?.total, false)?;
    let armor = text.get(..characters)?;

    // Decoding makes room for all that is announced, so what the next start cuts off is not tried.
    if memchr(b'.', armor).is_some() {
        return None;
    }
    decoded.clear();
    match URL_SAFE_NO_PAD.decode_vec(armor, decoded) {
        Ok(()) => Some(characters),
        // Not base64url, or unused bits that are not zero.
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_of_suite_1_begins_as_the_format_says() {
        let armored = armor(b"\xF5pgs\x01\x01");
        assert_eq!(armored, "pgs1.9XBncwEB");
    }
}
