//! An application's messages: read in pieces they are what a reader of whole messages makes of them.

use wire::Header;
use wire::copy::Copies;
use wire::description::{Format, Formats};
use wire::frame::MAX_SMALL_LENGTH;
use wire::request::{Name, Request, Requests};

use crate::input::{Input, pieces};

/// The first bytes say how the others, a stream, are cut, and how a backslash is read in it.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed: [u8; 8] = input.any();
    let stream = input.rest();
    let conforming = seed[0].is_multiple_of(2);
    let whole = read(stream, &[stream.len()], conforming);
    let cut = read(
        stream,
        &Input::new(&seed[1..]).cuts(stream.len()),
        conforming,
    );
    assert_eq!(whole, cut);

    let mut rest = stream;
    for request in &whole.requests {
        let header = Header::parse(rest).ok().flatten().expect("it was read");
        let (message, behind) = rest.split_at(header.total());
        // A name that is no text is not compared: names are made of texts only.
        if let Some(expected) = expected(header.tag, &message[Header::LEN..], conforming) {
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

fn read(stream: &[u8], ends: &[usize], conforming: bool) -> Read {
    let mut requests = Requests::default();
    requests.set_conforming(conforming);
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
fn expected(tag: u8, body: &[u8], conforming: bool) -> Option<Request> {
    let (kind, behind) = body
        .split_first()
        .map_or((0, body), |(kind, rest)| (*kind, rest));
    Some(match (tag, kind) {
        (b'Q', _) => Request::Query(copies(body, conforming)),
        (b'P', _) => {
            let (statement, sql) = name(body)?;
            let copies = copies(sql, conforming);
            Request::Parse { statement, copies }
        }
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
        (b'F', _) => Request::FunctionCall(result_format(body)),
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
    let text = str::from_utf8(&text[..text.len().min(63)]).ok()?;
    let name = Name::from(text);
    assert_eq!(name.is_unnamed(), text.is_empty());
    Some((name, rest))
}

/// What is copied by SQL that ends with a NUL.
fn copies(bytes: &[u8], conforming: bool) -> Copies {
    let end = bytes.iter().position(|byte| *byte == 0);
    end.map_or_else(Copies::default, |end| Copies::of(&bytes[..end], conforming))
}

/// Takes an integer of so many bytes off the front.
fn take(rest: &mut &[u8], count: usize) -> Option<u32> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    let word = |word, byte: &u8| word << 8 | u32::from(*byte);
    Some(taken.iter().fold(0, word))
}

/// Passes over the formats of parameters, and parameters.
fn pass_parameters(rest: &mut &[u8]) -> Option<()> {
    for _ in 0..take(rest, 2)? {
        take(rest, 2)?;
    }
    for _ in 0..take(rest, 2)? {
        let length = take(rest, 4)?;
        if i32::try_from(length).is_ok() {
            take(rest, length as usize)?;
        }
    }
    Some(())
}

fn format(rest: &mut &[u8]) -> Option<Format> {
    match take(rest, 2)? {
        0 => Some(Format::Text),
        1 => Some(Format::Binary),
        _ => None,
    }
}

/// The format at the end of a FunctionCall.
fn result_format(mut body: &[u8]) -> Option<Format> {
    take(&mut body, 4)?;
    pass_parameters(&mut body)?;
    format(&mut body)
}

/// The result formats at the end of a Bind, whose names are gone.
fn formats(mut rest: &[u8]) -> Option<Formats> {
    pass_parameters(&mut rest)?;
    let mut formats = Vec::new();
    for _ in 0..take(&mut rest, 2)? {
        formats.push(format(&mut rest)?);
    }
    Some(match formats[..] {
        [] => Formats::All(Format::Text),
        [one] => Formats::All(one),
        _ => Formats::Each(formats.into()),
    })
}
