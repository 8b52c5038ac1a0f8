//! What an application asks of the database, followed message by message without keeping any.
//!
//! A Bind may carry a gigabyte of parameters; what must be known of it are two names and the
//! result formats at its very end. So bodies are read as they stream by, in pieces of any size.

use crate::description::{Format, Formats};
use crate::frame::{FrameError, Header, MAX_LENGTH, MAX_SMALL_LENGTH};

/// Name of a prepared statement or portal, as far as PostgreSQL tells names apart: its first 63
/// bytes (`NAMEDATALEN` - 1). The unnamed one is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Name(Box<[u8]>);

impl Name {
    const MAX: usize = 63;

    /// True for the unnamed statement or portal, which the next Parse or Bind replaces.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.bytes().take(Self::MAX).collect())
    }
}

/// A message from the application, as far as it bears on the replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Query.
    Query,
    /// Parse.
    Parse {
        /// The statement it defines.
        statement: Name,
    },
    /// Bind.
    Bind {
        /// The portal it makes.
        portal: Name,
        /// The statement it binds.
        statement: Name,
        /// The result formats; `None` when the message is malformed, which PostgreSQL refuses.
        formats: Option<Formats>,
    },
    /// Describe of a statement.
    DescribeStatement(Name),
    /// Describe of a portal.
    DescribePortal(Name),
    /// Execute.
    Execute(Name),
    /// Close of a statement.
    CloseStatement(Name),
    /// Close of a portal.
    ClosePortal(Name),
    /// Sync.
    Sync,
    /// FunctionCall.
    FunctionCall,
    /// CopyData.
    CopyData,
    /// CopyDone or CopyFail.
    CopyEnd,
    /// Terminate: the application is done.
    Terminate,
    /// Anything else: passwords, Flush, and types this program does not know.
    Other,
}

/// Follows the stream of an application's messages after start-up.
#[derive(Debug, Default)]
pub struct Requests {
    header: [u8; Header::LEN],
    header_len: usize,
    /// The message whose body is passing, and how much of it is left.
    body: Option<(BodyReader, usize)>,
}

impl Requests {
    /// Takes bytes off the front of `input`, up to the end of the next message at most. Answers how
    /// many, and the request when its last byte was among them.
    ///
    /// # Errors
    /// A length that PostgreSQL would not accept. It closes such a connection without a word.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Request>), FrameError> {
        let mut taken = 0;
        if self.body.is_none() {
            let wanted = (Header::LEN - self.header_len).min(input.len());
            for (slot, byte) in self
                .header
                .iter_mut()
                .skip(self.header_len)
                .zip(input)
                .take(wanted)
            {
                *slot = *byte;
            }
            self.header_len += wanted;
            taken = wanted;
            let known = self.header.get(..self.header_len).unwrap_or_default();
            let Some(header) = Header::parse(known)? else {
                return Ok((taken, None));
            };
            check_length(header)?;
            self.header_len = 0;
            self.body = Some((BodyReader::new(header.tag), header.body));
        }
        let Some((reader, left)) = &mut self.body else {
            return Ok((taken, None));
        };
        let piece = input.get(taken..).unwrap_or_default();
        let piece = piece.get(..*left).unwrap_or(piece);
        reader.feed(piece);
        *left -= piece.len();
        taken += piece.len();
        if *left > 0 {
            return Ok((taken, None));
        }
        let request = self.body.take().map(|(reader, _)| reader.finish());
        Ok((taken, request))
    }

    /// True when the last byte taken ended a message (or none was).
    #[must_use]
    pub fn between_messages(&self) -> bool {
        self.body.is_none() && self.header_len == 0
    }
}

fn check_length(header: Header) -> Result<(), FrameError> {
    let limit = match header.tag {
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => MAX_SMALL_LENGTH,
        _ => MAX_LENGTH,
    };
    let length = u32::try_from(header.body + 4).unwrap_or(u32::MAX);
    if length > limit {
        Err(FrameError {
            tag: header.tag,
            length,
        })
    } else {
        Ok(())
    }
}

/// The parts of a body, in order of appearance. Each message type uses some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// `S` or `P`: what Describe and Close speak of.
    Kind,
    FirstName,
    SecondName,
    ParameterFormatCount,
    ParameterCount,
    ParameterLength,
    ResultFormatCount,
    ResultFormat,
    /// All that was wanted has been read.
    Rest,
}

#[derive(Debug)]
struct BodyReader {
    tag: u8,
    part: Part,
    kind: u8,
    first: Vec<u8>,
    second: Vec<u8>,
    /// An integer that arrives byte by byte.
    word: u32,
    word_len: usize,
    /// Parameters or result formats still to come.
    count: u32,
    /// Bytes to pass over before the next part.
    skip: usize,
    formats: Vec<Format>,
    formats_known: bool,
}

