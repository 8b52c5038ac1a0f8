//! Requests and replies of a session whose values are refused here and there: whoever is how far ahead,
//! replies are read as what they are of, the application gets one end for each of its requests, a
//! block that was told to have failed has, and nobody waits for ever.

mod database;
mod messages;
mod script;

use std::collections::VecDeque;
use std::sync::Arc;

use pgseal_server::fuzzing::{Conversation, Injection, Reply as Shown};
use wire::copy::{Copies, Form, Options, Text};
use wire::request::{Name, Request};

use self::database::Database;
use self::messages::{Asked, Reply, Statement};
use self::script::{Said, Script};
use crate::input::Input;

/// The bytes are what an application asks, and who comes how far when.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut session = Session::new(&mut input);
    while session.goes_on(&mut input) {}
    session.has_ended();
}

/// A session, with the application before it and the database behind it.
struct Session {
    script: Script,
    conversation: Conversation,
    database: Database,
    /// Replies on their way from the database.
    replies: VecDeque<Reply>,
    /// Rows are dropped.
    dropping: bool,
    /// What the application has heard since the last end of a batch, and how often it heard one.
    heard: Vec<u8>,
    ends: usize,
    /// A message of which a part has gone to the database.
    begun: Option<Asked>,
    /// What it was told of its block last.
    told: u8,
    /// It has seen a COPY begin, whose end it has not said.
    copies: bool,
}

impl Session {
    fn new(input: &mut Input<'_>) -> Self {
        Self {
            script: Script::new(input),
            conversation: Conversation::default(),
            database: Database::default(),
            replies: VecDeque::new(),
            begun: None,
            dropping: false,
            heard: Vec::new(),
            ends: 0,
            told: b'I',
            copies: false,
        }
    }

    /// One of the three comes a step further. False when none can.
    fn goes_on(&mut self, input: &mut Input<'_>) -> bool {
        let first = input.below(3);
        (0..3).any(|next| match (first + next) % 3 {
            0 => self.ask(input),
            1 => match self.database.next() {
                None => false,
                Some(replies) => {
                    self.replies.extend(replies);
                    true
                }
            },
            _ => match self.replies.pop_front() {
                None => false,
                Some(reply) => {
                    self.hear(reply);
                    true
                }
            },
        })
    }

    /// The application's next message goes to the database, or one of ours.
    fn ask(&mut self, input: &mut Input<'_>) -> bool {
        if let Some(asked) = self.begun.take() {
            self.send(asked);
            return true;
        }
        if let Some(injection) = self.conversation.take_injection() {
            match injection {
                Injection::BadParse => {
                    self.database.send(Asked::CopyEnd(true));
                    self.database.send(Asked::Parse("", Statement::Wrong));
                }
                Injection::BadQuery => self.database.send(Asked::Query(vec![Statement::Wrong])),
                Injection::CopyFail => self.database.send(Asked::CopyEnd(true)),
                Injection::CopyFailSync => {
                    self.database.send(Asked::CopyEnd(true));
                    self.database.send(Asked::Sync);
                }
            }
            return true;
        }
        let is_idle = self.replies.is_empty() && self.database.is_idle();
        let next = match self.script.said.front() {
            None => return false,
            Some(Said::Wait) if !is_idle => return false,
            Some(Said::Wait) => self.script.said.pop_front(),
            Some(_) if self.conversation.holds() => return false,
            Some(_) => self.script.said.pop_front(),
        };
        let asked = match next {
            Some(Said::Request(asked)) => asked,
            Some(Said::Data(asked, blind)) if blind || self.copies => asked,
            Some(Said::EndAndSync(fails)) if self.copies => {
                self.script.said.push_front(Said::Request(Asked::Sync));
                Asked::CopyEnd(fails)
            }
            _ => return true,
        };
        if matches!(asked, Asked::CopyEnd(_)) {
            self.copies = false;
        }
        if is_idle && self.heard.is_empty() {
            // It has heard all there is, and must have heard the truth.
            assert_eq!(self.told, self.database.status());
        }
        match input.once_in(4) {
            true => self.begun = Some(asked),
            false => self.send(asked),
        }
        true
    }

