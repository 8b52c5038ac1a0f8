//! Bytes that nobody should send, on every listener and from the database: a clear error or a
//! closed connection, the programs alive and serving, and their memory in bounds however much was
//! announced.

mod after_login;
mod before_login;
mod copies;
mod database;
mod doors;
mod http;
mod values;

use harness::raw::{Message, tags};

/// Lengths to announce, in start-up packets and in messages: those that PostgreSQL's own limits lie
/// beside, and those that overflow somebody's arithmetic.
const LENGTHS: [u32; 8] = [0, 3, 4, 10_001, 1 << 30, (1 << 31) - 1, 1 << 31, u32::MAX];

/// Takes what a peer sent apart into messages. All must be whole, every error well-formed, and
/// nothing may follow one that ends the session.
#[track_caller]
fn messages(mut heard: &[u8], case: &str) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    while let Some((tag, body, rest)) = split(heard) {
        found.push(Message {
            tag,
            body: body.to_vec(),
        });
        heard = rest;
    }
    assert!(
        heard.is_empty(),
        "{case}: no whole message at the end: \"{}\" after {found:?}",
        heard.escape_ascii()
    );
    for (index, error) in found.iter().enumerate() {
        let fatal = error.tag == b'E' && severity(error, case).as_deref() == Some("FATAL");
        assert!(
            !fatal || index + 1 == found.len(),
            "{case}: more after the last word: {}",
            tags(&found)
        );
    }
    found
}

/// The severity of an error that has all the fields it must have.
#[track_caller]
fn severity(error: &Message, case: &str) -> Option<String> {
    let code = error.field(b'C').unwrap_or_default();
    let says = error.field(b'M').unwrap_or_default();
    assert!(
        code.len() == 5 && !says.is_empty() && error.body.ends_with(&[0, 0]),
        "{case}: a malformed error: {error:?}"
    );
    error.field(b'V')
}

/// The first message's type and body, and what is behind it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length).checked_sub(4)?;
    let (body, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((tag, body, rest))
}