impl BodyReader {
    fn new(tag: u8) -> Self {
        let part = match tag {
            b'P' | b'B' | b'E' => Part::FirstName,
            b'D' | b'C' => Part::Kind,
            _ => Part::Rest,
        };
        Self {
            tag,
            part,
            kind: 0,
            first: Vec::new(),
            second: Vec::new(),
            word: 0,
            word_len: 0,
            count: 0,
            skip: 0,
            formats: Vec::new(),
            formats_known: false,
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while self.part != Part::Rest {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            match self.part {
                Part::Kind => {
                    self.kind = byte;
                    self.part = Part::FirstName;
                    bytes = rest;
                }
                Part::FirstName => {
                    if read_name(&mut self.first, &mut bytes) {
                        self.part = if self.tag == b'B' {
                            Part::SecondName
                        } else {
                            Part::Rest
                        };
                    }
                }
                Part::SecondName => {
                    if read_name(&mut self.second, &mut bytes) {
                        self.part = Part::ParameterFormatCount;
                    }
                }
                Part::ParameterFormatCount => {
                    if let Some(count) = self.read_word(2, &mut bytes) {
                        self.skip = 2 * count as usize;
                        self.part = Part::ParameterCount;
                    }
                }
                Part::ParameterCount => {
                    if let Some(count) = self.read_word(2, &mut bytes) {
                        self.count = count;
                        self.next_parameter();
                    }
                }
                Part::ParameterLength => {
                    if let Some(length) = self.read_word(4, &mut bytes) {
                        // A negative length is NULL, or an error that PostgreSQL will name.
                        self.skip = i32::try_from(length).unwrap_or(0).unsigned_abs() as usize;
                        self.count -= 1;
                        self.next_parameter();
                    }
                }
                Part::ResultFormatCount => {
                    if let Some(count) = self.read_word(2, &mut bytes) {
                        self.count = count;
                        self.next_result_format();
                    }
                }
                Part::ResultFormat => {
                    if let Some(code) = self.read_word(2, &mut bytes) {
                        match u16::try_from(code).map(Format::from_code) {
                            Ok(Ok(format)) => {
                                self.formats.push(format);
                                self.count -= 1;
                                self.next_result_format();
                            }
                            _ => self.part = Part::Rest,
                        }
                    }
                }
                Part::Rest => {}
            }
        }
    }

    fn next_parameter(&mut self) {
        self.part = if self.count > 0 {
            Part::ParameterLength
        } else {
            Part::ResultFormatCount
        };
    }

    fn next_result_format(&mut self) {
        if self.count > 0 {
            self.part = Part::ResultFormat;
        } else {
            self.formats_known = true;
            self.part = Part::Rest;
        }
    }

    fn read_word(&mut self, len: usize, bytes: &mut &[u8]) -> Option<u32> {
        while self.word_len < len {
            let (&byte, rest) = bytes.split_first()?;
            self.word = self.word << 8 | u32::from(byte);
            self.word_len += 1;
            *bytes = rest;
        }
        self.word_len = 0;
        Some(std::mem::take(&mut self.word))
    }

    fn formats(&mut self) -> Option<Formats> {
        if !self.formats_known {
            return None;
        }
        Some(match self.formats.as_slice() {
            [] => Formats::All(Format::Text),
            [one] => Formats::All(*one),
            _ => Formats::Each(std::mem::take(&mut self.formats).into()),
        })
    }

    fn finish(mut self) -> Request {
        let formats = self.formats();
        let first = Name(self.first.into());
        match (self.tag, self.kind) {
            (b'Q', _) => Request::Query,
            (b'P', _) => Request::Parse { statement: first },
            (b'B', _) => Request::Bind {
                portal: first,
                statement: Name(self.second.into()),
                formats,
            },
            (b'D', b'S') => Request::DescribeStatement(first),
            (b'D', b'P') => Request::DescribePortal(first),
            (b'C', b'S') => Request::CloseStatement(first),
            (b'C', b'P') => Request::ClosePortal(first),
            (b'E', _) => Request::Execute(first),
            (b'S', _) => Request::Sync,
            (b'F', _) => Request::FunctionCall,
            (b'd', _) => Request::CopyData,
            (b'X', _) => Request::Terminate,
            (b'c' | b'f', _) => Request::CopyEnd,
            _ => Request::Other,
        }
    }
}

/// Appends to `name` up to its NUL, which is consumed; true when it was reached.
fn read_name(name: &mut Vec<u8>, bytes: &mut &[u8]) -> bool {
    let end = memchr::memchr(0, bytes);
    let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    let room = Name::MAX.saturating_sub(name.len());
    name.extend(piece.iter().take(room));
    *bytes = if end.is_some() {
        rest.get(1..).unwrap_or_default()
    } else {
        rest
    };
    end.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn read_all(stream: &[u8], cut: usize) -> Vec<Request> {
        read_pieces(&stream.chunks(cut).collect::<Vec<_>>())
    }

    fn read_pieces(pieces: &[&[u8]]) -> Vec<Request> {
        let mut requests = Requests::default();
        let mut found = Vec::new();
        for mut chunk in pieces.iter().copied() {
            while !chunk.is_empty() {
                let (taken, request) = requests.next(chunk).unwrap();
                found.extend(request);
                chunk = &chunk[taken..];
            }
        }
        assert!(requests.between_messages());
        found
    }

    fn bind(
        portal: &str,
        statement: &str,
        parameters: &[Option<&[u8]>],
        formats: &[u16],
    ) -> Vec<u8> {
        let mut body = format!("{portal}\0{statement}\0").into_bytes();
        body.extend(1u16.to_be_bytes());
        body.extend(1u16.to_be_bytes());
        body.extend((parameters.len() as u16).to_be_bytes());
        for parameter in parameters {
            match parameter {
                None => body.extend((-1i32).to_be_bytes()),
                Some(value) => {
                    body.extend((value.len() as u32).to_be_bytes());
                    body.extend(*value);
                }
            }
        }
        body.extend((formats.len() as u16).to_be_bytes());
        for format in formats {
            body.extend(format.to_be_bytes());
        }
        message(b'B', &body)
    }

    #[test]
    fn a_conversation_is_read_the_same_however_it_is_cut() {
        let stream = [
            message(b'P', b"one\0select $1\0\0\0"),
            bind(
                "",
                "one",
                &[None, Some(b""), Some(b"value\0with nul")],
                &[1, 0, 1],
            ),
            bind("p", "one", &[], &[]),
            bind("q", "one", &[Some(&[7; 300])], &[1]),
            message(b'D', b"Sone\0"),
            message(b'D', b"Pp\0"),
            message(b'E', b"p\0\0\0\0\0"),
            message(b'C', b"Sone\0"),
            message(b'C', b"Pp\0"),
            message(b'H', b""),
            message(b'S', b""),
            message(b'Q', b"select 1\0"),
            message(b'F', b"whatever"),
            message(b'd', b"row"),
            message(b'c', b""),
            message(b'f', b"no\0"),
            message(b'X', b""),
        ]
        .concat();
        let (text, binary) = (Format::Text, Format::Binary);
        let each = Formats::Each([binary, text, binary].into());
        let expected = vec![
            Request::Parse {
                statement: "one".into(),
            },
            Request::Bind {
                portal: "".into(),
                statement: "one".into(),
                formats: Some(each),
            },
            Request::Bind {
                portal: "p".into(),
                statement: "one".into(),
                formats: Some(Formats::All(text)),
            },
            Request::Bind {
                portal: "q".into(),
                statement: "one".into(),
                formats: Some(Formats::All(binary)),
            },
            Request::DescribeStatement("one".into()),
            Request::DescribePortal("p".into()),
            Request::Execute("p".into()),
            Request::CloseStatement("one".into()),
            Request::ClosePortal("p".into()),
            Request::Other,
            Request::Sync,
            Request::Query,
            Request::FunctionCall,
            Request::CopyData,
            Request::CopyEnd,
            Request::CopyEnd,
            Request::Terminate,
        ];
        for cut in 1..=stream.len() {
            assert_eq!(read_all(&stream, cut), expected, "cut every {cut} bytes");
        }
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            let found = read_pieces(&[first, second]);
            assert_eq!(found, expected, "cut in two at {at}");
        }
    }

