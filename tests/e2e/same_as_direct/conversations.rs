//! What is said to a database, and the types of the messages that PostgreSQL 15 answers with.

mod asides;
mod copies;
mod extended;
mod portals;
mod simple;

use harness::raw::message::{self, query};

/// One conversation after the start-up.
pub struct Conversation {
    pub name: &'static str,
    /// The types of the messages that come.
    pub types: &'static str,
    pub turns: Vec<Turn>,
    /// What the application says last, before it hangs up.
    pub ends: Vec<u8>,
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

/// Every conversation there is.
pub fn all() -> Vec<Conversation> {
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
        turns,
        ends: message::terminate(),
    }
}
