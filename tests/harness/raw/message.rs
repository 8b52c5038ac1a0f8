//! Messages of the PostgreSQL protocol, versions 3.0 and 3.2, built and taken apart by hand
//! (PostgreSQL documentation, "Message Formats"). Nothing here is from `crates/wire` or `pgwire`:
//! a test must not share its subject's mistakes.

use std::fmt;

/// Version 3.0, as a start-up message has it.
pub const VERSION_3_0: u32 = 0x0003_0000;
/// Version 3.2, as a start-up message has it.
pub const VERSION_3_2: u32 = 0x0003_0002;

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// One message from a peer.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type, such as `b'D'` for `DataRow`.
    pub tag: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an `ErrorResponse` or `NoticeResponse`, such as `b'C'` for the SQLSTATE.
    pub fn field(&self, code: u8) -> Option<String> {
        let mut rest = self.body.as_slice();
        while let Some((&found, after)) = rest.split_first() {
            let end = after.iter().position(|&byte| byte == 0)?;
            let (text, next) = after.split_at(end);
            if found == code {
                return Some(String::from_utf8_lossy(text).into_owned());
            }
            rest = next.get(1..)?;
        }
        None
    }

    /// The SQLSTATE of an `ErrorResponse`. Panics for any other message.
    #[track_caller]
    pub fn sqlstate(&self) -> String {
        assert_eq!(self.tag, b'E', "not an ErrorResponse: {self:?}");
        self.field(b'C')
            .unwrap_or_else(|| panic!("an error without SQLSTATE: {self:?}"))
    }

    /// The fields of a `DataRow`; NULL is none. Panics for any other or a malformed message.
    #[track_caller]
    pub fn row(&self) -> Vec<Option<Vec<u8>>> {
        assert_eq!(self.tag, b'D', "not a DataRow: {self:?}");
        self.fields()
            .unwrap_or_else(|| panic!("a malformed DataRow: {self:?}"))
    }

    fn fields(&self) -> Option<Vec<Option<Vec<u8>>>> {
        let (count, mut rest) = self.body.split_first_chunk()?;
        let mut fields = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (length, after) = rest.split_first_chunk()?;
            match u32::from_be_bytes(*length) {
                u32::MAX => {
                    fields.push(None);
                    rest = after;
                }
                length => {
                    let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                    fields.push(Some(value.to_vec()));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(fields)
    }

    /// The message as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        tagged(self.tag, &self.body)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\"{}\"",
            char::from(self.tag),
            self.body.escape_ascii()
        )
    }
}

/// The types of messages in one string, such as `TDDCZ`.
pub fn tags(messages: &[Message]) -> String {
    messages
        .iter()
        .map(|message| char::from(message.tag))
        .collect()
}

/// A `bytea` as SQL has it.
pub fn literal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r"'\x{digits}'::bytea")
}

/// The fields of every `DataRow` among them.
#[track_caller]
pub fn rows(messages: &[Message]) -> Vec<Vec<Option<Vec<u8>>>> {
    let rows = messages.iter().filter(|message| message.tag == b'D');
    rows.map(Message::row).collect()
}

/// A message of this type, with its length.
pub fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], length(body).as_slice(), body].concat()
}

/// A message without a type: start-up, or one of the requests before it.
pub fn untagged(body: &[u8]) -> Vec<u8> {
    [length(body).as_slice(), body].concat()
}

/// `StartupMessage`, version 3.0.
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    startup_version(VERSION_3_0, parameters)
}

/// `StartupMessage` of any version.
pub fn startup_version(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([text(name), text(value)].concat());
    }
    body.push(0);
    untagged(&body)
}

/// `SSLRequest`.
pub fn ssl_request() -> Vec<u8> {
    untagged(&SSL_REQUEST.to_be_bytes())
}

/// `GSSENCRequest`.
pub fn gssenc_request() -> Vec<u8> {
    untagged(&GSSENC_REQUEST.to_be_bytes())
}

/// `CancelRequest` for the session whose `BackendKeyData` had this body (process id and secret).
pub fn cancel_request(key_data: &[u8]) -> Vec<u8> {
    untagged(&[CANCEL_REQUEST.to_be_bytes().as_slice(), key_data].concat())
}

/// `Query`.
pub fn query(sql: &str) -> Vec<u8> {
    tagged(b'Q', &text(sql))
}

/// `Parse`, without types for the parameters.
pub fn parse(statement: &str, sql: &str) -> Vec<u8> {
    tagged(b'P', &[text(statement), text(sql), vec![0, 0]].concat())
}