    #[test]
    fn a_malformed_bind_has_no_known_formats() {
        let whole = bind("p", "s", &[Some(b"abc")], &[1]);
        for len in 0..whole.len() - 5 {
            let requests = read_all(&message(b'B', &whole[5..5 + len]), 1000);
            let [Request::Bind { formats: None, .. }] = requests.as_slice() else {
                panic!("{len}: {requests:?}")
            };
        }
        let requests = read_all(&bind("p", "s", &[], &[2]), 1000);
        assert!(matches!(
            requests.as_slice(),
            [Request::Bind { formats: None, .. }]
        ));
    }

    #[test]
    fn long_names_are_told_apart_as_postgresql_does() {
        let long = "n".repeat(63);
        let stream = message(b'P', format!("{long}x\0select 1\0\0\0").as_bytes());
        assert_eq!(
            read_all(&stream, 3),
            [Request::Parse {
                statement: long.as_str().into()
            }]
        );
    }

    #[test]
    fn lengths_that_postgresql_closes_the_connection_for_are_errors() {
        for (tag, length) in [
            (b'Q', 3),
            (b'Q', 0x7fff_ffff),
            (b'S', 10_001),
            (b'E', 10_001),
        ] {
            let mut bytes = vec![tag];
            bytes.extend(u32::to_be_bytes(length));
            assert_eq!(
                Requests::default().next(&bytes),
                Err(FrameError { tag, length })
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic_and_never_lose_the_frame(
            bodies in prop::collection::vec(
                (prop::sample::select(b"QPBDECSFdcfHXzp".to_vec()), prop::collection::vec(any::<u8>(), 0..60)),
                1..8,
            ),
            cut in 1usize..100,
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
            prop_assert_eq!(read_all(&stream, cut).len(), bodies.len());
        }
    }
}