    fn send(&mut self, asked: Asked) {
        self.conversation.ask(request(&asked));
        self.database.send(asked);
    }

    /// What `db_to_app` does with a reply.
    fn hear(&mut self, reply: Reply) {
        let is_row = matches!(reply.tag, b'D' | b'd' | b'V');
        if is_row && self.dropping {
            return;
        }
        let shown = match reply.tag {
            b'D' => {
                assert_eq!(*self.conversation.row_shape(), reply.shape);
                Shown::Pass
            }
            b'V' => {
                let format = self.conversation.function_format();
                assert_eq!(Some(format), reply.format);
                Shown::Pass
            }
            b'T' => self.conversation.described(&reply.body),
            b'C' => self.conversation.completed(&reply.body),
            b'H' => {
                let (shown, options) = self.conversation.copy_out_begins();
                assert_eq!(options, reply.options);
                shown
            }
            tag => self.conversation.reply(tag, Some(reply.status)),
        };
        if reply.tag == b'Z' {
            self.dropping &= shown == Shown::Drop;
        }
        match shown {
            Shown::Pass if is_row && reply.is_refused => {
                self.conversation.refuse();
                self.dropping = true;
                self.told_of(b'E', 0);
            }
            Shown::Pass => self.told_of(reply.tag, reply.status),
            Shown::Drop => {}
            Shown::Ready(status) => self.told_of(b'Z', status),
            Shown::BlockFailed => self.told_of(b'E', 0),
        }
    }

    fn told_of(&mut self, tag: u8, status: u8) {
        let after_error = self.heard.contains(&b'E');
        assert!(!after_error || tag == b'Z', "nothing follows an error");
        match tag {
            b'Z' => {
                self.heard.clear();
                self.ends += 1;
                self.told = status;
                self.copies = false;
            }
            tag => {
                self.copies = tag == b'G';
                self.heard.push(tag);
            }
        }
    }

    fn has_ended(&self) {
        assert!(
            self.script.said.is_empty(),
            "the application waits for ever"
        );
        assert!(!self.conversation.has_injection());
        assert!(!self.conversation.holds());
        let due = self.script.ends_due;
        let ends = due - self.script.ends_in_doubt..=due;
        assert!(ends.contains(&self.ends), "each request has its end");
        assert!(self.heard.is_empty());
        assert_eq!(self.told, self.database.status());
    }
}

/// As it is read off the application's message.
fn request(asked: &Asked) -> Request {
    let name = |name: &&str| Name::from(*name);
    match asked {
        Asked::Query(statements) => Request::Query(copies(statements)),
        Asked::Parse(statement, sql) => Request::Parse {
            statement: name(statement),
            copies: copies(std::slice::from_ref(sql)),
        },
        Asked::Bind(portal, statement, formats) => Request::Bind {
            portal: name(portal),
            statement: name(statement),
            formats: formats.clone(),
        },
        Asked::DescribeStatement(it) => Request::DescribeStatement(name(it)),
        Asked::DescribePortal(it) => Request::DescribePortal(name(it)),
        Asked::Execute(it) => Request::Execute(name(it)),
        Asked::Close(it, true) => Request::CloseStatement(name(it)),
        Asked::Close(it, false) => Request::ClosePortal(name(it)),
        Asked::Sync => Request::Sync,
        Asked::Call(format, _) => Request::FunctionCall(*format),
        Asked::CopyData => Request::CopyData,
        Asked::CopyEnd(_) => Request::CopyEnd,
    }
}

/// The COPYs in SQL of these statements.
fn copies(statements: &[Statement]) -> Copies {
    let sql = statements.iter().map(|statement| match statement {
        Statement::CopyOut { delimiter, .. } => {
            format!("copy t to stdout (delimiter '{}')", char::from(*delimiter))
        }
        Statement::CopyIn => "copy t from stdin".to_owned(),
        _ => "select 1".to_owned(),
    });
    Copies::of(sql.collect::<Vec<_>>().join(";").as_bytes(), true)
}

/// What is known of the data of a COPY.
fn options(delimiter: u8) -> Arc<Options> {
    Arc::new(Options {
        form: Form::Text(Text {
            delimiter,
            null: b"\\N".as_slice().into(),
            header: false,
        }),
        encoding: None,
    })
}
