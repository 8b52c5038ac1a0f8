//! ParameterStatus: a setting of the session that PostgreSQL reports.

use crate::Malformed;
use crate::cursor::Cursor;

/// Name and value out of the body of a ParameterStatus; `None` where it is not one.
#[must_use]
pub fn status(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let read = || -> Result<_, Malformed> {
        let mut cursor = Cursor::new(body, "ParameterStatus");
        let status = (cursor.c_string()?, cursor.c_string()?);
        cursor.finish()?;
        Ok(status)
    };
    read().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_value_are_told_apart_and_nothing_else_is_one() {
        let body = b"client_encoding\0UTF8\0";
        let read: (&[u8], &[u8]) = (b"client_encoding", b"UTF8");
        assert_eq!(status(body), Some(read));
        for length in 0..body.len() {
            assert_eq!(status(&body[..length]), None, "{length}");
        }
        assert_eq!(status(b"client_encoding\0UTF8\0\0"), None);
    }
}
