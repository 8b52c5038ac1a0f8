//! Sealed values in values that are made of values, as PostgreSQL itself builds and writes them: each
//! query over sealed values gives what the same query gives over clear ones.

mod refused;

use envelope::{Recipient, armor};
use harness::raw::{Session, literal, rows};
use harness::{Chain, Keys, Link};

use crate::opening::Form;

/// One link, and a store with the client `app` and a zone.
fn start(on_refused: &str) -> (Keys, Link, Recipient) {
    let keys = Keys::new();
    keys.add_client("app");
    let zone = keys.add_zone(&["app"]);
    let chain = Chain::builder().zone_mode("mixed").on_refused(on_refused);
    let link = chain.start_link(&keys);
    (keys, link, zone)
}

/// Sessions of the application and directly with the database.
fn sessions(link: &Link) -> (Session, Session) {
    let (mut session, mut direct) = (link.address().raw(), link.database.address().raw());
    session.start();
    direct.start();
    (session, direct)
}

/// A text as SQL has it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table of values, sealed and clear, as `bytea` and as text.
fn create(direct: &mut Session, app: &Recipient, zone: &Recipient) {
    direct.query(
        "create table stored (id int, sealed bytea, clear bytea, armored text, clear_text text)",
    );
    let tag = format!("[{}]", zone.owner().id());
    let mut add = |sealed: &[u8], clear: &[u8], armored: &str, clear_text: &str| {
        let insert = format!(
            "insert into stored select count(*), {}, {}, {}, {} from stored",
            literal(sealed),
            literal(clear),
            quoted(armored),
            quoted(clear_text),
        );
        let answer = direct.query(&insert);
        assert!(answer.iter().all(|it| it.tag != b'E'), "{answer:?}");
    };
    for clear in [
        "4000 0012 3456 7899",
        "plain",
        "",
        "NULL",
        "null",
        "Grüße, 世界",
        r#"{"a": ["\"", '\\'], (b), [c]} => "#,
        "\t\n\u{b}\u{1f}\\x",
        "\\",
        "\"",
    ] {
        let [mine, zoned] = [app, zone].map(|it| it.seal(clear.as_bytes()).unwrap());
        let clear_bytes = clear.as_bytes();
        add(&mine, clear_bytes, &armor(&mine), clear);
        add(
            &[b"<", &*mine, b"|", tag.as_bytes(), &zoned, b">"].concat(),
            &[b"<", clear_bytes, b"|", clear_bytes, b">"].concat(),
            &format!("<{}, {tag}{}>", armor(&mine), armor(&zoned)),
            &format!("<{clear}, {clear}>"),
        );
        let cut = &mine[..mine.len() - 1];
        add(cut, cut, &armor(cut), &armor(cut));
    }
    direct.query("insert into stored values (1000)");
    direct.query(
        "create extension hstore;
         create extension citext;
         create type pair as (b bytea, n int, t text);
         create domain note as text;
         create type span as range (subtype = text, multirange_type_name = spans)",
    );
}

/// What is built of the columns `{b}`, a `bytea`, and `{t}`, a text.
const BUILT: [&str; 28] = [
    "array_agg({b} order by id), array_agg({t} order by id) from stored",
    "array[{b}, null, {b}], array[array[{t}, {t}], array['', {t}]] from stored",
    "array_fill({t}, array[2, 2], array[0, 5]), array_fill({b}, array[2], array[-1]) from stored",
    "array[{t}::varchar, null], array[{t}::note, 'x'], array[{t}::citext] from stored",
    "row({b}, {t}, id, null, '') from stored",
    "row(row({t}, row({b})), array[{b}], array[{t}]) from stored",
    "row({b}, id, {t})::pair from stored",
    "array_agg(row({b}, id, {t})::pair order by id) from stored",
    "array_agg(row({b}, {t}) order by id) from stored",
    "array[row(row({b}, id, {t})::pair, {t})] from stored",
    "{t}::citext, {t}::note, {t}::varchar from stored",
    "to_json({t}), to_jsonb({t}), to_json({b}), to_jsonb({b}) from stored",
    "row_to_json(r) from (select {b} as b, {t} as t, id from stored) r",
    "to_jsonb(r) from (select {b} as b, {t} as t, id from stored) r",
    "jsonb_agg({t} order by id), json_agg({t} order by id) from stored",
    "json_build_object('a', array[{b}], 'b', row({t}), 'c', null, 'd', 1.5) from stored",
    "jsonb_build_array({t}, jsonb_build_object('k', array[{t}, null])) from stored",
    "array[to_json({t})], array[to_jsonb({t}), '1'] from stored",
    "array_agg(to_jsonb({b}) order by id) from stored",
    "row(to_jsonb({t}), array[to_json({t})], to_jsonb({b})) from stored",
    "hstore('k \"', {t}) from stored",
    "hstore(array['a', 'b', 'c'], array[{t}, null, 'plain']) from stored",
    "array[hstore('k', {t}), hstore('l', {t})], row(hstore('k', {t})) from stored",
    "span({t}, null), span(null, {t}), span({t}, {t}, '[]'), span({t}, {t}) from stored",
    "array[span({t}, null, '()')], row(span(null, {t}, '(]')) from stored",
    "spans(span({t}, {t}, '[]')), spans(span({t}, null)) from stored",
    "hstore(r)::hstore from (select {t} as t, id from stored) r",
    "json_build_object('deep', row(array[row({t}, array[{b}])])) from stored",
];

