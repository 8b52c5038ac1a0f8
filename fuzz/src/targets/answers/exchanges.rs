//! What is asked and answered up to one ReadyForQuery, in either protocol.

use wire::description::Format;

use super::script::{Fate, Portal, Script};
use crate::input::Input;
use crate::targets::content::{Content, TYPES};

const STATEMENTS: [&str; 2] = ["", "s"];
const PORTALS: [&str; 2] = ["", "p"];
const ERROR: &[u8] = b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0";

/// Of these, the last ones put something else behind names.
const COMPLETED: [&[u8]; 6] = [
    b"SELECT 1\0",
    b"INSERT 0 1\0",
    b"SELECT 2\0",
    b"DISCARD ALL\0",
    b"DEALLOCATE\0",
    b"CLOSE CURSOR\0",
];

impl Script {
    pub fn exchange(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0..=2 => self.simple(input),
            3..=5 => self.extended(input),
            6 => self.prepared_copy(input),
            _ => self.call(input),
        }
    }

    fn simple(&mut self, input: &mut Input<'_>) {
        let mut sql = Vec::new();
        for _ in 0..1 + input.below(3) {
            match input.below(8) {
                0..=3 => {
                    sql.extend(b"select 1;");
                    let count = 1 + input.below(3);
                    let types: Vec<_> = (0..count).map(|_| *input.one_of(&TYPES)).collect();
                    let formats = vec![Format::Text; types.len()];
                    self.described(&types, &formats);
                    let types = Some(types);
                    self.rows(&Portal { types, formats }, input);
                    self.completed(input);
                }
                4 => {
                    sql.extend(b"insert into t values (1);");
                    self.completed(input);
                }
                5 | 6 => self.copy_out(&mut sql, input),
                _ => {
                    sql.extend(b"copy t from stdin;");
                    self.copy_in();
                    match input.any() {
                        true => self.pass(b'C', b"COPY 1\0"),
                        false => self.pass(b'E', ERROR),
                    }
                    break;
                }
            }
        }
        if sql.is_empty() {
            self.pass(b'I', b"");
        }
        let copies_in = sql.ends_with(b"from stdin;");
        sql.push(0);
        self.ask(b'Q', &sql);
        if copies_in {
            self.ask(b'd', b"a row\n");
            self.ask(b'c', b"");
        }
        self.end(input);
    }

    fn extended(&mut self, input: &mut Input<'_>) {
        for _ in 0..1 + input.below(3) {
            if !self.steps(input) {
                break;
            }
        }
        self.ask(b'S', b"");
        self.end(input);
    }

    /// One statement and what comes of it. False when it has failed.
    fn steps(&mut self, input: &mut Input<'_>) -> bool {
        let (statement, portal) = (*input.one_of(&STATEMENTS), *input.one_of(&PORTALS));
        let name = [statement.as_bytes(), b"\0"].concat();
        if input.any() {
            self.ask(b'P', &[&name, b"select 1\0\0\0".as_slice()].concat());
            self.pass(b'1', b"");
            self.statements.remove(statement);
        }
        let count = 1 + input.below(3);
        if input.any() {
            let types: Vec<_> = (0..count).map(|_| *input.one_of(&TYPES)).collect();
            self.ask(b'D', &[b"S", name.as_slice()].concat());
            self.pass(b't', &[0, 1, 0, 0, 0, 25]);
            match input.once_in(8) {
                true => self.pass(b'n', b""),
                false => {
                    self.described(&types, &vec![Format::Text; count]);
                    self.statements.insert(statement, types);
                }
            }
        }
        if input.once_in(8) {
            self.pass(b'E', ERROR);
            return false;
        }
        self.bind(statement, portal, count, input);
        for _ in 0..input.below(3) {
            let known = self.portals.get(portal).cloned().unwrap_or_default();
            self.ask(b'E', &[portal.as_bytes(), b"\0\0\0\0\x02"].concat());
            self.rows(&known, input);
            match input.below(8) {
                0 => self.pass(b's', b""),
                1 => self.pass(b'I', b""),
                2 => {
                    self.pass(b'E', ERROR);
                    return false;
                }
                _ => self.completed(input),
            }
        }
        if input.once_in(4) {
            let is_statement = input.any();
            let (kind, name) = match is_statement {
                true => (b"S".as_slice(), statement),
                false => (b"P".as_slice(), portal),
            };
            self.ask(b'C', &[kind, name.as_bytes(), b"\0"].concat());
            self.pass(b'3', b"");
            match is_statement {
                true => drop(self.statements.remove(statement)),
                false => drop(self.portals.remove(portal)),
            }
        }
        true
    }

    /// Binds, and describes what was bound, or leaves it.
    fn bind(
        &mut self,
        statement: &'static str,
        portal: &'static str,
        count: usize,
        input: &mut Input<'_>,
    ) {
        let types = self.statements.get(statement).cloned();
        let count = types.as_ref().map_or(count, Vec::len);
        let format = |_| *input.one_of(&[Format::Text, Format::Binary]);
        let formats: Vec<_> = (0..count).map(format).collect();
        let mut body = [portal, "\0", statement, "\0"].concat().into_bytes();
        body.extend([0; 4]);
        body.extend((count as u16).to_be_bytes());
        body.extend(formats.iter().flat_map(|format| code(*format)));
        self.ask(b'B', &body);
        self.pass(b'2', b"");
        let mut known = Portal { types, formats };
        if input.once_in(4) {
            let types: Vec<_> = (0..count).map(|_| *input.one_of(&TYPES)).collect();
            self.ask(b'D', &[b"P", portal.as_bytes(), b"\0"].concat());
            self.described(&types, &known.formats);
            known.types = Some(types);
        }
        self.portals.insert(portal, known);
    }

    fn call(&mut self, input: &mut Input<'_>) {
        let format = *input.one_of(&[Format::Text, Format::Binary]);
        self.ask(
            b'F',
            &[&[0, 0, 4, 210, 0, 0, 0, 0][..], &code(format)].concat(),
        );
        let content = self.content(0, format, 2, input);
        let fate = match self.opened(std::slice::from_ref(&content), self.text) {
            _ if !self.opens() => Fate::Same,
            Ok(fields) => Fate::Becomes(values(&fields)),
            Err(why) => Fate::Refused(why),
        };
        let body = values(&[content.stored()]);
        let fate = match self.is_too_long(body.len()) {
            true => self.too_long(),
            false => fate,
        };
        self.row(b'V', &body, fate);
        self.end(input);
    }

    /// Up to three rows.
    fn rows(&mut self, known: &Portal, input: &mut Input<'_>) {
        for _ in 0..input.below(4) {
            let columns = known.formats.iter().enumerate();
            let contents = columns.map(|(index, format)| {
                let types = known.types.as_ref();
                let kind = types.map_or(0, |types| types[index]);
                self.content(kind, *format, 2, input)
            });
            let mut contents: Vec<_> = contents.collect();
            // Long, and only once: there is a buffer to be filled.
            let is_long = known.types.is_none() && self.came.len() < 1 << 16 && input.once_in(32);
            if is_long && let Some(first) = contents.first_mut() {
                *first = Content::Plain(vec![b'x'; 70_000]);
            }
            let stored: Vec<_> = contents.iter().map(Content::stored).collect();
            let mut body = counted(&stored);
            let has_value = contents.iter().any(Content::has_value);
            if self.is_too_long(body.len()) && !has_value {
                // It may pass all the same, where all of it is there.
                contents = contents.iter().map(|_| Content::Null).collect();
                body = counted(&vec![None; contents.len()]);
            }
            let fate = match self.opened(&contents, self.text) {
                _ if !self.opens() => Fate::Same,
                _ if self.is_too_long(body.len()) => self.too_long(),
                Ok(fields) => Fate::Becomes(counted(&fields)),
                Err(why) => Fate::Refused(why),
            };
            self.row(b'D', &body, fate);
            self.aside(input);
        }
    }

    /// One that is what it is, however it is looked at.
    pub fn content(
        &self,
        kind: u32,
        format: Format,
        depth: usize,
        input: &mut Input<'_>,
    ) -> Content {
        let content = Content::of(kind, format, depth, input);
        match content.is_clear() {
            true => content,
            false => Content::Null,
        }
    }

    fn described(&mut self, types: &[u32], formats: &[Format]) {
        let mut body = (types.len() as u16).to_be_bytes().to_vec();
        for (type_oid, format) in types.iter().zip(formats) {
            body.extend(b"name\0\0\0\0\x07\0\x01");
            body.extend(type_oid.to_be_bytes());
            body.extend([0xff; 6]);
            body.extend(code(*format));
        }
        self.pass(b'T', &body);
    }

    fn completed(&mut self, input: &mut Input<'_>) {
        let tag = input.below(COMPLETED.len());
        self.pass(b'C', COMPLETED[tag]);
        if tag > 2 {
            self.redefined();
        }
    }

    /// What belongs to no request.
    fn aside(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => self.pass(b'N', b"SNOTICE\0VNOTICE\0Mhere\0\0"),
            1 => self.pass(b'A', b"\0\0\0\x07here\0\0"),
            2 => self.pass(b'S', b"TimeZone\0UTC\0"),
            _ => {}
        }
    }

    fn end(&mut self, input: &mut Input<'_>) {
        self.aside(input);
        self.ready(*input.one_of(b"ITE"));
    }
}

fn code(format: Format) -> [u8; 2] {
    [0, u8::from(format == Format::Binary)]
}

fn values(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in fields {
        let length = field.as_ref().map_or(-1, |field| field.len() as i32);
        body.extend(length.to_be_bytes());
        body.extend(field.iter().flatten());
    }
    body
}

fn counted(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
    [&(fields.len() as u16).to_be_bytes()[..], &values(fields)].concat()
}
