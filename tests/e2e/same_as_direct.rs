//! Conversations with a database, directly and through the chain, compared message by message: in
//! turns, with everything sent at once, and with every byte in a packet of its own.

mod conversations;

use std::thread;

use harness::raw::{Message, Session, Stream, message, tags};
use harness::{Address, Chain, Keys, Link};

use conversations::{Conversation, Turn, all};

/// What the conversations speak of, made once.
const TABLES: &str = "
    create table rows (id int, x text, b bytea);
    insert into rows select i, 'text ' || i, decode(lpad(i::text, 2, '0'), 'hex')
        from generate_series(1, 9) i;
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
    (keys, link)
}

/// Holds the conversation and gives every message that came.
fn hold(address: Address, conversation: &Conversation, pace: Pace) -> Vec<Message> {
    let mut session = address.raw();
    let mut heard = Vec::new();
    let start = message::startup(&[("user", "postgres"), ("database", "postgres")]);
    let start = Turn::new(b'Z', &[start]);
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

/// Takes out what no two sessions have in common: the cancel key, and who notified.
fn normalise(message: &mut Message) {
    let own = match message.tag {
        b'K' => message.body.len(),
        b'A' => 4,
        _ => 0,
    };
    message.body.iter_mut().take(own).for_each(|byte| *byte = 0);
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
        let direct = hold(link.database.address(), &conversation, pace);
        let expected = conversation.types;
        if types(&direct) != expected {
            differences.push(format!(
                "{name}: directly {}, not {expected}",
                types(&direct)
            ));
        }
        let by_chain = hold(link.address(), &conversation, pace);
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