/// `Bind`, with parameters in text format and all results in `result_format` (0 text, 1 binary).
pub fn bind(
    portal: &str,
    statement: &str,
    parameters: &[Option<&[u8]>],
    result_format: u16,
) -> Vec<u8> {
    let mut body = [text(portal), text(statement), vec![0, 0]].concat();
    body.extend(count(parameters.len()));
    for parameter in parameters {
        match parameter {
            None => body.extend(u32::MAX.to_be_bytes()),
            Some(value) => {
                let length = u32::try_from(value.len()).expect("a test's parameter is short");
                body.extend(length.to_be_bytes());
                body.extend(*value);
            }
        }
    }
    body.extend(count(1));
    body.extend(result_format.to_be_bytes());
    tagged(b'B', &body)
}

/// `Describe` for a prepared statement.
pub fn describe_statement(statement: &str) -> Vec<u8> {
    tagged(b'D', &[b"S".to_vec(), text(statement)].concat())
}

/// `Describe` for a portal.
pub fn describe_portal(portal: &str) -> Vec<u8> {
    tagged(b'D', &[b"P".to_vec(), text(portal)].concat())
}

/// `Execute`; 0 rows means all.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    tagged(b'E', &[text(portal), rows.to_be_bytes().to_vec()].concat())
}

/// `Close` for a prepared statement.
pub fn close_statement(statement: &str) -> Vec<u8> {
    tagged(b'C', &[b"S".to_vec(), text(statement)].concat())
}

/// `Close` for a portal.
pub fn close_portal(portal: &str) -> Vec<u8> {
    tagged(b'C', &[b"P".to_vec(), text(portal)].concat())
}

/// `Flush`.
pub fn flush() -> Vec<u8> {
    tagged(b'H', &[])
}

/// `Sync`.
pub fn sync() -> Vec<u8> {
    tagged(b'S', &[])
}

/// `Terminate`.
pub fn terminate() -> Vec<u8> {
    tagged(b'X', &[])
}

/// `PasswordMessage`, in clear.
pub fn password(password: &str) -> Vec<u8> {
    tagged(b'p', &text(password))
}

/// `CopyData`.
pub fn copy_data(data: &[u8]) -> Vec<u8> {
    tagged(b'd', data)
}

/// `CopyDone`.
pub fn copy_done() -> Vec<u8> {
    tagged(b'c', &[])
}

/// `CopyFail`.
pub fn copy_fail(reason: &str) -> Vec<u8> {
    tagged(b'f', &text(reason))
}

/// `FunctionCall` of the function with this object id, with arguments in text format and the result
/// in `result_format` (0 text, 1 binary).
pub fn function_call(function: u32, arguments: &[&[u8]], result_format: u16) -> Vec<u8> {
    let mut body = [function.to_be_bytes().as_slice(), &[0, 0]].concat();
    body.extend(count(arguments.len()));
    for argument in arguments {
        let length = u32::try_from(argument.len()).expect("a test's argument is short");
        body.extend(length.to_be_bytes());
        body.extend(*argument);
    }
    body.extend(result_format.to_be_bytes());
    tagged(b'F', &body)
}

fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4)
        .expect("a test's message is short")
        .to_be_bytes()
}

fn count(items: usize) -> [u8; 2] {
    u16::try_from(items)
        .expect("a test has few items")
        .to_be_bytes()
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_documented_layout() {
        assert_eq!(query("select 1"), b"Q\0\0\0\x0dselect 1\0");
        assert_eq!(ssl_request(), [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
        assert_eq!(gssenc_request(), [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]);
        assert_eq!(
            startup(&[("user", "a")]),
            b"\0\0\0\x10\0\x03\0\0user\0a\0\0"
        );
        assert_eq!(
            bind("", "s", &[None, Some(b"xy")], 1),
            b"B\0\0\0\x19\0s\0\0\0\0\x02\xff\xff\xff\xff\0\0\0\x02xy\0\x01\0\x01"
        );
    }

    #[test]
    fn a_row_is_its_fields() {
        let row = Message {
            tag: b'D',
            body: b"\0\x02\0\0\0\x01x\xff\xff\xff\xff".to_vec(),
        };
        assert_eq!(row.row(), [Some(b"x".to_vec()), None]);
    }

    #[test]
    #[should_panic(expected = "malformed")]
    fn a_row_with_a_byte_too_many_is_malformed() {
        Message {
            tag: b'D',
            body: b"\0\x01\0\0\0\x01xy".to_vec(),
        }
        .row();
    }

    #[test]
    fn an_error_gives_its_fields() {
        let error = Message {
            tag: b'E',
            body: b"SERROR\0C57P01\0Mgone\0\0".to_vec(),
        };
        assert_eq!(error.sqlstate(), "57P01");
        assert_eq!(error.field(b'M').as_deref(), Some("gone"));
        assert_eq!(error.field(b'H'), None);
    }
}
