//! ErrorResponse as a database sends it: its fields, by the letter that each begins with
//! (PostgreSQL documentation, "Error and Notice Message Fields").

/// Severity in fixed words, never translated.
pub const SEVERITY: u8 = b'V';
/// SQLSTATE.
pub const CODE: u8 = b'C';
/// The primary message, in the database's language.
pub const MESSAGE: u8 = b'M';

/// SQLSTATEs with which whoever answers says that it cannot be had now, and another may: connection
/// exceptions, and shutting down, crashing or starting.
const UNAVAILABLE: [&[u8]; 5] = [b"08001", b"08006", b"57P01", b"57P02", b"57P03"];

/// Whether this is the SQLSTATE of somebody who cannot be had now.
#[must_use]
pub fn is_unavailable(code: &[u8]) -> bool {
    UNAVAILABLE.contains(&code)
}

/// A field of an ErrorResponse's body; `None` where it has none of this letter.
#[must_use]
pub fn field(body: &[u8], letter: u8) -> Option<&[u8]> {
    body.split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(&[letter]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_had_now_says_so_by_some_sqlstates_alone() {
        for code in ["08001", "08006", "57P01", "57P02", "57P03"] {
            assert!(is_unavailable(code.as_bytes()), "{code}");
        }
        for code in ["", "08003", "28000", "42501", "57014"] {
            assert!(!is_unavailable(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_letter() {
        let body = b"SFEHLER\0VERROR\0C42501\0Mno\0\0";
        assert_eq!(field(body, SEVERITY), Some(b"ERROR".as_slice()));
        assert_eq!(field(body, CODE), Some(b"42501".as_slice()));
        assert_eq!(field(body, MESSAGE), Some(b"no".as_slice()));
        assert_eq!(field(body, b'H'), None);
        assert_eq!(field(b"", CODE), None);
    }
}
