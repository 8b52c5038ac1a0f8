//! A database, as far as its replies go: after PostgreSQL's `postgres.c`, `pquery.c` and
//! `copyfromparse.c`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pgseal_server::fuzzing::Shape;
use wire::copy::Options;
use wire::description::{Column, Format, Formats};

use super::messages::{Asked, Reply, Statement};
use super::options;

#[derive(Default)]
pub struct Database {
    queue: VecDeque<Asked>,
    statements: HashMap<&'static str, Prepared>,
    portals: HashMap<&'static str, Bound>,
    /// In a transaction block, and whether that has failed.
    block: Option<bool>,
    skips: bool,
    copying: Option<Copying>,
    replies: Vec<Reply>,
}

struct Prepared {
    statement: Statement,
    is_described: bool,
}

struct Bound {
    statement: Statement,
    formats: Formats,
    /// What whoever has seen all replies knows of its rows.
    shape: Shape,
}

/// Data is taken in, in one protocol or the other.
enum Copying {
    Simple,
    Extended,
}

impl Database {
    pub fn send(&mut self, asked: Asked) {
        self.queue.push_back(asked);
    }

    /// Nothing more comes of it by itself.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn status(&self) -> u8 {
        match self.block {
            None => b'I',
            Some(false) => b'T',
            Some(true) => b'E',
        }
    }

    /// The replies to the next message; nothing when there is none.
    pub fn next(&mut self) -> Option<Vec<Reply>> {
        let asked = self.queue.pop_front()?;
        match (&self.copying, asked) {
            (Some(_), Asked::CopyData | Asked::Sync) => {}
            (Some(_), Asked::CopyEnd(fails)) => self.copied(fails),
            (Some(_), _) => panic!("it would end the session"),
            (None, Asked::CopyData | Asked::CopyEnd(_)) => {}
            (None, Asked::Sync) => {
                self.skips = false;
                self.ready();
            }
            (None, _) if self.skips => {}
            (None, Asked::Query(statements)) => self.query(&statements),
            (None, Asked::Call(format, refused)) => self.call(format, refused),
            (None, asked) => {
                if self.extended(asked).is_none() {
                    self.fail();
                    self.skips = true;
                }
            }
        }
        Some(std::mem::take(&mut self.replies))
    }

    fn query(&mut self, statements: &[Statement]) {
        let is_wrong = statements.iter().any(|it| matches!(it, Statement::Wrong));
        if statements.is_empty() {
            self.reply(b'I');
        }
        let untyped = Shape::default();
        for statement in statements {
            if is_wrong || self.is_aborted(statement) {
                self.fail();
                break;
            }
            let shape = match statement.columns(&Formats::All(Format::Text)) {
                None => untyped.clone(),
                Some(columns) => {
                    self.describe(&columns);
                    Shape::of(&columns)
                }
            };
            if statement.copies_in() {
                self.copying = Some(Copying::Simple);
                return self.reply(b'G');
            }
            let options = match statement {
                Statement::CopyOut { delimiter, .. } => Some(options(*delimiter)),
                _ => None,
            };
            if !self.run(statement, &shape, options) {
                break;
            }
        }
        self.ready();
    }

    fn call(&mut self, format: Option<Format>, is_refused: bool) {
        match self.block {
            Some(true) => self.fail(),
            _ => self.replies.push(Reply {
                tag: b'V',
                format: Some(format.unwrap_or(Format::Text)),
                is_refused,
                ..Reply::default()
            }),
        }
        self.ready();
    }

    /// A message of the extended protocol. `None` when it fails.
    fn extended(&mut self, asked: Asked) -> Option<()> {
        match asked {
            Asked::Parse(name, statement) => {
                let is_wrong = matches!(statement, Statement::Wrong);
                if is_wrong || self.is_aborted(&statement) {
                    return None;
                }
                let prepared = Prepared {
                    statement,
                    is_described: false,
                };
                self.statements.insert(name, prepared);
                self.reply(b'1');
            }
            Asked::Bind(portal, statement, formats) => {
                let prepared = self.statements.get(statement)?;
                let (statement, is_described) = (prepared.statement.clone(), prepared.is_described);
                if self.is_aborted(&statement) {
                    return None;
                }
                let formats = formats.unwrap_or(Formats::All(Format::Text));
                let described = statement.columns(&formats).filter(|_| is_described);
                let untyped = || Shape::Untyped(formats.clone());
                let shape = described.map_or_else(untyped, |columns| Shape::of(&columns));
                let bound = Bound {
                    statement,
                    formats,
                    shape,
                };
                self.portals.insert(portal, bound);
                self.reply(b'2');
            }
            Asked::DescribeStatement(name) => {
                let aborted = self.block == Some(true);
                let prepared = self.statements.get_mut(name)?;
                let columns = prepared.statement.columns(&Formats::All(Format::Text));
                if aborted && columns.is_some() {
                    return None;
                }
                prepared.is_described = columns.is_some();
                self.reply(b't');
                match columns {
                    None => self.reply(b'n'),
                    Some(columns) => self.describe(&columns),
                }
            }
            Asked::DescribePortal(name) => {
                let aborted = self.block == Some(true);
                let bound = self.portals.get_mut(name)?;
                let columns = bound.statement.columns(&bound.formats);
                match columns {
                    Some(_) if aborted => return None,
                    None => self.reply(b'n'),
                    Some(columns) => {
                        bound.shape = Shape::of(&columns);
                        self.describe(&columns);
                    }
                }
            }
            Asked::Execute(name) => {
                let bound = self.portals.get(name)?;
                let (statement, shape) = (bound.statement.clone(), bound.shape.clone());
                if self.is_aborted(&statement) {
                    return None;
                }
                if statement.copies_in() {
                    self.copying = Some(Copying::Extended);
                    self.reply(b'G');
                    return Some(());
                }
                let options = match &statement {
                    Statement::CopyOut { delimiter, .. } => Some(options(*delimiter)),
                    _ => None,
                };
                if !self.run(&statement, &shape, options) {
                    self.skips = true;
                }
            }
            Asked::Close(name, is_statement) => {
                match is_statement {
                    true => drop(self.statements.remove(name)),
                    false => drop(self.portals.remove(name)),
                }
                self.reply(b'3');
            }
            _ => {}
        }
        Some(())
    }

    /// Runs a statement; false when it fails, of which it tells.
    fn run(&mut self, statement: &Statement, shape: &Shape, options: Option<Arc<Options>>) -> bool {
        match statement {
            Statement::Select { rows, refused, .. } => {
                for row in 0..*rows {
                    self.replies.push(Reply {
                        tag: b'D',
                        is_refused: *refused == Some(row),
                        shape: shape.clone(),
                        ..Reply::default()
                    });
                }
            }
            Statement::CopyOut { refused, .. } => {
                self.replies.push(Reply {
                    tag: b'H',
                    options,
                    ..Reply::default()
                });
                self.replies.push(Reply {
                    tag: b'd',
                    is_refused: *refused,
                    ..Reply::default()
                });
                self.reply(b'c');
            }
            Statement::Deallocate => {
                self.statements.clear();
                for bound in self.portals.values_mut() {
                    bound.shape = bound.shape.without_types();
                }
                self.replies.push(Reply {
                    tag: b'C',
                    body: b"DEALLOCATE ALL\0".to_vec(),
                    ..Reply::default()
                });
                return true;
            }
            Statement::Begin => self.block = self.block.or(Some(false)),
            Statement::Commit => self.block = None,
            Statement::Fails | Statement::Wrong => {
                self.fail();
                return false;
            }
            Statement::Insert | Statement::CopyIn => {}
        }
        self.reply(b'C');
        true
    }

    fn copied(&mut self, fails: bool) {
        let is_simple = matches!(self.copying.take(), Some(Copying::Simple));
        match fails {
            true => {
                self.fail();
                self.skips = !is_simple;
            }
            false => self.reply(b'C'),
        }
        if is_simple {
            self.ready();
        }
    }

    /// In a block that has failed nothing but its end runs.
    fn is_aborted(&self, statement: &Statement) -> bool {
        self.block == Some(true) && !matches!(statement, Statement::Commit)
    }

    fn fail(&mut self) {
        if let Some(failed) = &mut self.block {
            *failed = true;
        }
        self.reply(b'E');
    }

    fn ready(&mut self) {
        if self.block.is_none() {
            self.portals.clear();
        }
        let status = self.status();
        self.replies.push(Reply {
            tag: b'Z',
            status,
            ..Reply::default()
        });
    }

    fn describe(&mut self, columns: &[Column]) {
        let mut body = (columns.len() as u16).to_be_bytes().to_vec();
        for column in columns {
            body.extend(b"name\0\0\0\0\x07\0\x01");
            body.extend(column.type_oid.to_be_bytes());
            body.extend([0xff; 6]);
            body.extend([0, u8::from(column.format == Format::Binary)]);
        }
        self.replies.push(Reply {
            tag: b'T',
            body,
            ..Reply::default()
        });
    }

    fn reply(&mut self, tag: u8) {
        self.replies.push(Reply {
            tag,
            ..Reply::default()
        });
    }
}
