//! What is said to a database, and the types of the messages that PostgreSQL answers with.

mod asides;
mod copies;
mod extended;
pub mod logins;
mod measured;
mod portals;
mod sessions;
mod simple;

use harness::is_long;
use harness::raw::message::{self, query};

use super::stand::Pace;

/// One conversation, from the start-up.
pub struct Conversation {
    pub name: &'static str,
    /// The types of the messages that come once the session has begun; all, if it does not.
    pub types: &'static str,
    pub start: Start,
    pub turns: Vec<Turn>,
    /// What the application says last, before it hangs up.
    pub ends: Vec<u8>,
    pub size: Size,
}

/// How much there is to a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Short,
    /// Hundreds of kilobytes: in many ways in long runs, and otherwise in turns.
    Long,
    /// Gigabytes of memory for the database: in turns, in long runs.
    Huge,
}

/// How a session starts.
pub struct Start {
    /// Requests before the start-up message, each answered by one byte.
    pub asks: Vec<Vec<u8>>,
    pub version: u32,
    pub user: &'static str,
    pub parameters: Vec<(&'static str, &'static str)>,
    /// The user has to prove itself.
    pub has_password: bool,
}

/// What is said, and the type of the message that ends the answer.
pub struct Turn {
    pub says: Vec<u8>,
    pub until: u8,
}

impl Turn {
    pub fn new(until: u8, says: &[Vec<u8>]) -> Self {
        Self {
            says: says.concat(),
            until,
        }
    }
}

impl Default for Start {
    fn default() -> Self {
        Self {
            asks: vec![],
            version: message::VERSION_3_0,
            user: "postgres",
            parameters: vec![],
            has_password: false,
        }
    }
}

impl Start {
    /// The start-up message. A parameter `database` of its own counts.
    pub fn message(&self, database: &str) -> Vec<u8> {
        let always = [("user", self.user), ("database", database)];
        let own = |name| self.parameters.iter().any(|(own, _)| *own == name);
        let always = always.into_iter().filter(|(name, _)| !own(*name));
        let parameters: Vec<_> = always.chain(self.parameters.iter().copied()).collect();
        message::startup_version(self.version, &parameters)
    }
}

impl Conversation {
    /// It starts so.
    fn starting(self, start: Start) -> Self {
        Self { start, ..self }
    }

    fn of_size(self, size: Size) -> Self {
        Self { size, ..self }
    }

    /// Whether it is held so. Who proves itself, or asks for encryption, must wait for answers.
    pub fn can(&self, pace: Pace) -> bool {
        let must_wait = self.start.has_password || !self.start.asks.is_empty();
        match (self.size, pace) {
            (Size::Huge, _) => pace == Pace::InTurns && is_long(),
            (Size::Long, _) if !is_long() => pace == Pace::InTurns,
            (_, Pace::InTurns | Pace::Cut(..)) => true,
            (_, Pace::AtOnce | Pace::Trickling | Pace::AtRandom) => !must_wait,
        }
    }

    /// The types of messages that the application sends once the session has begun.
    pub fn types_said(&self) -> Vec<u8> {
        let said = self.turns.iter().map(|turn| turn.says.as_slice());
        let (mut types, mut said) = (vec![], said.chain([self.ends.as_slice()]).flatten());
        while let Some(tag) = said.next() {
            types.push(*tag);
            let length: Vec<u8> = said.by_ref().take(4).copied().collect();
            let length = length.try_into().map_or(4, u32::from_be_bytes);
            said.by_ref().take(length as usize - 4).for_each(drop);
        }
        types
    }
}

/// Every conversation there is; `wal` is a place in the write-ahead log, before its end.
pub fn all(wal: &str) -> Vec<Conversation> {
    [
        simple::statements(),
        simple::values(),
        extended::statements(),
        portals::portals(),
        extended::errors(),
        copies::simple(),
        copies::extended(),
        asides::messages(),
        asides::ends(),
        measured::conversations(),
        sessions::starts(),
        sessions::replication(wal),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Queries of the simple protocol, one after the other.
fn queries(name: &'static str, types: &'static str, queries: &[&str]) -> Conversation {
    let turns = queries.iter().map(|sql| Turn::new(b'Z', &[query(sql)]));
    talk(name, types, turns.collect())
}

/// Messages that end with one `ReadyForQuery`.
fn batch(name: &'static str, types: &'static str, says: &[Vec<u8>]) -> Conversation {
    talk(name, types, vec![Turn::new(b'Z', says)])
}

/// Turns, and goodbye.
fn talk(name: &'static str, types: &'static str, turns: Vec<Turn>) -> Conversation {
    Conversation {
        name,
        types,
        start: Start::default(),
        turns,
        ends: message::terminate(),
        size: Size::Short,
    }
}
