//! COPY's options as they are written, in parentheses or in words, and what they come to.

use super::{name, names_in_parentheses, next_is, string};
use crate::copy::sql::{Token, Tokens};
use crate::copy::{Csv, ForceQuote, Form, Options, Text};

/// Options as they are written, whichever of them come.
#[derive(Default)]
pub(super) struct Written {
    pub(super) form: Option<Named>,
    pub(super) delimiter: Option<Vec<u8>>,
    null: Option<Vec<u8>>,
    quote: Option<Vec<u8>>,
    escape: Option<Vec<u8>>,
    encoding: Option<Vec<u8>>,
    header: bool,
    force_quote: Option<Forced>,
}

#[derive(Clone, Copy)]
pub(super) enum Named {
    Text,
    Csv,
    Binary,
}

pub(super) enum Forced {
    All,
    Names(Vec<Box<[u8]>>),
}

impl Written {
    /// `(FORMAT csv, HEADER, …)`, behind the parenthesis.
    pub(super) fn in_parentheses(&mut self, tokens: &mut Tokens<'_>) -> Option<()> {
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
                b"header" => self.header = value.header()?,
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
    pub(super) fn in_words(&mut self, tokens: &mut Tokens<'_>) -> Option<()> {
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

    pub(super) fn finish(self, columns: Option<Vec<Box<[u8]>>>) -> Option<Options> {
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

    fn header(self) -> Option<bool> {
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
