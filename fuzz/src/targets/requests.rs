//! An application's messages: read in pieces they are what a reader of whole messages makes of them.

use wire::Header;
use wire::description::{Format, Formats};
use wire::frame::MAX_SMALL_LENGTH;
use wire::request::{Name, Request, Requests};

use crate::input::{Input, pieces};

/// The first bytes say how the others, a stream, are cut.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed: [u8; 8] = input.any();
    let stream = input.rest();
    let whole = read(stream, &[stream.len()]);
    let cut = read(stream, &Input::new(&seed).cuts(stream.len()));
    assert_eq!(whole, cut);

    let mut rest = stream;
    for request in &whole.requests {
        let header = Header::parse(rest).ok().flatten().expect("it was read");
        let (message, behind) = rest.split_at(header.total());
        // A name that is no text is not compared: names are made of texts only.
        if let Some(expected) = expected(header.tag, &message[Header::LEN..]) {
            assert_eq!(*request, expected);
        }
        rest = behind;
    }
    assert_eq!(whole.between, rest.is_empty());
    match Header::parse(rest) {
        Err(_) => assert!(whole.broken),
        Ok(None) => assert!(!whole.broken),
        Ok(Some(header)) => {
            let small = b"CDEHSXcf".contains(&header.tag);
            let too_long = small && header.body + 4 > MAX_SMALL_LENGTH as usize;
            assert_eq!(whole.broken, too_long);
            assert!(too_long || header.total() > rest.len());
        }
    }
}

#[derive(Debug, PartialEq)]
struct Read {
    requests: Vec<Request>,
    between: bool,
    broken: bool,
}

fn read(stream: &[u8], ends: &[usize]) -> Read {
    let mut requests = Requests::default();
    let mut read = Read {
        requests: Vec::new(),
        between: true,
        broken: false,
    };
    for mut piece in pieces(stream, ends) {
        while !piece.is_empty() {
            let Ok((taken, request)) = requests.next(piece) else {
                return Read {
                    broken: true,
                    between: false,
                    ..read
                };
            };
            assert!(taken > 0, "it goes on");
            read.requests.extend(request);
            piece = &piece[taken..];
        }
    }
    read.between = requests.between_messages();
    read
}

/// The request of a whole message, read in one go; `None` where a name is no text.
fn expected(tag: u8, body: &[u8]) -> Option<Request> {
    let (kind, behind) = body
        .split_first()
        .map_or((0, body), |(kind, rest)| (*kind, rest));
    Some(match (tag, kind) {
        (b'Q', _) => Request::Query,
        (b'P', _) => Request::Parse {
            statement: name(body)?.0,
        },
        (b'B', _) => {
            let (portal, rest) = name(body)?;
            let (statement, rest) = name(rest)?;
            Request::Bind {
                portal,
                statement,
                formats: formats(rest),
            }
        }
        (b'D', b'S') => Request::DescribeStatement(name(behind)?.0),
        (b'D', b'P') => Request::DescribePortal(name(behind)?.0),
        (b'C', b'S') => Request::CloseStatement(name(behind)?.0),
        (b'C', b'P') => Request::ClosePortal(name(behind)?.0),
        (b'E', _) => Request::Execute(name(body)?.0),
        (b'S', _) => Request::Sync,
        (b'F', _) => Request::FunctionCall,
        (b'd', _) => Request::CopyData,
        (b'c' | b'f', _) => Request::CopyEnd,
        (b'X', _) => Request::Terminate,
        _ => Request::Other,
    })
}

/// A name, up to its NUL or to the message's end, and what follows.
fn name(bytes: &[u8]) -> Option<(Name, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = &bytes[..end.unwrap_or(bytes.len())];
    let rest = end.map_or([].as_slice(), |end| &bytes[end + 1..]);
    let text = &text[..text.len().min(63)];
    Some((Name::from(str::from_utf8(text).ok()?), rest))
}

/// The result formats at the end of a Bind, whose names are gone.
fn formats(bytes: &[u8]) -> Option<Formats> {
    let mut rest = bytes;
    let mut take = |count: usize| {
        let (taken, behind) = rest.split_at_checked(count)?;
        rest = behind;
        Some(
            taken
                .iter()
                .fold(0u32, |word, byte| word << 8 | u32::from(*byte)),
        )
    };
    let count = take(2)?;
    for _ in 0..count {
        take(2)?;
    }
    for _ in 0..take(2)? {
        let length = take(4)?;
        if i32::try_from(length).is_ok() {
            take(length as usize)?;
        }
    }
    let mut codes = Vec::new();
    for _ in 0..take(2)? {
        codes.push(match take(2)? {
            0 => Format::Text,
            1 => Format::Binary,
            _ => return None,
        });
    }
    Some(match codes[..] {
        [] => Formats::All(Format::Text),
        [one] => Formats::All(one),
        _ => Formats::Each(codes.into()),
    })
}
