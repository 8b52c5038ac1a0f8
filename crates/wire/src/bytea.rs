//! The two text forms of `bytea`: hex (`\x6f6b`) and escape (`o\153`).
//!
//! Which one PostgreSQL writes is the session's `bytea_output`, and may change between two rows;
//! so the form is read off each value. A value that begins with `\x` is hex: escape output would
//! have doubled that backslash.

/// How a `bytea` value is written in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// `\x` and two lower-case hex digits a byte.
    Hex,
    /// Printable ASCII raw, backslash doubled, all else as three octal digits.
    Escape,
}

impl TextForm {
    /// The form of a value in text format.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        if text.starts_with(b"\\x") {
            Self::Hex
        } else {
            Self::Escape
        }
    }

    /// The value's bytes; `None` when `text` is not a value PostgreSQL would write in this form.
    #[must_use]
    pub fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => decode_hex(text.strip_prefix(b"\\x")?),
            Self::Escape => decode_escape(text),
        }
    }

    /// Whether `text` is, from its first byte to its last, a value in this form.
    #[must_use]
    pub fn is_form_of(self, text: &[u8]) -> bool {
        match self {
            Self::Hex => text.strip_prefix(b"\\x").is_some_and(|digits| {
                digits.len() % 2 == 0 && digits.iter().all(|digit| nibble(*digit).is_some())
            }),
            Self::Escape => decode_escape(text).is_some(),
        }
    }

    /// Writes `bytes` in this form, as PostgreSQL would. `out` grows once, by as much as they take,
    /// so that it does not move while it holds some of them.
    pub fn encode(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Hex => {
                out.reserve(2 + bytes.len() * 2);
                out.extend_from_slice(b"\\x");
                for byte in bytes {
                    out.extend_from_slice(&hex_digits(*byte));
                }
            }
            Self::Escape => {
                out.reserve(bytes.iter().map(|byte| escaped_length(*byte)).sum());
                for &byte in bytes {
                    match byte {
                        b'\\' => out.extend_from_slice(b"\\\\"),
                        0x20..=0x7e => out.push(byte),
                        _ => out.extend_from_slice(&[
                            b'\\',
                            b'0' + (byte >> 6),
                            b'0' + ((byte >> 3) & 7),
                            b'0' + (byte & 7),
                        ]),
                    }
                }
            }
        }
    }
}

fn escaped_length(byte: u8) -> usize {
    match byte {
        b'\\' => 2,
        0x20..=0x7e => 1,
        _ => 4,
    }
}

fn hex_digits(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        }
    };
    [digit(byte >> 4), digit(byte & 15)]
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect()
}

fn decode_escape(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    loop {
        match text {
            [] => return Some(bytes),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                text = rest;
            }
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                rest @ ..,
            ] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                text = rest;
            }
            [byte @ 0x20..=0x7e, rest @ ..] if *byte != b'\\' => {
                bytes.push(*byte);
                text = rest;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_output_is_postgresqls() {
        let mut out = Vec::new();
        TextForm::Escape.encode(b"%\x01'A\\\xf5", &mut out);
        assert_eq!(out, br"%\001'A\\\365");
    }

    #[test]
    fn hex_output_is_postgresqls() {
        let mut out = Vec::new();
        TextForm::Hex.encode(b"%%\x01'A", &mut out);
        assert_eq!(out, br"\x2525012741");
    }

    #[test]
    fn text_that_postgresql_would_not_write_is_no_bytea() {
        for text in [r"\x1", r"\xAB", r"\xzz", r"\x 00"] {
            assert_eq!(TextForm::Hex.decode(text.as_bytes()), None, "{text}");
        }
        for text in [r"\", r"\1", r"\18a", r"\400", r"a\bc"] {
            assert_eq!(TextForm::Escape.decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(TextForm::Escape.decode("é".as_bytes()), None);
    }

    #[test]
    fn what_is_written_takes_its_room_at_once() {
        for form in [TextForm::Hex, TextForm::Escape] {
            for mut value in [[b'a'; 100], [b'\\'; 100], [0; 100], [0xff; 100]] {
                // Not all alike: doubling too little must not come to what is enough.
                value[0] = b'a';
                let mut text = Vec::new();
                form.encode(&value, &mut text);
                // Room made later would have been twice what there was.
                assert_eq!(text.capacity(), text.len(), "{form:?} {value:?}");
            }
        }
    }

    #[test]
    fn a_form_is_told_without_decoding() {
        for text in [
            r"\x", r"\x00ff", r"\x1", r"\xAB", r"\xzz", "", "abc", r"\\", r"\001", r"\", r"\400",
            "x00",
        ] {
            for form in [TextForm::Hex, TextForm::Escape] {
                let decodes = form.decode(text.as_bytes()).is_some();
                assert_eq!(form.is_form_of(text.as_bytes()), decodes, "{form:?} {text}");
            }
        }
    }

    #[test]
    fn a_value_that_begins_with_backslash_x_in_escape_form_has_its_backslash_doubled() {
        let mut out = Vec::new();
        TextForm::Escape.encode(b"\\x00", &mut out);
        assert_eq!(TextForm::of(&out), TextForm::Escape);
    }

    proptest! {
        #[test]
        fn both_forms_read_back_as_written(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for form in [TextForm::Hex, TextForm::Escape] {
                let mut text = Vec::new();
                form.encode(&bytes, &mut text);
                prop_assert_eq!(TextForm::of(&text), form);
                prop_assert_eq!(form.decode(&text), Some(bytes.clone()));
            }
        }

        #[test]
        fn what_decodes_encodes_to_the_same_value(text in prop::collection::vec(any::<u8>(), 0..100)) {
            let form = TextForm::of(&text);
            if let Some(bytes) = form.decode(&text) {
                let mut again = Vec::new();
                form.encode(&bytes, &mut again);
                // Octal may spell a printable byte that PostgreSQL would write raw.
                prop_assert_eq!(form.decode(&again), Some(bytes));
            }
        }
    }
}
