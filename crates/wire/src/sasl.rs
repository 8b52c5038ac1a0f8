//! AuthenticationSASL: taking channel binding out of the offer where TLS ends at a proxy.
//!
//! SCRAM-…-PLUS binds the login to the TLS channel of *one* connection. Through a proxy that ends
//! TLS there are two, so the mechanism cannot succeed and must not be offered.

use bytes::{BufMut, BytesMut};

use crate::Malformed;
use crate::cursor::Cursor;
use crate::login;

/// True for the body of AuthenticationOk: the login has succeeded.
#[must_use]
pub fn is_done(body: &[u8]) -> bool {
    body == login::OK.to_be_bytes()
}

/// Rewrites the body of an Authentication message (`R`) without the mechanisms that bind to a
/// channel; `None` when it needs no change and is forwarded as it came.
///
/// # Errors
/// An AuthenticationSASL that is malformed, or that offers nothing else.
pub fn without_channel_binding(body: &[u8]) -> Result<Option<BytesMut>, Malformed> {
    let mut cursor = Cursor::new(body, "AuthenticationSASL");
    if cursor.u32()? != login::SASL {
        return Ok(None);
    }
    let mut kept = BytesMut::new();
    let mut dropped = false;
    loop {
        let mechanism = cursor.c_string()?;
        if mechanism.is_empty() {
            break;
        }
        if mechanism.ends_with(b"-PLUS") {
            dropped = true;
        } else {
            kept.put_slice(mechanism);
            kept.put_u8(0);
        }
    }
    cursor.finish()?;
    if !dropped {
        return Ok(None);
    }
    if kept.is_empty() {
        return Err(Malformed {
            message: "AuthenticationSASL",
        });
    }
    let mut message = BytesMut::with_capacity(kept.len() + 10);
    message.put_u8(b'R');
    message.put_u32(u32::try_from(kept.len() + 9).map_err(|_| Malformed {
        message: "AuthenticationSASL",
    })?);
    message.put_u32(login::SASL);
    message.put_slice(&kept);
    message.put_u8(0);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_is_taken_out_and_the_rest_kept_in_order() {
        let body = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let edited = without_channel_binding(body).unwrap().unwrap();
        assert_eq!(&edited[..], b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
    }

    #[test]
    fn a_login_is_done_with_authentication_ok_alone() {
        assert!(is_done(b"\0\0\0\0"));
        assert!(!is_done(b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
        assert!(!is_done(b"\0\0\0\x0c"));
    }

    #[test]
    fn other_authentication_messages_pass() {
        assert_eq!(without_channel_binding(b"\0\0\0\0"), Ok(None));
        assert_eq!(without_channel_binding(b"\0\0\0\x05salt"), Ok(None));
        assert_eq!(
            without_channel_binding(b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
            Ok(None)
        );
    }

    #[test]
    fn an_offer_without_an_alternative_is_an_error() {
        assert!(without_channel_binding(b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0").is_err());
        assert!(without_channel_binding(b"\0\0\0\x0aSCRAM-SHA-256-PLUS").is_err());
        assert!(without_channel_binding(b"").is_err());
    }
}
