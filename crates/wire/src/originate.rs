//! The messages a proxy sends of its own: errors to the application, requests to the database.

use bytes::{BufMut, BytesMut};
use pgwire::error::ErrorInfo;
use pgwire::messages::Message;
use pgwire::messages::copy::CopyFail;
use pgwire::messages::extendedquery::Parse;
use pgwire::messages::response::ErrorResponse;
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::SslRequest;

/// How much an error ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement.
    Error,
    /// The session.
    Fatal,
}

/// What a PostgreSQL error says: a five-character SQLSTATE, a sentence, and what to do.
///
/// The text is written by hand for the application's eyes and never holds a value, a key or the
/// text of an inner error.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// How much it ends.
    pub severity: Severity,
    /// SQLSTATE, from PostgreSQL's Appendix A.
    pub code: &'static str,
    /// The primary message.
    pub message: &'a str,
    /// What to do about it.
    pub hint: Option<&'a str>,
}

impl Refusal<'_> {
    /// The ErrorResponse message.
    #[must_use]
    pub fn to_message(&self) -> BytesMut {
        let severity = match self.severity {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        };
        let mut info = ErrorInfo::new(severity.into(), self.code.into(), self.message.into());
        info.severity_nonlocalized = Some(severity.into());
        info.hint = self.hint.map(Into::into);
        encode(&ErrorResponse::from(info))
    }
}

/// SSLRequest.
#[must_use]
pub fn ssl_request() -> BytesMut {
    encode(&SslRequest::new())
}

/// Query.
#[must_use]
pub fn query(sql: &str) -> BytesMut {
    encode(&Query::new(sql.to_owned()))
}

/// Parse of the unnamed statement, without parameter types.
#[must_use]
pub fn parse(sql: &str) -> BytesMut {
    encode(&Parse::new(None, sql.to_owned(), vec![]))
}

/// CopyFail.
#[must_use]
pub fn copy_fail(reason: &str) -> BytesMut {
    encode(&CopyFail::new(reason.to_owned()))
}

/// Sync.
pub const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

/// ReadyForQuery with a transaction status of `I`, `T` or `E`.
#[must_use]
pub fn ready_for_query(status: u8) -> [u8; 6] {
    [b'Z', 0, 0, 0, 5, status]
}

/// CancelRequest. `secret` is the database's, of any length the protocol allows.
#[must_use]
pub fn cancel_request(pid: u32, secret: &[u8]) -> BytesMut {
    let length = 12 + secret.len().min(crate::startup::MAX_CANCEL_SECRET);
    let mut message = BytesMut::with_capacity(length);
    message.put_u32(u32::try_from(length).unwrap_or_default());
    message.put_u32(80_877_102);
    message.put_u32(pid);
    message.extend(secret.iter().take(crate::startup::MAX_CANCEL_SECRET));
    message
}

/// StartupMessage of protocol 3.0, with these names and values.
#[must_use]
pub fn startup(parameters: &[(&str, &str)]) -> BytesMut {
    let mut message = BytesMut::new();
    message.put_u32(0); // the length, known at the end
    message.put_u32(3 << 16);
    for (name, value) in parameters {
        for text in [name, value] {
            message.put_slice(text.as_bytes());
            message.put_u8(0);
        }
    }
    message.put_u8(0);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    if let Some(word) = message.first_chunk_mut() {
        *word = length.to_be_bytes();
    }
    message
}

/// PasswordMessage: a password as it is, or hashed. Like the next two in one allocation, for the caller
/// to wipe.
#[must_use]
pub fn password(password: &[u8]) -> Vec<u8> {
    answer(&[password, &[0]])
}

/// SASLInitialResponse.
#[must_use]
pub fn sasl_initial_response(mechanism: &str, data: &[u8]) -> Vec<u8> {
    let length = i32::try_from(data.len()).unwrap_or(i32::MAX);
    answer(&[mechanism.as_bytes(), &[0], &length.to_be_bytes(), data])
}

/// SASLResponse.
#[must_use]
pub fn sasl_response(data: &[u8]) -> Vec<u8> {
    answer(&[data])
}

fn answer(parts: &[&[u8]]) -> Vec<u8> {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut message = Vec::with_capacity(1 + length);
    message.push(b'p');
    message.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    for part in parts {
        message.extend_from_slice(part);
    }
    message
}

fn encode(message: &impl Message) -> BytesMut {
    let mut bytes = BytesMut::new();
    message
        .encode(&mut bytes)
        .expect("encoding to memory does not fail for these messages");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Header, startup};

    #[test]
    fn an_error_has_severity_code_message_and_hint() {
        let bytes = Refusal {
            severity: Severity::Fatal,
            code: "08006",
            message: "no",
            hint: Some("try again"),
        }
        .to_message();
        assert_eq!(Header::parse(&bytes).unwrap().unwrap().total(), bytes.len());
        assert_eq!(&bytes[5..], b"SFATAL\0VFATAL\0C08006\0Mno\0Htry again\0\0");
    }

    #[test]
    fn requests_are_framed_as_postgresql_expects() {
        assert_eq!(&query("x")[..], b"Q\0\0\0\x06x\0");
        assert_eq!(&parse("x")[..], b"P\0\0\0\x09\0x\0\0\0");
        assert_eq!(&copy_fail("x")[..], b"f\0\0\0\x06x\0");
        assert_eq!(&ssl_request()[..], [0, 0, 0, 8, 4, 210, 22, 47]);
    }

    #[test]
    fn answers_to_a_login_are_framed_as_postgresql_expects() {
        assert_eq!(password(b"word"), b"p\0\0\0\x09word\0");
        assert_eq!(
            sasl_initial_response("X", b"first"),
            b"p\0\0\0\x0fX\0\0\0\0\x05first"
        );
        assert_eq!(sasl_response(b"next"), b"p\0\0\0\x08next");
        let in_one = password(b"secret");
        assert_eq!(in_one.capacity(), in_one.len());
    }

    #[test]
    fn a_start_up_message_reads_back() {
        let bytes = startup(&[("user", "u"), ("database", "d")]);
        assert_eq!(startup::packet_length(&bytes), Ok(Some(bytes.len())));
        let Ok(startup::Packet::Startup { parameters }) = startup::Packet::parse(&bytes) else {
            panic!("{bytes:?}");
        };
        assert_eq!(parameters.get("user"), Some(b"u".as_slice()));
        assert_eq!(parameters.get("database"), Some(b"d".as_slice()));
    }

    #[test]
    fn a_cancel_request_reads_back() {
        for len in [4, 32, 256] {
            let secret = vec![7; len];
            let bytes = cancel_request(99, &secret);
            assert_eq!(bytes[..4], (bytes.len() as u32).to_be_bytes());
            assert_eq!(
                startup::Packet::parse(&bytes),
                Ok(startup::Packet::Cancel {
                    pid: 99,
                    secret: &secret
                })
            );
        }
    }
}
