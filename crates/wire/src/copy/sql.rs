//! SQL as tokens, as far as it takes to find COPY among other statements and to read its options:
//! where strings, quoted names and comments end, and at which depth of parentheses one stands.
//!
//! Source: PostgreSQL documentation, "Lexical Structure"; `scan.l`.

use super::text;
use crate::value::is_space;

/// A piece of SQL that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a name or a number, in lower case.
    Word(Vec<u8>),
    /// A name in double quotes.
    Name(Vec<u8>),
    /// A string in whatever quotes; `None` where it was not read what it stands for.
    String(Option<Vec<u8>>),
    /// Any other byte.
    Symbol(u8),
}

/// Reads tokens off the front of SQL. Where a string or a comment does not end, there are no more:
/// PostgreSQL runs nothing of it.
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
    /// `standard_conforming_strings`: a backslash stands for itself in `'…'`.
    conforming: bool,
    depth: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(sql: &'a [u8], conforming: bool) -> Self {
        Self {
            rest: sql,
            conforming,
            depth: 0,
        }
    }

    /// How many parentheses are open.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The next token, left where it is.
    pub(super) fn peek(&self) -> Option<Token> {
        Self { ..*self }.next()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn begins(&self, with: &[u8]) -> bool {
        self.rest
            .get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    }

    /// Passes over white space and comments; `None` where one does not end.
    fn skip_blank(&mut self) -> Option<()> {
        loop {
            let blank = self.rest.iter().position(|byte| !is_space(*byte));
            self.take(blank.unwrap_or(self.rest.len()));
            if self.begins(b"--") {
                let end = memchr::memchr2(b'\n', b'\r', self.rest);
                self.take(end.unwrap_or(self.rest.len()));
            } else if self.begins(b"/*") {
                self.skip_comment()?;
            } else {
                return Some(());
            }
        }
    }

    fn skip_comment(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            if self.begins(b"/*") {
                depth += 1;
                self.take(2);
            } else if self.begins(b"*/") {
                depth -= 1;
                self.take(2);
                if depth == 0 {
                    return Some(());
                }
            } else if self.take(1).is_empty() {
                return None;
            }
        }
    }

    /// What stands up to the next `quote`, where a doubled one stands for itself; with `backslashes`
    /// one of those takes the byte behind it with it. `None` where it does not end.
    fn quoted(&mut self, quote: u8, backslashes: bool) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            match *self.take(1).first()? {
                byte if byte == quote => match self.rest.first() {
                    Some(next) if *next == quote => {
                        self.take(1);
                        text.push(quote);
                    }
                    _ => return Some(text),
                },
                b'\\' if backslashes => {
                    text.push(b'\\');
                    text.push(*self.take(1).first()?);
                }
                byte => text.push(byte),
            }
        }
    }

    /// A string whose opening quote has been taken, and those in the lines below that go on with it.
    fn string(&mut self, backslashes: bool) -> Option<Token> {
        let mut text = self.quoted(b'\'', backslashes)?;
        loop {
            let blank = self.rest.iter().position(|byte| !is_space(*byte));
            let (blank, behind) = self.rest.split_at(blank.unwrap_or(self.rest.len()));
            let is_new_line = memchr::memchr2(b'\n', b'\r', blank).is_some();
            if !is_new_line || behind.first() != Some(&b'\'') {
                break;
            }
            self.take(blank.len() + 1);
            text.extend(self.quoted(b'\'', backslashes)?);
        }
        Some(Token::String(match backslashes {
            true => unescape(&text),
            false => Some(text),
        }))
    }

    /// A string in dollars, at the front; `None` where there is none.
    fn in_dollars(&mut self) -> Option<Token> {
        let behind = self.rest.get(1..)?;
        let length = behind.iter().position(|byte| !is_of_tag(*byte))?;
        if behind.get(length) != Some(&b'$') || behind.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let tag = self.take(length + 2);
        let Some(end) = memchr::memmem::find(self.rest, tag) else {
            self.take(self.rest.len());
            return None;
        };
        let text = self.take(end).to_vec();
        self.take(tag.len());
        Some(Token::String(Some(text)))
    }

    fn word(&mut self) -> Token {
        let end = self.rest.iter().position(|byte| !is_of_word(*byte));
        let word = self.take(end.unwrap_or(self.rest.len()));
        Token::Word(word.to_ascii_lowercase())
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank()?;
        let &first = self.rest.first()?;
        if self.begins(b"e'") {
            self.take(2);
            return self.string(true);
        }
        if self.begins(b"u&'") {
            self.take(3);
            let string = self.string(false)?;
            // Escapes of this kind are not read: nobody writes a delimiter so.
            return Some(match string {
                Token::String(Some(text)) if !text.contains(&b'\\') => Token::String(Some(text)),
                _ => Token::String(None),
            });
        }
        if self.begins(b"u&\"") {
            self.take(2);
        }
        match self.rest.first().copied().unwrap_or(first) {
            b'\'' => {
                self.take(1);
                self.string(!self.conforming)
            }
            b'"' => {
                self.take(1);
                self.quoted(b'"', false).map(Token::Name)
            }
            b'$' => {
                if let Some(string) = self.in_dollars() {
                    return Some(string);
                }
                self.take(1).first().map(|byte| Token::Symbol(*byte))
            }
            byte if is_of_word(byte) => Some(self.word()),
            byte => {
                self.take(1);
                match byte {
                    b'(' => self.depth += 1,
                    b')' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                Some(Token::Symbol(byte))
            }
        }
    }
}

fn is_of_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_of_word(byte: u8) -> bool {
    is_of_tag(byte) || byte == b'$'
}

/// Undoes the escapes of `E'…'`, which are those of COPY's text and Unicode's; with one of these it is
/// not read.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        if matches!(rest.get(at + 1)?, b'u' | b'U') {
            return None;
        }
        rest = rest.get(at + 2..)?;
    }
    let mut bytes = Vec::new();
    text::unescape(text, &mut bytes)?;
    Some(bytes)
}
