//! What a database asks of whoever logs in, what it reports of the session, and its errors.

use wire::error::{CODE, field, is_unavailable};
use wire::login::{Request, offers};
use wire::{Header, parameter, sasl};

/// The bytes are the body of an Authentication message; and, in other readings, of a ParameterStatus and
/// of an ErrorResponse.
pub fn run(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes) {
        match request {
            Request::Other(code) => assert_eq!(bytes[..4], code.to_be_bytes()),
            _ => assert_eq!(written(request), bytes),
        }
        assert_eq!(sasl::is_done(bytes), request == Request::Done);
    }
    without_channel_binding(bytes);
    let mut parts = bytes.split(|byte| *byte == 0);
    let status = match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(name), Some(value), Some([]), None] => Some((name, value)),
        _ => None,
    };
    assert_eq!(parameter::status(bytes), status);
    for letter in [b'V', b'C', b'M', 0, bytes.first().copied().unwrap_or(b'S')] {
        let expected = match letter {
            // No letter, and no field of none.
            0 => None,
            _ => bytes
                .split(|byte| *byte == 0)
                .find(|field| field.first() == Some(&letter))
                .map(|field| &field[1..]),
        };
        assert_eq!(field(bytes, letter), expected);
    }
    let code = field(bytes, CODE).unwrap_or(bytes);
    let expected = match code {
        [b'0', b'8', b'0', b'0', last] => b"16".contains(last),
        [b'5', b'7', b'P', b'0', last] => (b'1'..=b'3').contains(last),
        _ => false,
    };
    assert_eq!(is_unavailable(code), expected);
}

fn written(request: Request<'_>) -> Vec<u8> {
    let (code, rest): (u32, &[u8]) = match &request {
        Request::Done => (0, &[]),
        Request::Cleartext => (3, &[]),
        Request::Md5(salt) => (5, salt),
        Request::Sasl(rest) => (10, rest),
        Request::SaslContinue(rest) => (11, rest),
        Request::SaslFinal(rest) => (12, rest),
        Request::Other(code) => return code.to_be_bytes().to_vec(),
    };
    [code.to_be_bytes().as_slice(), rest].concat()
}

fn without_channel_binding(body: &[u8]) {
    let mechanisms = |body: &[u8]| -> Option<Vec<Vec<u8>>> {
        let list = body.strip_prefix(b"\0\0\0\x0a")?.strip_suffix(b"\0")?;
        let names = list.split_inclusive(|byte| *byte == 0);
        Some(names.map(<[u8]>::to_vec).collect())
    };
    let is_bound = |name: &Vec<u8>| name.ends_with(b"-PLUS\0");
    match sasl::without_channel_binding(body) {
        Err(_) => {}
        Ok(None) => {
            let offered = mechanisms(body).unwrap_or_default();
            assert!(!offered.iter().any(is_bound));
        }
        Ok(Some(message)) => {
            let header = Header::parse(&message).ok().flatten().expect("it is whole");
            assert_eq!((header.tag, header.total()), (b'R', message.len()));
            let edited = &message[Header::LEN..];
            let mut expected = mechanisms(body).expect("it was read");
            expected.retain(|name| !is_bound(name));
            assert_eq!(mechanisms(edited), Some(expected));
            assert_eq!(sasl::without_channel_binding(edited), Ok(None));
            assert!(!offers(&edited[4..], "SCRAM-SHA-256-PLUS"));
        }
    }
}
