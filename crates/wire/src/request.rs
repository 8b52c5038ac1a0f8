//! What an application asks of the database, followed message by message without keeping any.
//!
//! A Bind may carry a gigabyte of parameters; what must be known of it are two names and the
//! result formats at its very end. So bodies are read as they stream by, in pieces of any size.
//! `body` does it; of SQL it keeps what COPY needs and no more.

mod body;

use body::BodyReader;

use crate::copy::Copies;
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
    /// Query, and the COPY … TO STDOUT in it.
    Query(Copies),
    /// Parse.
    Parse {
        /// The statement it defines.
        statement: Name,
        /// The COPY … TO STDOUT that it is.
        copies: Copies,
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
    /// FunctionCall, and the format of its result; `None` when the message is malformed.
    FunctionCall(Option<Format>),
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
pub struct Requests {
    header: [u8; Header::LEN],
    header_len: usize,
    /// The message whose body is passing, and how much of it is left.
    body: Option<(BodyReader, usize)>,
    conforming: bool,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            header: [0; Header::LEN],
            header_len: 0,
            body: None,
            conforming: true,
        }
    }
}

impl Requests {
    /// What `standard_conforming_strings` is for the messages that begin from now on: how a
    /// backslash in SQL is read. At first it is on.
    pub fn set_conforming(&mut self, conforming: bool) {
        self.conforming = conforming;
    }

    /// Takes bytes off the front of `input`, up to the end of the next message at most. Answers how
    /// many, and the request when its last byte was among them.
    ///
    /// # Errors
    /// A length that PostgreSQL would not accept. It closes such a connection without a word.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Request>), FrameError> {
        if self.between_messages()
            && let Some(header) = Header::parse(input)?
            && let Some(body) = input.get(Header::LEN..header.total())
        {
            // Most are there whole.
            check_length(header)?;
            let mut reader = BodyReader::new(header.tag, self.conforming);
            reader.feed(body);
            return Ok((header.total(), Some(reader.finish())));
        }
        let taken = match self.body {
            None => self.begin(input)?,
            Some(_) => 0,
        };
        let Some((reader, left)) = &mut self.body else {
            return Ok((taken, None));
        };
        let piece = input.get(taken..).unwrap_or_default();
        let piece = piece.get(..*left).unwrap_or(piece);
        reader.feed(piece);
        *left -= piece.len();
        let taken = taken + piece.len();
        if *left > 0 {
            return Ok((taken, None));
        }
        let request = self.body.take().map(|(reader, _)| reader.finish());
        Ok((taken, request))
    }

    /// Takes what is still missing of a header, and answers how many bytes; where it is whole now, its
    /// body follows.
    fn begin(&mut self, input: &[u8]) -> Result<usize, FrameError> {
        let wanted = (Header::LEN - self.header_len).min(input.len());
        let room = self.header.iter_mut().skip(self.header_len);
        for (slot, byte) in room.zip(input) {
            *slot = *byte;
        }
        self.header_len += wanted;
        let known = self.header.get(..self.header_len).unwrap_or_default();
        if let Some(header) = Header::parse(known)? {
            check_length(header)?;
            self.header_len = 0;
            self.body = Some((BodyReader::new(header.tag, self.conforming), header.body));
        }
        Ok(wanted)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::MAX_STATEMENT;
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
    fn the_unnamed_statement_is_the_one_without_a_name() {
        assert!(Name::from("").is_unnamed());
        assert!(!Name::from("s").is_unnamed());
    }

    #[test]
    fn a_conversation_is_read_the_same_however_it_is_cut() {
        let mut call = vec![0, 0, 4, 210, 0, 1, 0, 1, 0, 2, 0, 0, 0, 1, b'x'];
        call.extend([0xff, 0xff, 0xff, 0xff, 0, 1]);
        let stream = [
            message(b'P', b"one\0select $1\0\0\0"),
            message(b'P', b"two\0copy t to stdout\0\0\0"),
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
            message(
                b'Q',
                b"select 1; COPY t TO stdout csv; copy s to stdout binary\0",
            ),
            message(b'F', b"whatever"),
            message(b'F', &call),
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
                copies: Copies::default(),
            },
            Request::Parse {
                statement: "two".into(),
                copies: Copies::of(b"copy t to stdout", true),
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
            Request::Query(Copies::default()),
            Request::Query(Copies::of(
                b"copy t to stdout csv; copy t to stdout binary",
                true,
            )),
            Request::FunctionCall(None),
            Request::FunctionCall(Some(binary)),
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
    fn result_formats_stand_behind_any_number_of_parameter_formats() {
        for count in 0..4u16 {
            let mut body = b"p\0s\0".to_vec();
            body.extend(count.to_be_bytes());
            body.extend([0, 1].repeat(count.into()));
            body.extend([0, 0]); // no parameters
            body.extend([0, 1, 0, 1]);
            let requests = read_all(&message(b'B', &body), 1000);
            let [Request::Bind { formats, .. }] = requests.as_slice() else {
                panic!("{requests:?}")
            };
            assert_eq!(*formats, Some(Formats::All(Format::Binary)), "{count}");
        }
    }

    #[test]
    fn a_message_that_has_begun_has_not_ended() {
        let stream = message(b'Q', b"select 1\0");
        for at in 1..stream.len() {
            let mut requests = Requests::default();
            let mut piece = &stream[..at];
            while !piece.is_empty() {
                let (taken, request) = requests.next(piece).unwrap();
                assert_eq!(request, None);
                piece = &piece[taken..];
            }
            assert!(!requests.between_messages(), "{at}");
        }
    }

    #[test]
    fn long_names_are_told_apart_as_postgresql_does() {
        let long = "n".repeat(63);
        let stream = message(b'P', format!("{long}x\0select 1\0\0\0").as_bytes());
        assert_eq!(
            read_all(&stream, 3),
            [Request::Parse {
                statement: long.as_str().into(),
                copies: Copies::default(),
            }]
        );
    }

    #[test]
    fn sql_that_is_too_long_is_not_looked_into_however_it_is_cut() {
        let start = "copy t to stdout";
        let padding = MAX_STATEMENT - start.len();
        for (padding, found) in [(padding, true), (padding + 1, false)] {
            let sql = format!("{start}{}\0", " ".repeat(padding));
            for cut in [1000, MAX_STATEMENT, 2 * MAX_STATEMENT] {
                let requests = read_all(&message(b'Q', sql.as_bytes()), cut);
                let [Request::Query(copies)] = requests.as_slice() else {
                    panic!("{requests:?}");
                };
                assert_eq!(!copies.is_empty(), found, "{cut}");
            }
        }
    }

    #[test]
    fn backslashes_in_sql_are_read_as_the_session_has_them() {
        let stream = message(b'Q', b"select '\\'; copy t to stdout --'\0");
        for conforming in [true, false] {
            let mut requests = Requests::default();
            requests.set_conforming(conforming);
            let (_, request) = requests.next(&stream).unwrap();
            let Some(Request::Query(copies)) = request else {
                panic!("{request:?}");
            };
            assert_eq!(copies.is_empty(), !conforming);
        }
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

    #[test]
    fn the_longest_messages_that_postgresql_takes_are_taken() {
        for (tag, length) in [(b'S', MAX_SMALL_LENGTH), (b'Q', MAX_LENGTH)] {
            let header = [&[tag], length.to_be_bytes().as_slice()].concat();
            assert_eq!(Requests::default().next(&header), Ok((header.len(), None)));
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
