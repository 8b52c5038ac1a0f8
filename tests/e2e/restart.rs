//! Programs that leave their place to another process of themselves (SIGUSR2): what runs goes on, what
//! comes is served, and what cannot take over does not.

mod activated;
mod cancelled;
mod failed;
mod left;
mod load;

use harness::raw::{Session, literal, tags};
use harness::{Chain, ChainBuilder, Keys, Link, psql};

/// A link whose programs let their sessions go on for longer than a test takes.
fn chain() -> ChainBuilder {
    Chain::builder()
        .server("drain_timeout = '5m'")
        .connector("drain_timeout = '5m'")
}

fn start() -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_client("app");
    let link = chain().start_link(&keys);
    (keys, link)
}

/// A session, and the key that cancels its queries.
fn open(link: &Link) -> (Session, Vec<u8>) {
    let mut session = link.address().raw();
    let greeting = session.start();
    let key = greeting.into_iter().find(|message| message.tag == b'K');
    (session, key.unwrap().body)
}

/// A query that gives a sealed value.
fn sealed(keys: &Keys) -> String {
    let value = keys.client("app").seal(b"opened").unwrap();
    format!("select {}::bytea", literal(&value))
}

#[track_caller]
fn opens(session: &mut Session, query: &str) {
    let answer = session.query(query);
    assert_eq!(tags(&answer), "TDCZ", "{answer:?}");
    let value = harness::raw::rows(&answer)[0][0].clone().unwrap();
    assert_eq!(value, b"\\x6f70656e6564");
}

/// What comes of a question that is asked so.
#[track_caller]
fn answer(conninfo: &str) -> String {
    psql(conninfo, ["-qAtc", "select 6 * 7"]).success()
}
