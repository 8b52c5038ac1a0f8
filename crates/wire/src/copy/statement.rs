//! Which of the statements that an application sends are COPY … TO STDOUT, and with what options.
//!
//! Of SQL nothing else is read, and nothing is kept but these options. What cannot be read is told
//! apart from what has none: such a COPY's rows are left alone.

use std::collections::VecDeque;
use std::sync::Arc;

use super::sql::{Token, Tokens};
use super::{Csv, ForceQuote, Form, Options, Text};

/// The longest SQL in which COPY is looked for, in bytes.
pub const MAX_STATEMENT: usize = 64 << 10;

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
            if is_word(&first, b"copy")
                && let Some(target) = target(&mut tokens)
            {
                copies.push_back(target.options(&mut tokens).map(Arc::new));
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

/// What a COPY to the application has said before its options.
#[derive(Default)]
struct Target {
    binary: bool,
    /// The columns it lists.
    columns: Option<Vec<Box<[u8]>>>,
}

/// Reads what comes before options; `None` where no data will go to the application.
fn target(tokens: &mut Tokens<'_>) -> Option<Target> {
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
    if !is_word(&tokens.next()?, b"to") {
        return None;
    }
    // PostgreSQL takes both.
    let to = tokens.next()?;
    (is_word(&to, b"stdout") || is_word(&to, b"stdin")).then_some(target)
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

/// Options as they are written, whichever of them come.
#[derive(Default)]
struct Written {
    form: Option<Named>,
    delimiter: Option<Vec<u8>>,
    null: Option<Vec<u8>>,
    quote: Option<Vec<u8>>,
    escape: Option<Vec<u8>>,
    encoding: Option<Vec<u8>>,
    header: bool,
    force_quote: Option<Forced>,
}

#[derive(Clone, Copy)]
enum Named {
    Text,
    Csv,
    Binary,
}

enum Forced {
    All,
    Names(Vec<Box<[u8]>>),
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

impl Written {
    /// `(FORMAT csv, HEADER, …)`, behind the parenthesis.
    fn in_parentheses(&mut self, tokens: &mut Tokens<'_>) -> Option<()> {
        loop {
            let option = name(tokens.next())?;
            let value = Value::read(tokens)?;
            match &*option {
                b"format" => {
                    self.form = Some(match &*value.text()? {
                        b"text" => Named::Text,
                        b"csv" => Named::Csv,
                        b"binary" => Named::Binary,
                        _ => return None,
                    });
                }
                b"delimiter" => self.delimiter = Some(value.text()?),
                b"null" => self.null = Some(value.text()?),
                b"quote" => self.quote = Some(value.text()?),
                b"escape" => self.escape = Some(value.text()?),
                b"encoding" => self.encoding = Some(value.text()?),
                b"header" => self.header = value.is_header()?,
                b"force_quote" => {
                    self.force_quote = Some(match value {
                        Value::All => Forced::All,
                        Value::Names(names) => Forced::Names(names),
                        _ => return None,
                    });
                }
                // They bear on COPY FROM.
                b"freeze" | b"default" | b"force_not_null" | b"force_null" | b"on_error"
                | b"log_verbosity" | b"reject_limit" => {}
                _ => return None,
            }
            match tokens.next()? {
                Token::Symbol(b',') => {}
                Token::Symbol(b')') => return Some(()),
                _ => return None,
            }
        }
    }

    /// `CSV HEADER QUOTE AS '''' …`, as before PostgreSQL 9.0.
    fn in_words(&mut self, tokens: &mut Tokens<'_>) -> Option<()> {
        while let Some(Token::Word(option)) = tokens.peek() {
            tokens.next();
            match &*option {
                b"binary" => self.form = Some(Named::Binary),
                b"csv" => self.form = Some(Named::Csv),
                b"header" => self.header = true,
                b"freeze" => {}
                b"delimiter" => self.delimiter = Some(string_behind_as(tokens)?),
                b"null" => self.null = Some(string_behind_as(tokens)?),
                b"quote" => self.quote = Some(string_behind_as(tokens)?),
                b"escape" => self.escape = Some(string_behind_as(tokens)?),
                b"encoding" => self.encoding = Some(string(tokens.next())?),
                b"force" if next_is(tokens, b"quote") => {
                    self.force_quote = Some(match tokens.peek()? {
                        Token::Symbol(b'*') => {
                            tokens.next();
                            Forced::All
                        }
                        _ => Forced::Names(names(tokens)?),
                    });
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn finish(self, columns: Option<Vec<Box<[u8]>>>) -> Option<Options> {
        let form = match self.form {
            Some(Named::Binary) => Form::Binary,
            None | Some(Named::Text) => {
                let default = Text::default();
                Form::Text(Text {
                    delimiter: byte(self.delimiter, default.delimiter)?,
                    null: self.null.map_or(default.null, Into::into),
                    header: self.header,
                })
            }
            Some(Named::Csv) => {
                let default = Csv::default();
                let quote = byte(self.quote, default.quote)?;
                Form::Csv(Csv {
                    delimiter: byte(self.delimiter, default.delimiter)?,
                    quote,
                    escape: byte(self.escape, quote)?,
                    null: self.null.map_or(default.null, Into::into),
                    header: self.header,
                    force_quote: force_quote(self.force_quote, columns),
                })
            }
        };
        let encoding = self.encoding.map(Into::into);
        Some(Options { form, encoding })
    }
}

/// An option's value.
enum Value {
    None,
    Text(Vec<u8>),
    All,
    Names(Vec<Box<[u8]>>),
}

impl Value {
    fn read(tokens: &mut Tokens<'_>) -> Option<Self> {
        Some(match tokens.peek()? {
            Token::Symbol(b',' | b')') => Self::None,
            Token::Symbol(b'(') => Self::Names(names_in_parentheses(tokens)?),
            Token::Symbol(b'*') => {
                tokens.next();
                Self::All
            }
            Token::Word(text) | Token::Name(text) | Token::String(Some(text)) => {
                tokens.next();
                Self::Text(text)
            }
            _ => return None,
        })
    }

    fn text(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn is_header(self) -> Option<bool> {
        let text = match self {
            Self::None => return Some(true),
            value => value.text()?.to_ascii_lowercase(),
        };
        match &*text {
            b"true" | b"on" | b"1" => Some(true),
            b"false" | b"off" | b"0" => Some(false),
            _ => None,
        }
    }
}

fn string_behind_as(tokens: &mut Tokens<'_>) -> Option<Vec<u8>> {
    next_is(tokens, b"as");
    string(tokens.next())
}

/// Names between commas.
fn names(tokens: &mut Tokens<'_>) -> Option<Vec<Box<[u8]>>> {
    let mut names = vec![name(tokens.next())?];
    while tokens.peek() == Some(Token::Symbol(b',')) {
        tokens.next();
        names.push(name(tokens.next())?);
    }
    Some(names)
}

/// A delimiter, a quote or an escape is one byte.
fn byte(written: Option<Vec<u8>>, default: u8) -> Option<u8> {
    match written.as_deref() {
        None => Some(default),
        Some([byte]) => Some(*byte),
        Some(_) => None,
    }
}

fn force_quote(forced: Option<Forced>, columns: Option<Vec<Box<[u8]>>>) -> ForceQuote {
    match (forced, columns) {
        (None, _) => ForceQuote::None,
        (Some(Forced::All), _) => ForceQuote::All,
        (Some(Forced::Names(names)), None) => ForceQuote::Names(names.into()),
        (Some(Forced::Names(names)), Some(columns)) => {
            ForceQuote::Columns(columns.iter().map(|name| names.contains(name)).collect())
        }
    }
}

#[cfg(test)]
mod tests;