#[test]
fn what_is_built_of_sealed_values_is_what_is_built_of_clear_ones() {
    let (keys, link, zone) = start("error");
    let (mut session, mut direct) = sessions(&link);
    create(&mut direct, &keys.client("app"), &zone);
    let mut opened = 0;
    for built in BUILT {
        let query = |b: &str, t: &str| {
            let built = built.replace("{b}", b).replace("{t}", t);
            let order = if built.contains("agg") {
                ""
            } else {
                " order by id"
            };
            format!("select {built}{order}")
        };
        let sealed = query("sealed", "armored");
        for form in Form::ALL {
            let expected = form.ask(&mut direct, &query("clear", "clear_text"));
            let expected = rows(&expected);
            assert!(!expected.is_empty(), "{built}");
            let answer = form.ask(&mut session, &sealed);
            let found = rows(&answer);
            assert_eq!(
                found.len(),
                expected.len(),
                "{form:?}: {sealed}: {answer:?}"
            );
            for (found, expected) in found.iter().zip(&expected) {
                let text = |row: &[Option<Vec<u8>>]| {
                    let field =
                        |it: &Option<Vec<u8>>| it.as_ref().map(|it| it.escape_ascii().to_string());
                    row.iter().map(field).collect::<Vec<_>>()
                };
                assert!(
                    found == expected,
                    "{form:?}: {sealed}\n{:?}\n{:?}",
                    text(found),
                    text(expected)
                );
            }
            opened += usize::from(form.ask(&mut direct, &sealed) != answer);
        }
    }
    assert_eq!(opened, BUILT.len() * Form::ALL.len());
}

#[test]
fn what_opens_into_text_must_be_text_in_the_sessions_encoding() {
    let (keys, link, _) = start("ciphertext");
    let app = keys.client("app");
    let [card, greeting] = ["4000", "Grüße"].map(|it| armor(&app.seal(it.as_bytes()).unwrap()));
    let (mut session, mut direct) = sessions(&link);
    let sql = format!("select '{card}'::text, '{greeting}'::text, array['{card}'::text]");
    let sealed = rows(&direct.query(&sql)).remove(0);
    for (encoding, opens) in [
        ("UTF8", [true, true, true]),
        ("SQL_ASCII", [true, true, true]),
        ("LATIN1", [true, false, true]),
        ("EUC_JP", [true, false, true]),
        ("SJIS", [true, false, false]),
        ("GB18030", [true, false, false]),
        ("UTF8", [true, true, true]),
    ] {
        session.query(&format!("set client_encoding = '{encoding}'"));
        let row = rows(&session.query(&sql)).remove(0);
        let clear = ["4000", "Grüße", "{4000}"].map(|it| Some(it.as_bytes().to_vec()));
        for (field, opens) in opens.into_iter().enumerate() {
            let expected = if opens { &clear } else { sealed.as_slice() };
            assert_eq!(row[field], expected[field], "{encoding}: field {field}");
        }
    }
    let refused = link
        .server
        .counted(r#"values_refused_total{reason="not_text"}"#);
    assert_eq!(refused, 4);
}
