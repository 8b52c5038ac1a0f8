//! What no PostgreSQL sends that one can install, and another one, or a proxy behind ours, may:
//! everything passes as it came.

use harness::raw::message::{self, tagged};
use harness::raw::{Ended, Session, tags};
use harness::{Address, Chain, Keys, Release, Settings, until};

use crate::scripted::{Script, Stand};

/// Lets an application in, with this body of BackendKeyData or none.
fn login(key: Option<&[u8]>) -> Vec<u8> {
    let key = key.map_or(vec![], |key| tagged(b'K', key));
    [tagged(b'R', &[0; 4]), key, tagged(b'Z', b"I")].concat()
}

/// BackendKeyData of process 7 with a secret of so many bytes.
fn key_data(length: usize) -> Vec<u8> {
    let secret = (0..length).map(|at| (at % 251) as u8 ^ 0xa5);
    [0, 0, 0, 7].into_iter().chain(secret).collect()
}

/// Replies to one query, up to ReadyForQuery.
fn replies() -> Vec<(&'static str, Vec<u8>)> {
    let description = tagged(
        b'T',
        b"\0\x01c\0\0\0\0\0\0\0\0\0\0\x11\xff\xff\xff\xff\xff\xff\0\0",
    );
    let row = |field: &[u8]| tagged(b'D', &[&[0, 1], field].concat());
    let value = || row(b"\0\0\0\x04\\x01");
    let done = || tagged(b'C', b"SELECT 1\0");
    let among_rows =
        |message: Vec<u8>| [description.clone(), value(), message, value(), done()].concat();
    let error = |fields: &[u8]| tagged(b'E', fields);
    vec![
        ("an error without SQLSTATE", error(b"SERROR\0Mno code\0\0")),
        ("an error without fields", error(b"\0")),
        (
            "an error of bytes that are no UTF-8",
            error(b"SERROR\0C22000\0M\xff\xfe\xc3\0\0"),
        ),
        (
            "an error with fields nobody knows",
            error(b"SERROR\0C22000\0Mx\0!what\0\x80\x81\0\0"),
        ),
        (
            "an error among rows that has no SQLSTATE",
            [description.clone(), value(), error(b"Mx\0\0")].concat(),
        ),
        (
            "a notice of bytes that are no UTF-8",
            among_rows(tagged(b'N', b"SNOTICE\0M\xff\xfe\0\0")),
        ),
        ("a notice without fields", among_rows(tagged(b'N', b"\0"))),
        (
            "a notification among rows",
            among_rows(tagged(b'A', b"\0\0\0\x07here\0\xff\0")),
        ),
        (
            "a parameter among rows",
            among_rows(tagged(b'S', b"client_encoding\0LATIN1\0")),
        ),
        (
            "a parameter without a value",
            among_rows(tagged(b'S', b"in_hot_standby\0\0")),
        ),
        (
            "a version negotiated late",
            among_rows(tagged(b'v', &[0, 3, 0, 0, 0, 0, 0, 0])),
        ),
        ("a type that nobody knows", tagged(b'q', b"what")),
        (
            "a command that nobody knows",
            tagged(b'C', b"FROBNICATE 7\0"),
        ),
        ("a command without a name", tagged(b'C', b"\0")),
        (
            "nulls and empty fields",
            [description.clone(), row(&[0xff; 4]), row(&[0; 4]), done()].concat(),
        ),
        (
            "a row of no columns",
            [tagged(b'T', &[0, 0]), tagged(b'D', &[0, 0]), done()].concat(),
        ),
        (
            "a description longer than any",
            [tagged(b'T', &vec![0; 2 << 20]), done()].concat(),
        ),
        (
            "another key",
            [tagged(b'K', &key_data(32)), done()].concat(),
        ),
    ]
}

#[test]
fn replies_that_no_postgresql_sends_pass_as_they_came() {
    let says =
        |says: &[u8]| [login(Some(&key_data(4))), says.to_vec(), tagged(b'Z', b"I")].concat();
    let mut cases: Vec<_> = replies()
        .into_iter()
        .map(|(name, reply)| (name, says(&reply)))
        .collect();
    cases.push(("no key at all", login(None)));
    for (name, code) in [
        ("Kerberos V5", 2),
        ("GSSAPI", 7),
        ("more of GSSAPI", 8),
        ("SSPI", 9),
        ("an authentication nobody knows", 99),
    ] {
        let asked = tagged(b'R', &[&[0, 0, 0, code], b"data".as_slice()].concat());
        cases.push((name, [asked, login(None)].concat()));
    }
    let scripts = cases
        .iter()
        .map(|(name, says)| Script::new(name, says).then_closes());
    let stand = Stand::start(scripts.collect(), &[]);
    for (name, says) in cases {
        let heard = stand.ask_and_leave(name);
        assert_eq!(
            heard.escape_ascii().to_string(),
            says.escape_ascii().to_string(),
            "{name}"
        );
    }
    stand.ends_unharmed();
}

#[test]
fn a_long_key_of_postgresql_18_cancels_its_query_and_a_key_of_which_one_bit_is_wrong_does_not() {
    let keys = Keys::new();
    keys.add_client("app");
    let settings = Settings::new().release(Release::Eighteen);
    let link = Chain::builder().settings(settings).start_link(&keys);
    let mut session = link.address().raw();
    let user = [("user", "postgres"), ("database", "postgres")];
    session.send(message::startup_version(message::VERSION_3_2, &user));
    let greeting = session.read_until_ready();
    let key = greeting.iter().find(|message| message.tag == b'K').unwrap();
    assert_eq!(key.body.len(), 4 + 32);
    session.send(message::query("select pg_sleep(600)"));
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    let sleeps = || link.database.value(sleeping) == "1";
    until("the query to begin", || sleeps().then_some(()));
    let mut wrong = key.body.clone();
    wrong[35] ^= 1;
    cancel(link.address(), &wrong);
    assert!(sleeps());
    cancel(link.address(), &key.body);
    let answer = session.read_until_ready();
    assert_eq!(tags(&answer), "TEZ");
    assert_eq!(answer[1].sqlstate(), "57014");
}

/// Asks to cancel, and waits until the request is done with.
fn cancel(address: Address, key: &[u8]) {
    let mut canceller: Session = address.raw();
    canceller.send(message::cancel_request(key));
    assert_eq!(canceller.read(), Err(Ended::Closed));
}
