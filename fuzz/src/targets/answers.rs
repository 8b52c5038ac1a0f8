//! What a database says to a session, from its first word to its end: rows, functions' results and
//! COPY's data in which values open or are refused, and all else, which stays as it came.

mod copying;
mod exchanges;
mod script;
mod server;

use pgseal_server::fuzzing::{Carried, DATABASE_GONE, SHUTDOWN};
use wire::Header;

use self::script::Script;
use crate::input::{Input, pieces};
use crate::sealed;

/// The bytes are what a conversation is made of; it is cut, and spoiled.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed: [u8; 16] = input.any();
    let mut cutting = Input::new(&seed);
    let script = Script::new(&mut input);

    let (left, well) = carry(&script, &script.came, &[script.came.len()], None);
    assert!(well, "the database's side ends well");
    let expected = [script.leaves.as_slice(), &script.farewell()].concat();
    same(&left, &expected, &script);
    cut(&script, &script.came, &left, &mut cutting);

    let spoiled = input.spoiled(script.came.clone());
    let (left, well) = carry(&script, &spoiled, &[spoiled.len()], None);
    nothing_strange(&spoiled, &left);
    if well && script.passes_all() {
        let farewell = tags(&DATABASE_GONE.to_message());
        let (came, mut left) = (tags(&spoiled), tags(&left));
        if left.len() > came.len() {
            assert_eq!(left.split_off(came.len()), farewell);
        }
        assert_eq!(left, came);
    }
    if script.is_open_however_cut() {
        cut(&script, &spoiled, &left, &mut cutting);
    }
}

/// The same in pieces is the same; and where the server ends in the middle, as far as that came.
fn cut(script: &Script, came: &[u8], whole: &[u8], input: &mut Input<'_>) {
    let ends = input.cuts(came.len());
    let (left, _) = carry(script, came, &ends, None);
    assert!(
        left == whole,
        "cut at {ends:?} it is\n    {}\nnot {}",
        left.escape_ascii(),
        whole.escape_ascii()
    );
    let (left, _) = carry(script, came, &ends, Some(input.below(ends.len())));
    let shutdown = SHUTDOWN.to_message();
    let left = left.strip_suffix(&*shutdown).unwrap_or(&left);
    assert!(
        whole.starts_with(left),
        "ended between {ends:?} it is\n    {}\nof  {}",
        left.escape_ascii(),
        whole.escape_ascii()
    );
}

fn carry(
    script: &Script,
    came: &[u8],
    ends: &[usize],
    ends_behind: Option<usize>,
) -> (Vec<u8>, bool) {
    let pieces: Vec<_> = pieces(came, ends).collect();
    server::REPLIES.carry(&Carried {
        live: &script.live,
        startup: script.startup(),
        asked: &script.asked,
        pieces: &pieces,
        ends_behind,
    })
}

/// What leaves is what was expected; but that data of COPY may be in other messages, where its rows
/// came in pieces.
fn same(left: &[u8], expected: &[u8], script: &Script) {
    let shown = |bytes: &[u8]| match script.is_cut {
        true => joined(bytes),
        false => bytes.to_vec(),
    };
    let (left, expected) = (shown(left), shown(expected));
    assert!(
        left == expected,
        "of  {}\nis  {}\nnot {}\nunder {:?}",
        script.came.escape_ascii(),
        left.escape_ascii(),
        expected.escape_ascii(),
        script.live
    );
}

fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Ok(Some(header)) = Header::parse(bytes)
        && let Some((message, behind)) = bytes.split_at_checked(header.total())
    {
        messages.push(message);
        bytes = behind;
    }
    messages
}

/// With all data of a COPY in one message.
fn joined(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    for message in messages(bytes) {
        match out.last_mut() {
            Some(last) if last[0] == b'd' && message[0] == b'd' => {
                assert!(message.len() > Header::LEN, "of nothing none is sent");
                last.extend(&message[Header::LEN..]);
                let length = (last.len() as u32 - 1).to_be_bytes();
                last[1..Header::LEN].copy_from_slice(&length);
            }
            _ => out.push(message.to_vec()),
        }
    }
    out.concat()
}

/// The types of whole messages but those of COPY's data, of which one may leave with another.
fn tags(bytes: &[u8]) -> Vec<u8> {
    let messages = messages(bytes).into_iter();
    let tags = messages.map(|message| message[0]);
    tags.filter(|tag| *tag != b'd').collect()
}

/// Nothing is in what leaves that is sealed to somebody else.
fn nothing_strange(came: &[u8], left: &[u8]) {
    for plaintext in sealed::strange() {
        let is_in = |bytes: &[u8]| bytes.windows(plaintext.len()).any(|it| it == plaintext);
        assert!(!is_in(left) || is_in(came));
    }
}
