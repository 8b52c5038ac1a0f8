//! Which of the statements that an application sends are COPY … TO STDOUT, and with what options.
//!
//! Of SQL nothing else is read, and nothing is kept but these options. What cannot be read is told
//! apart from what has none: such a COPY's rows are left alone.

mod options;

use std::collections::VecDeque;
use std::sync::Arc;

use super::Options;
use super::sql::{Token, Tokens};
use options::{Named, Written};

/// The longest SQL in which COPY is looked for, in bytes.
pub const MAX_STATEMENT: usize = 64 << 10;

/// How many COPYs of one message are remembered. Of further ones nothing is known.
const MAX_COPIES: usize = 256;

/// How much of a name PostgreSQL keeps (`NAMEDATALEN` - 1).
const MAX_NAME: usize = 63;

/// The COPY … TO STDOUT of one message, in the order in which their data comes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copies(VecDeque<Option<Arc<Options>>>);

impl Copies {
    /// Those in `sql`, which may be of several statements. `conforming` is
    /// `standard_conforming_strings`. None are found where it is longer than [`MAX_STATEMENT`].
    #[must_use]
    pub fn of(sql: &[u8], conforming: bool) -> Self {
        let mut copies = VecDeque::new();
        if sql.len() > MAX_STATEMENT || !mentions_copy(sql) {
            return Self(copies);
        }
        let mut tokens = Tokens::new(sql, conforming);
        while let Some(first) = tokens.next() {
            if first == Token::Symbol(b';') {
                continue;
            }
            if is_word(&first, b"copy") {
                match destination(&mut tokens) {
                    Some(Destination::Application(target)) if copies.len() < MAX_COPIES => {
                        copies.push_back(target.options(&mut tokens).map(Arc::new));
                    }
                    Some(Destination::Elsewhere) => {}
                    // It may send data or not: of those behind it is not known which is which.
                    Some(Destination::Application(_)) | None => break,
                }
            }
            while let Some(token) = tokens.peek()
                && (token != Token::Symbol(b';') || tokens.depth() > 0)
            {
                tokens.next();
            }
        }
        Self(copies)
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The options of the COPY whose data comes next, which is then the one before; `None` when they
    /// are not known.
    pub fn pop(&mut self) -> Option<Arc<Options>> {
        self.0.pop_front().flatten()
    }

    /// The options of the only COPY of a prepared statement, as often as it is executed.
    #[must_use]
    pub fn first(&self) -> Option<Arc<Options>> {
        self.0.front().cloned().flatten()
    }
}

/// Whether the word can be in it: of most SQL this is all that is looked at.
fn mentions_copy(sql: &[u8]) -> bool {
    // Of its letters the one that is least used.
    memchr::memchr2_iter(b'y', b'Y', sql).any(|at| {
        sql.get(..at)
            .and_then(<[u8]>::last_chunk)
            .is_some_and(|before: &[u8; 3]| before.eq_ignore_ascii_case(b"cop"))
    })
}

fn is_word(token: &Token, word: &[u8]) -> bool {
    matches!(token, Token::Word(found) if found == word)
}

/// The name that a token is, as PostgreSQL keeps it.
fn name(token: Option<Token>) -> Option<Box<[u8]>> {
    let (Token::Word(mut name) | Token::Name(mut name)) = token? else {
        return None;
    };
    name.truncate(MAX_NAME);
    Some(name.into())
}

/// Where a COPY's data goes.
enum Destination {
    Application(Target),
    /// It comes from the application, or goes to the database's own host.
    Elsewhere,
}

/// What a COPY to the application has said before its options.
#[derive(Default)]
struct Target {
    binary: bool,
    /// The columns it lists.
    columns: Option<Vec<Box<[u8]>>>,
}

/// Reads what comes before options; `None` where it is not understood.
fn destination(tokens: &mut Tokens<'_>) -> Option<Destination> {
    let mut target = Target::default();
    let mut token = tokens.next()?;
    if is_word(&token, b"binary") {
        target.binary = true;
        token = tokens.next()?;
    }
    if token == Token::Symbol(b'(') {
        while tokens.depth() > 0 {
            tokens.next()?;
        }
    } else {
        name(Some(token))?;
        while tokens.peek()? == Token::Symbol(b'.') {
            tokens.next();
            name(tokens.next())?;
        }
        if tokens.peek()? == Token::Symbol(b'(') {
            target.columns = Some(names_in_parentheses(tokens)?);
        }
    }
    let direction = tokens.next()?;
    if is_word(&direction, b"from") {
        return Some(Destination::Elsewhere);
    }
    is_word(&direction, b"to").then_some(())?;
    match tokens.next()? {
        // PostgreSQL takes both.
        to if is_word(&to, b"stdout") || is_word(&to, b"stdin") => {
            Some(Destination::Application(target))
        }
        Token::String(_) => Some(Destination::Elsewhere),
        to => is_word(&to, b"program").then_some(Destination::Elsewhere),
    }
}

fn names_in_parentheses(tokens: &mut Tokens<'_>) -> Option<Vec<Box<[u8]>>> {
    tokens.next();
    let mut names = Vec::new();
    loop {
        names.push(name(tokens.next())?);
        match tokens.next()? {
            Token::Symbol(b',') => {}
            Token::Symbol(b')') => return Some(names),
            _ => return None,
        }
    }
}

impl Target {
    /// Reads the options up to the end of the statement; `None` where they are not known.
    fn options(self, tokens: &mut Tokens<'_>) -> Option<Options> {
        let mut written = Written::default();
        if self.binary {
            written.form = Some(Named::Binary);
        }
        if next_is(tokens, b"using") || peeks(tokens, b"delimiters") {
            is_word(&tokens.next()?, b"delimiters").then_some(())?;
            written.delimiter = Some(string(tokens.next())?);
        }
        next_is(tokens, b"with");
        if tokens.peek() == Some(Token::Symbol(b'(')) {
            tokens.next();
            written.in_parentheses(tokens)?;
        } else {
            written.in_words(tokens)?;
        }
        match tokens.peek() {
            None | Some(Token::Symbol(b';')) => written.finish(self.columns),
            Some(_) => None,
        }
    }
}

/// Takes the next token if it is this word.
fn next_is(tokens: &mut Tokens<'_>, word: &[u8]) -> bool {
    let is = peeks(tokens, word);
    if is {
        tokens.next();
    }
    is
}

fn peeks(tokens: &Tokens<'_>, word: &[u8]) -> bool {
    tokens.peek().is_some_and(|token| is_word(&token, word))
}

fn string(token: Option<Token>) -> Option<Vec<u8>> {
    match token? {
        Token::String(text) => text,
        _ => None,
    }
}

#[cfg(test)]
mod tests;
