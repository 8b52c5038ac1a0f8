//! The body of one message, read as it streams by.

use super::{Name, Request};
use crate::copy::{Copies, MAX_STATEMENT};
use crate::description::{Format, Formats};

/// The parts of a body, in order of appearance. Each message type uses some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// `S` or `P`: what Describe and Close speak of.
    Kind,
    FirstName,
    SecondName,
    /// SQL, up to its NUL.
    Statement,
    ParameterFormatCount,
    ParameterCount,
    ParameterLength,
    ResultFormatCount,
    ResultFormat,
    /// All that was wanted has been read.
    Rest,
}

/// Reads the body of one message.
#[derive(Debug)]
pub(super) struct BodyReader {
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
    /// `standard_conforming_strings`.
    conforming: bool,
    /// SQL that comes in pieces, up to the length in which COPY is looked for.
    sql: Vec<u8>,
    copies: Copies,
}

impl BodyReader {
    pub(super) fn new(tag: u8, conforming: bool) -> Self {
        let part = match tag {
            b'P' | b'B' | b'E' => Part::FirstName,
            b'D' | b'C' => Part::Kind,
            b'Q' => Part::Statement,
            b'F' => Part::ParameterFormatCount,
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
            // The function's oid.
            skip: if tag == b'F' { 4 } else { 0 },
            formats: Vec::new(),
            formats_known: false,
            conforming,
            sql: Vec::new(),
            copies: Copies::default(),
        }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
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
                        self.part = match self.tag {
                            b'B' => Part::SecondName,
                            b'P' => Part::Statement,
                            _ => Part::Rest,
                        };
                    }
                }
                Part::Statement => self.read_statement(&mut bytes),
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
        self.part = match (self.count, self.tag) {
            (1.., _) => Part::ParameterLength,
            // A function has one result.
            (0, b'F') => {
                self.count = 1;
                Part::ResultFormat
            }
            (0, _) => Part::ResultFormatCount,
        };
    }

    /// Looks for COPY in SQL: where it stands, if it has come in one piece.
    fn read_statement(&mut self, bytes: &mut &[u8]) {
        let end = memchr::memchr(0, bytes);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        *bytes = rest;
        if self.sql.len() + piece.len() > MAX_STATEMENT {
            self.sql = Vec::new();
            self.part = Part::Rest;
            return;
        }
        let in_pieces = end.is_none() || !self.sql.is_empty();
        if in_pieces {
            self.sql.extend_from_slice(piece);
        }
        if end.is_some() {
            let sql = if in_pieces { &self.sql } else { piece };
            self.copies = Copies::of(sql, self.conforming);
            self.sql = Vec::new();
            self.part = Part::Rest;
        }
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

    /// What it was, at its end.
    pub(super) fn finish(mut self) -> Request {
        let formats = self.formats();
        let first = Name(self.first.into());
        match (self.tag, self.kind) {
            (b'Q', _) => Request::Query(self.copies),
            (b'P', _) => Request::Parse {
                statement: first,
                copies: self.copies,
            },
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
            (b'F', _) => Request::FunctionCall(formats.map(|formats| formats.of(0))),
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
