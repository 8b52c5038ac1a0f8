//! A value is refused while more is on its way, `on_refused` being `error`: whatever that is and
//! wherever it is cut, every batch gets one `ReadyForQuery` and one error at most, nothing hangs,
//! and the session can be used afterwards.

mod batches;
mod copies;
mod cut_messages;
mod random;
mod redefined;
mod settings;

use harness::raw::{Message, Session, message};
use harness::{Chain, ChainBuilder, Keys, Link};

/// A statement whose result holds a value that is sealed to another client.
const BAD: &str = "select value from bad";

/// The same with so many rows that the first of them leave PostgreSQL before it goes on.
const BAD_MANY: &str = "select value from bad, generate_series(1, 1000)";

/// A statement whose result holds a value that opens.
const GOOD: &str = "select value from good";

/// What that value opens to.
const CLEAR: &[u8] = b"opened";

/// A statement that fails by itself.
const FAILS: &str = "select 1/0";

const COPY: &str = "copy made from stdin";

/// A link with those tables; `made` is empty.
struct Stand {
    link: Link,
    _keys: Keys,
}

impl Stand {
    fn start() -> Self {
        Self::with(&Chain::builder())
    }

    fn with(chain: &ChainBuilder) -> Self {
        let keys = Keys::new();
        let (app, other) = (keys.add_client("app"), keys.add_client("other"));
        let link = chain.clone().on_refused("error").start_link(&keys);
        let [good, bad] =
            [app, other].map(|owner| harness::raw::literal(&owner.seal(CLEAR).unwrap()));
        link.database.query(&format!(
            "create table made (x int);
             create table good as select {good} as value;
             create table bad as select {bad} as value"
        ));
        Self { link, _keys: keys }
    }

    /// A session through the link.
    fn session(&self) -> Session {
        let mut session = self.link.address().raw();
        session.start();
        session
    }

    /// A session in a transaction block.
    fn in_block(&self) -> Session {
        let mut session = self.session();
        session.query("begin");
        session
    }
}

/// `Parse`, `Bind` and `Execute`, without a `Sync`.
fn run(sql: &str) -> Vec<u8> {
    [
        message::parse("", sql),
        message::bind("", "", &[], 0),
        message::execute("", 0),
    ]
    .concat()
}

/// The same with its `Sync`.
fn batch(sql: &str) -> Vec<u8> {
    [run(sql), message::sync()].concat()
}

/// What an application sees of an answer: types of messages, with the SQLSTATE of errors and the
/// status of `ReadyForQuery`.
fn seen(answer: &[Message]) -> String {
    let seen = |message: &Message| match message.tag {
        b'Z' => format!("Z{}", char::from(message.body[0])),
        b'E' => format!("E{}", message.sqlstate()),
        tag => char::from(tag).to_string(),
    };
    answer.iter().map(seen).collect::<Vec<_>>().join(" ")
}

/// Reads up to the first message of this type.
#[track_caller]
fn read_up_to(session: &mut Session, tag: u8) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        match session.read() {
            Ok(message) => messages.push(message),
            Err(ended) => panic!("{ended:?} after {}", seen(&messages)),
        }
        if messages.last().is_some_and(|last| last.tag == tag) {
            return messages;
        }
    }
}

/// The SQLSTATEs of the errors among an answer.
fn errors(answer: &[Message]) -> Vec<String> {
    let errors = answer.iter().filter(|message| message.tag == b'E');
    errors.map(Message::sqlstate).collect()
}

/// The next batch is answered in a block that has failed, with one error at most. Gives its
/// SQLSTATE.
#[track_caller]
fn next_error(session: &mut Session, case: &str) -> Option<String> {
    let answer = session.read_until_ready();
    let mut errors = errors(&answer);
    assert!(errors.len() <= 1, "{case}: {}", seen(&answer));
    assert!(seen(&answer).ends_with("ZE"), "{case}: {}", seen(&answer));
    errors.pop()
}

/// The session is in a block that has failed, and of use after its end.
#[track_caller]
fn is_usable_after_rollback(mut session: Session) {
    assert_eq!(seen(&session.query("select 1")), "E25P02 ZE");
    assert_eq!(seen(&session.query("rollback")), "C ZI");
    is_usable(session);
}

/// The session is outside of a block, opens what it may, and refuses what it may not.
#[track_caller]
fn is_usable(mut session: Session) {
    for _ in 0..2 {
        let answer = session.query(GOOD);
        assert_eq!(seen(&answer), "T D C ZI");
        let clear = format!(r"\x{}", hex(CLEAR)).into_bytes();
        assert_eq!(answer[1].row(), [Some(clear)]);
        assert_eq!(seen(&session.query(BAD)), "T E42501 ZI");
    }
    session.send(message::terminate());
    assert_eq!(seen(&session.read_until_closed()), "");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
