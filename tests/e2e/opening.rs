//! A value sealed in the application opens on its way back, in whatever way it is asked for, and
//! everything else passes as it is.

mod conversations;
mod forms;
mod passes;
mod tags;

use harness::raw::{Message, Session, rows};
use harness::{Chain, Keys, Link};

/// One link, and a store with the client `app`.
fn start(zone_mode: &str) -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().zone_mode(zone_mode).start_link(&keys);
    (keys, link)
}

/// The ways to ask for a result. They differ in how a `bytea` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    SimpleHex,
    SimpleEscape,
    ExtendedHex,
    ExtendedEscape,
    ExtendedBinary,
}

impl Form {
    pub const ALL: [Self; 5] = [
        Self::SimpleHex,
        Self::SimpleEscape,
        Self::ExtendedHex,
        Self::ExtendedEscape,
        Self::ExtendedBinary,
    ];

    /// Runs a query and returns the messages up to `ReadyForQuery`.
    #[track_caller]
    pub fn ask(self, session: &mut Session, sql: &str) -> Vec<Message> {
        let output = match self {
            Self::SimpleHex | Self::ExtendedHex | Self::ExtendedBinary => "hex",
            Self::SimpleEscape | Self::ExtendedEscape => "escape",
        };
        session.query(&format!("set bytea_output = '{output}'"));
        match self {
            Self::SimpleHex | Self::SimpleEscape => session.query(sql),
            Self::ExtendedHex | Self::ExtendedEscape => session.extended(sql, 0),
            Self::ExtendedBinary => session.extended(sql, 1),
        }
    }
}

/// Whether every row's last two fields, a sealed value and what it is to open to, have come back as
/// the same bytes. Both are `bytea` of one row, so PostgreSQL itself says how the opened value is
/// written. Panics where there are not `count` rows.
#[track_caller]
fn all_open(answer: &[Message], count: usize, case: &str) {
    let found = rows(answer);
    assert_eq!(found.len(), count, "{case}: {answer:?}");
    for (index, row) in found.iter().enumerate() {
        match row.as_slice() {
            [.., value, clear] => assert!(
                value == clear,
                "{case}: row {index} came back as {}",
                value.as_deref().unwrap_or(b"NULL").escape_ascii()
            ),
            _ => panic!("{case}: row {index} has no two fields"),
        }
    }
}
