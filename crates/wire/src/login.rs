//! What a database asks of whoever logs in: the Authentication messages. The answers are `originate`'s,
//! what goes into them is the caller's.

use crate::Malformed;
use crate::cursor::Cursor;

/// Authentication request code of AuthenticationOk.
pub(crate) const OK: u32 = 0;
/// Authentication request code of AuthenticationSASL.
pub(crate) const SASL: u32 = 10;

/// One Authentication message (`R`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// AuthenticationOk: nothing more is asked.
    Done,
    /// AuthenticationCleartextPassword.
    Cleartext,
    /// AuthenticationMD5Password, with its salt.
    Md5([u8; 4]),
    /// AuthenticationSASL: the names of the mechanisms, each with a NUL behind it.
    Sasl(&'a [u8]),
    /// AuthenticationSASLContinue: the mechanism's own data.
    SaslContinue(&'a [u8]),
    /// AuthenticationSASLFinal: the mechanism's own data.
    SaslFinal(&'a [u8]),
    /// Another way to log in, by its request code.
    Other(u32),
}

impl<'a> Request<'a> {
    /// Reads the body of an Authentication message.
    ///
    /// # Errors
    /// It is too short, or too long, for what it says it is.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body, "Authentication");
        let request = match cursor.u32()? {
            OK => Self::Done,
            3 => Self::Cleartext,
            5 => Self::Md5(cursor.array()?),
            SASL => return Ok(Self::Sasl(cursor.rest())),
            11 => return Ok(Self::SaslContinue(cursor.rest())),
            12 => return Ok(Self::SaslFinal(cursor.rest())),
            other => return Ok(Self::Other(other)),
        };
        cursor.finish()?;
        Ok(request)
    }
}

/// Whether a mechanism is among those of [`Request::Sasl`].
#[must_use]
pub fn offers(mechanisms: &[u8], mechanism: &str) -> bool {
    mechanisms
        .split(|byte| *byte == 0)
        .any(|offered| offered == mechanism.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_told_by_its_code() {
        for (body, request) in [
            (b"\0\0\0\0".as_slice(), Request::Done),
            (b"\0\0\0\x03", Request::Cleartext),
            (b"\0\0\0\x05salt", Request::Md5(*b"salt")),
            (b"\0\0\0\x0aA\0B\0\0", Request::Sasl(b"A\0B\0\0")),
            (b"\0\0\0\x0bmore", Request::SaslContinue(b"more")),
            (b"\0\0\0\x0cend", Request::SaslFinal(b"end")),
            (b"\0\0\0\x07", Request::Other(7)),
        ] {
            assert_eq!(Request::parse(body), Ok(request));
        }
    }

    #[test]
    fn a_request_that_is_too_short_or_too_long_is_malformed() {
        for body in [
            b"".as_slice(),
            b"\0\0\0",
            b"\0\0\0\0x",
            b"\0\0\0\x03x",
            b"\0\0\0\x05sal",
            b"\0\0\0\x05salty",
        ] {
            assert!(Request::parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_mechanism_is_offered_by_its_whole_name() {
        let mechanisms = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        assert!(offers(mechanisms, "SCRAM-SHA-256"));
        assert!(!offers(mechanisms, "SCRAM-SHA"));
        assert!(!offers(b"SCRAM-SHA-256-PLUS\0\0", "SCRAM-SHA-256"));
    }
}
