//! Where the answer is not what it would be had nothing been sealed, by the nature of it: what the
//! limits of `docs/paths.md` say, held.

use envelope::{Recipient, armor};
use harness::raw::{Message, Session, literal, rows};
use harness::{Chain, Keys, Link};

fn start() -> (Link, Recipient, Keys) {
    let keys = Keys::new();
    let app = keys.add_client("app");
    let link = Chain::builder().zone_mode("mixed").start_link(&keys);
    (link, app, keys)
}

/// A text as SQL has it.
fn text(value: &str) -> String {
    format!("convert_from({}, 'UTF8')", literal(value.as_bytes()))
}

/// The one field of the one row, and COPY's one line, as text.
fn field(answer: &[Message]) -> String {
    let copied = answer.iter().filter(|message| message.tag == b'd');
    let copied: Vec<u8> = copied.flat_map(|message| message.body.clone()).collect();
    let field = match rows(answer).pop() {
        Some(mut row) => row.pop().flatten().unwrap(),
        None => copied,
    };
    String::from_utf8(field).unwrap()
}

fn session(link: &Link) -> Session {
    let mut session = link.address().raw();
    session.start();
    session
}

#[test]
fn a_text_that_looks_like_another_form_is_text_where_types_are_known() {
    let (link, app, _keys) = start();
    let mut session = session(&link);
    let sealed = armor(&app.seal(br#"say "hi", \"#).unwrap());
    for (stored, typed, copied) in [
        (
            r#"{"k": "@"}"#,
            r#"{"k": "say "hi", \"}"#,
            r#"{"k": "say \\"hi\\", \\\\"}"#,
        ),
        ("{a,@}", r#"{a,say "hi", \}"#, r#"{a,"say \\"hi\\", \\\\"}"#),
        ("(a,@)", r#"(a,say "hi", \)"#, r#"(a,"say ""hi"", \\\\")"#),
        (
            r#""k"=>"@""#,
            r#""k"=>"say "hi", \""#,
            r#""k"=>"say \\"hi\\", \\\\""#,
        ),
        // It is none of these to its end, so it is text.
        (
            r#"{"k": "@"#,
            r#"{"k": "say "hi", \"#,
            r#"{"k": "say "hi", \\"#,
        ),
    ] {
        let value = text(&stored.replace('@', &sealed));
        let select = format!("select {value}");
        assert_eq!(field(&session.query(&select)), typed);
        assert_eq!(field(&session.extended(&select, 1)), typed);
        let line = field(&session.query(&format!("copy ({select}) to stdout")));
        assert_eq!(line, format!("{copied}\n"));
    }
}

#[test]
fn a_padded_text_keeps_its_blanks() {
    let (link, app, _keys) = start();
    let mut session = session(&link);
    let sealed = armor(&app.seal(b"4111").unwrap());
    let select = format!("select '{sealed}'::char(300)");
    let padding = " ".repeat(300 - sealed.len());
    for answer in [session.query(&select), session.extended(&select, 1)] {
        assert_eq!(field(&answer), format!("4111{padding}"));
    }
}

#[test]
fn bounds_of_an_open_range_are_quoted_as_fields_of_a_composite() {
    let (link, app, _keys) = start();
    let mut session = session(&link);
    session.query("create type words as range (subtype = text)");
    for (clear, shown) in [("a b", r#"("a b",)"#), ("[x]", "([x],)")] {
        let sealed = armor(&app.seal(clear.as_bytes()).unwrap());
        let answer = session.query(&format!("select words('{sealed}', null, '()')"));
        assert_eq!(field(&answer), shown);
    }
}

#[test]
fn what_does_not_fit_the_sessions_encoding_is_refused() {
    let (link, app, _keys) = start();
    let mut session = session(&link);
    let [ascii, not] = ["4111", "Grüße"].map(|clear| armor(&app.seal(clear.as_bytes()).unwrap()));
    let select = format!("select '{ascii}'::text, '{not}'::text");
    for (encoding, opens) in [
        ("UTF8", true),
        ("LATIN1", false),
        ("SQL_ASCII", true),
        ("SJIS", false),
    ] {
        session.query(&format!("set client_encoding = {encoding}"));
        for answer in [session.query(&select), session.extended(&select, 1)] {
            let row = rows(&answer).pop().unwrap();
            assert_eq!(row[0].as_deref(), Some(b"4111".as_slice()), "{encoding}");
            let expected = if opens { "Grüße" } else { &not };
            assert_eq!(row[1].as_deref(), Some(expected.as_bytes()), "{encoding}");
        }
    }
    // Bytes have no encoding.
    let bytes = literal(&app.seal("Grüße".as_bytes()).unwrap());
    let answer = session.extended(&format!("select {bytes}"), 1);
    assert_eq!(field(&answer), "Grüße");
}
