//! The encoding of a session's text, as far as values inside text are concerned. PostgreSQL names it
//! in ParameterStatus, and converts all text to it on its way out, but nothing of `bytea`.

use memchr::memchr;

/// What the session's `client_encoding` means to the opener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// `SQL_ASCII`: any bytes, which nobody converts.
    SqlAscii,
    /// Another one, in which every byte below 0x80 is the ASCII character.
    Other,
    /// One in which the second byte of a character may be below 0x80, so that a quote or a brace may
    /// be half a character; or one that has not been named yet.
    #[default]
    Mixed,
}

/// PostgreSQL's encodings whose characters may hold bytes below 0x80 (PostgreSQL documentation,
/// "Supported Character Sets": those that are for clients only).
const MIXED: [&[u8]; 7] = [
    b"SJIS",
    b"SHIFT_JIS_2004",
    b"BIG5",
    b"GBK",
    b"UHC",
    b"GB18030",
    b"JOHAB",
];

impl Encoding {
    /// By the name that PostgreSQL reports. It leaves `UNICODE` as it was set, for old drivers.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        match name {
            b"UTF8" | b"UNICODE" => Self::Utf8,
            b"SQL_ASCII" => Self::SqlAscii,
            name if MIXED.contains(&name) => Self::Mixed,
            _ => Self::Other,
        }
    }

    /// By a name as SQL has it: in any case, and with whatever stands between its letters. One that
    /// is not known has ASCII in its place at most.
    #[must_use]
    pub fn named(name: &[u8]) -> Self {
        let name = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
        let name: Vec<u8> = name.map(u8::to_ascii_lowercase).collect();
        match &*name {
            b"utf8" | b"unicode" => Self::Utf8,
            b"sqlascii" => Self::SqlAscii,
            b"sjis" | b"shiftjis" | b"mskanji" | b"win932" | b"windows932" | b"shiftjis2004"
            | b"big5" | b"win950" | b"windows950" | b"gbk" | b"win936" | b"windows936" | b"uhc"
            | b"win949" | b"windows949" | b"gb18030" | b"johab" => Self::Mixed,
            _ => Self::Other,
        }
    }

    /// Whether an opened value is text in this encoding. Where that cannot be known, only ASCII is.
    #[must_use]
    pub fn admits(self, plaintext: &[u8]) -> bool {
        memchr(0, plaintext).is_none()
            && match self {
                Self::Utf8 => str::from_utf8(plaintext).is_ok(),
                Self::SqlAscii => true,
                Self::Other | Self::Mixed => plaintext.is_ascii(),
            }
    }

    /// Whether quotes, braces and commas can be told from halves of characters.
    #[must_use]
    pub fn shows_structure(self) -> bool {
        self != Self::Mixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_spells_them() {
        for (name, encoding) in [
            ("utf-8", Encoding::Utf8),
            ("Unicode", Encoding::Utf8),
            ("SQL_ASCII", Encoding::SqlAscii),
            ("Shift_JIS", Encoding::Mixed),
            ("shift_jis_2004", Encoding::Mixed),
            ("windows-936", Encoding::Mixed),
            ("LATIN1", Encoding::Other),
            ("", Encoding::Other),
        ] {
            assert_eq!(Encoding::named(name.as_bytes()), encoding, "{name}");
        }
        for name in MIXED {
            assert_eq!(Encoding::named(name), Encoding::Mixed);
        }
    }

    #[test]
    fn an_opened_value_must_be_text_in_the_sessions_encoding() {
        let cases: [(&str, [bool; 4]); 6] = [
            // ASCII, UTF-8, other bytes, NUL
            ("UTF8", [true, true, false, false]),
            ("UNICODE", [true, true, false, false]),
            ("SQL_ASCII", [true, true, true, false]),
            ("LATIN1", [true, false, false, false]),
            ("EUC_JP", [true, false, false, false]),
            ("SJIS", [true, false, false, false]),
        ];
        for (name, admitted) in cases {
            let encoding = Encoding::of(name.as_bytes());
            let values = [b"a card".as_slice(), "Grüße".as_bytes(), b"\xff", b"a\0"];
            assert_eq!(
                values.map(|value| encoding.admits(value)),
                admitted,
                "{name}"
            );
        }
    }

    #[test]
    fn structure_is_seen_where_no_byte_of_ascii_is_half_a_character() {
        for name in ["UTF8", "SQL_ASCII", "LATIN1", "EUC_JP", "WIN1252", "KOI8R"] {
            assert!(Encoding::of(name.as_bytes()).shows_structure(), "{name}");
        }
        for name in [
            "SJIS",
            "SHIFT_JIS_2004",
            "BIG5",
            "GBK",
            "UHC",
            "GB18030",
            "JOHAB",
        ] {
            assert!(!Encoding::of(name.as_bytes()).shows_structure(), "{name}");
        }
        assert!(!Encoding::default().shows_structure());
    }
}
