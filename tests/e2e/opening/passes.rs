//! What is no sealed value passes byte for byte: the application gets what the database sent.

use harness::raw::{Message, Session, literal, message};
use harness::{Chain, Keys, Link};

use super::Form;

/// A link that would not let anything pass that it took for an envelope and could not open, and
/// the public key of its client.
fn start() -> (Link, envelope::Recipient) {
    let keys = Keys::new();
    let app = keys.add_client("app");
    let chain = Chain::builder().zone_mode("mixed").on_refused("error");
    (chain.start_link(&keys), app)
}

/// Sessions of the application and directly with the database.
fn sessions(link: &Link) -> (Session, Session) {
    let (mut session, mut direct) = (link.address().raw(), link.database.address().raw());
    session.start();
    direct.start();
    (session, direct)
}

#[track_caller]
fn passes(session: &mut Session, direct: &mut Session, sql: &str) {
    for form in Form::ALL {
        let (answer, sent) = (form.ask(session, sql), form.ask(direct, sql));
        assert_eq!(answer, sent, "{form:?}: {sql}");
    }
}

#[test]
fn what_looks_like_an_envelope_passes() {
    let (link, app) = start();
    let whole = app.seal(b"4000 0012 3456 7899").unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let length = |length: u32| with(16, &length.to_be_bytes());
    let rest = u32::try_from(whole.len() - 20).unwrap();
    let mut values = vec![
        with(0, b"\xf4"),
        with(3, b"S"),
        with(4, b"\x00"),
        with(4, b"\x02"),
        length(0),
        length(59),
        length(rest + 1),
        length((1 << 28) + 1),
        length(u32::MAX),
        whole.iter().rev().copied().collect(),
        whole.iter().flat_map(|byte| [*byte, 0]).collect(),
        b"\xf5pgs\x01".repeat(20),
    ];
    values.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    let (mut session, mut direct) = sessions(&link);
    let sql = format!("select * from (values ({})) looks", values.join("), ("));
    passes(&mut session, &mut direct, &sql);
    // That the test can fail: one byte more makes the last of them an envelope.
    let sql = format!("select {}", literal(&whole));
    assert_ne!(session.query(&sql), direct.query(&sql));
}

#[test]
fn columns_of_other_types_pass() {
    let (link, app) = start();
    let sealed = literal(&app.seal(b"4000 0012 3456 7899").unwrap());
    let (mut session, mut direct) = sessions(&link);
    for value in [
        "{sealed}::text",
        "encode({sealed}, 'hex')",
        "encode({sealed}, 'base64')",
        "encode({sealed}, 'escape')",
        "({sealed}::text)::varchar",
        "({sealed}::text)::char(300)",
        "array[{sealed}::text, {sealed}::text]",
        "xmlelement(name a, {sealed}::text)",
        "json_build_object({sealed}::text, 1)",
        "('<a>' || ({sealed}::text) || '</a>')::xml",
        "length({sealed})",
        "sha256({sealed})",
        "null, ''::bytea, 1.5, true, now()::date, '{{1,2}}'::int[]",
    ] {
        let value = value.replace("{sealed}", &sealed);
        passes(&mut session, &mut direct, &format!("select {value}"));
    }
}

#[test]
fn copy_from_reaches_the_database_as_it_is() {
    let (link, app) = start();
    let sealed = app.seal(b"4000 0012 3456 7899").unwrap();
    let (mut session, _) = sessions(&link);
    session.query("create table copied (value bytea)");
    session.send(message::query("copy copied from stdin"));
    assert_eq!(session.read().unwrap().tag, b'G');
    let line = format!(
        r"\\x{}",
        literal(&sealed)
            .replace(r"'\x", "")
            .replace("'::bytea", "\n")
    );
    for piece in line.as_bytes().chunks(7) {
        session.send(message::copy_data(piece));
    }
    session.send(message::copy_done());
    session.read_until_ready();
    let stored = format!("select value = {} from copied", literal(&sealed));
    assert_eq!(link.database.value(&stored), "t");
}

#[test]
fn notices_and_errors_pass_between_rows_that_open() {
    let (link, app) = start();
    let sealed = literal(&app.seal(b"x").unwrap());
    let (mut session, mut direct) = sessions(&link);
    let create = format!(
        "create function tell(i int) returns bytea language plpgsql as $$
         begin raise notice '% %', i, {sealed}; return (array[{sealed}])[i / i]; end $$"
    );
    session.query(&create);
    let sql = "select tell(i), 1 / (3 - i) from generate_series(1, 5) i";
    let (answer, sent) = (session.query(sql), direct.query(sql));
    let but_rows = |messages: &[Message]| {
        let mut messages = messages.to_vec();
        messages.retain(|message| message.tag != b'D');
        messages
    };
    assert_eq!(harness::raw::tags(&answer), harness::raw::tags(&sent));
    assert_eq!(but_rows(&answer), but_rows(&sent));
    assert_ne!(answer, sent);
}
