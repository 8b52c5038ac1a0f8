//! Conversations with a database, directly and through the chain, compared message by message: in
//! turns, with everything sent at once, and with every byte in a packet of its own. What the one
//! reads in clear the other reads sealed, and opened on the way.

mod conversations;

use std::thread;

use harness::raw::{Message, Session, Stream, message, tags};
use harness::{Address, Chain, Keys, Link};

use conversations::{Conversation, Turn, all};

/// What the conversations speak of, made once: twice, in a schema where the values of column `s` are
/// in clear, and in one where they are sealed.
const TABLES: &str = "
    create schema clear;
    create table clear.rows (id int, x text, b bytea, s bytea);
    insert into clear.rows select i, 'text ' || i, decode(lpad(i::text, 2, '0'), 'hex'),
        convert_to('value ' || i, 'utf8') from generate_series(1, 9) i;
    create schema sealed;
    create table sealed.rows (like clear.rows);
    create table target (id int, x text);
    create function noisy(i int) returns int language plpgsql as
        $$ begin raise notice 'row %', i; return i; end $$;
";

/// How the application sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As a driver does: it waits for answers.
    InTurns,
    /// Everything in one write.
    AtOnce,
    /// One write for each byte.
    Trickling,
}

fn start() -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().tapped().start_link(&keys);
    link.database.query(TABLES);
    let app = keys.client("app");
    for id in 1..=9 {
        let sealed = app.seal(format!("value {id}").as_bytes()).unwrap();
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        link.database.query(&format!(
            "insert into sealed.rows select id, x, b, '\\x{hex}' from clear.rows where id = {id}"
        ));
    }
    (keys, link)
}

/// Holds the conversation about the tables of a schema, and gives every message that came.
fn hold(address: Address, schema: &str, conversation: &Conversation, pace: Pace) -> Vec<Message> {
    let mut session = address.raw();
    let mut heard = Vec::new();
    let path = format!("-c search_path={schema},public");
    let parameters = [
        ("user", "postgres"),
        ("database", "postgres"),
        ("options", &path),
    ];
    let start = Turn::new(b'Z', &[message::startup(&parameters)]);
    let turns = [&start].into_iter().chain(&conversation.turns);
    if pace == Pace::InTurns {
        for turn in turns {
            if session.try_send(&turn.says).is_err()
                || !read_up_to(&mut session, turn.until, &mut heard)
            {
                break;
            }
        }
        // The peer may have hung up.
        let _ = session.try_send(&conversation.ends);
        session.finish();
        heard.extend(session.read_until_closed());
    } else {
        let bytes: Vec<u8> = turns
            .flat_map(|turn| turn.says.clone())
            .chain(conversation.ends.clone())
            .collect();
        let piece = if pace == Pace::AtOnce { bytes.len() } else { 1 };
        let mut sending = Session::over(session.stream().tcp().try_clone().unwrap());
        let sender = thread::spawn(move || {
            let _ = bytes
                .chunks(piece)
                .try_for_each(|piece| sending.try_send(piece));
            sending.finish();
        });
        heard = session.read_until_closed();
        sender.join().unwrap();
    }
    heard.iter_mut().for_each(normalise);
    heard
}

/// Reads to the end of a turn; false if the session ends before.
fn read_up_to(session: &mut Session, until: u8, heard: &mut Vec<Message>) -> bool {
    loop {
        let Ok(message) = session.read() else {
            return false;
        };
        let last = message.tag == until;
        heard.push(message);
        if last {
            return true;
        }
    }
}

/// Takes out what differs between two sessions or two schemas: the cancel key, who notified, and
/// which table a column is of.
fn normalise(message: &mut Message) {
    match message.tag {
        b'K' => message.body.fill(0),
        b'A' => message.body.iter_mut().take(4).for_each(|byte| *byte = 0),
        b'T' => without_tables(&mut message.body),
        _ => {}
    }
}

/// A column of `RowDescription` is a name and 18 bytes, of which the first four name its table.
fn without_tables(body: &mut [u8]) {
    let mut columns = body.get_mut(2..).unwrap_or_default();
    while let Some(end) = columns.iter().position(|&byte| byte == 0) {
        let (_, rest) = columns.split_at_mut(end + 1);
        let (column, rest) = rest.split_at_mut(18);
        column[..4].fill(0);
        columns = rest;
    }
}

/// The types of what came after the start-up.
fn types(heard: &[Message]) -> String {
    let started = heard.iter().position(|message| message.tag == b'Z');
    tags(&heard[started.map_or(0, |at| at + 1)..])
}

/// Holds all conversations both ways, and reports every difference.
fn compare(link: &Link, pace: Pace) {
    let mut differences = Vec::new();
    for conversation in all() {
        let name = conversation.name;
        let direct = hold(link.database.address(), "clear", &conversation, pace);
        let expected = conversation.types;
        if types(&direct) != expected {
            differences.push(format!(
                "{name}: directly {}, not {expected}",
                types(&direct)
            ));
        }
        let by_chain = hold(link.address(), "sealed", &conversation, pace);
        if by_chain != direct {
            let both = [&direct, &by_chain].map(|heard| types(heard));
            differences.push(format!("{name}: {both:?}\n  {direct:?}\n  {by_chain:?}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{pace:?}:\n{}",
        differences.join("\n")
    );
}

#[test]
fn conversations_in_turns_are_the_same_as_direct_ones() {
    let (_keys, link) = start();
    compare(&link, Pace::InTurns);
}

#[test]
fn conversations_sent_at_once_are_the_same_as_direct_ones() {
    let (_keys, link) = start();
    compare(&link, Pace::AtOnce);
}

#[test]
fn conversations_in_single_bytes_are_the_same_as_direct_ones() {
    let (_keys, link) = start();
    for tap in [&link.tunnel_tap, &link.database_tap] {
        tap.as_ref().unwrap().in_pieces(1);
    }
    compare(&link, Pace::Trickling);
}
