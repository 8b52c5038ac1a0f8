//! Every path that a sealed value can take from the database to the application: in each the answer is
//! the same, byte for byte, as if nothing had ever been sealed; and what may not be opened is as the
//! database has it.
//!
//! Two tables have the same rows, one of them sealed. The same question is put to the one through the
//! link, and to the other directly: so PostgreSQL itself says how an opened value is to be written.

mod compared;
mod documented;
mod dump;
mod forms;
mod function_call;
mod stand;
mod texts;
mod values;
mod ways;

use compared::Compared;
use forms::{FAMILIES, Family, PASSED, TAG_WITHIN};
use harness::raw::{Message, Session};
use stand::Stand;
use ways::{Asked, WAYS, Way, normal};

/// The columns of a question, as they are in SQL.
fn columns<'a>(columns: impl IntoIterator<Item = &'a &'a str>) -> String {
    let named = columns.into_iter().enumerate();
    let named = named.map(|(number, column)| format!("{column} as c{number}"));
    named.collect::<Vec<_>>().join(", ")
}

/// A family's columns behind the tag.
fn tagged(family: &Family) -> Vec<&'static str> {
    [&["tag"], family.columns].concat()
}

fn ask(way: &Way, session: &mut Session, columns: &str, table: &str) -> Vec<Message> {
    normal((way.ask)(session, &Asked { columns, table }))
}

/// Asks PostgreSQL itself, which understands the question.
#[track_caller]
fn expect(way: &Way, direct: &mut Session, columns: &str, table: &str) -> Vec<Message> {
    let answer = ask(way, direct, columns, table);
    let error = answer.iter().find(|message| message.tag == b'E');
    assert!(error.is_none(), "{}: {columns}: {error:?}", way.name);
    answer
}

fn case(way: &Way, family: &Family) -> String {
    format!("{}, {}", way.name, family.name)
}

/// Every way, and every family of columns.
fn cases() -> impl Iterator<Item = (&'static Way, &'static Family)> {
    WAYS.iter()
        .flat_map(|way| FAMILIES.iter().map(move |family| (way, family)))
}

#[test]
fn what_was_sealed_comes_as_if_it_never_had_been() {
    let stand = Stand::start("ciphertext");
    let (mut session, mut direct) = stand.sessions();
    let mut compared = Compared::default();
    for (way, family) in cases() {
        let names = tagged(family);
        let columns = columns(&names);
        let expected = expect(way, &mut direct, &columns, "clear");
        let answer = ask(way, &mut session, &columns, "sealed");
        compared.answer(&case(way, family), &names, &answer, &expected);
    }
    // A column that is the only one is quoted otherwise in CSV.
    for way in &WAYS {
        for column in ["b", "t"] {
            let expected = expect(way, &mut direct, column, "clear_untagged");
            let answer = ask(way, &mut session, column, "sealed_untagged");
            let case = format!("{}, a column alone", way.name);
            compared.answer(&case, &[column], &answer, &expected);
        }
    }
    compared.are_same();
    harness::report("paths", &compared.report());
}

#[test]
fn what_may_not_be_opened_comes_as_the_database_has_it() {
    let mut stand = Stand::start("ciphertext");
    let (mut session, mut direct) = stand.sessions();
    let mut compared = Compared::default();
    let mut passes = |way: &Way, names: &[&str], table: &str| {
        let columns = columns(names);
        let expected = expect(way, &mut direct, &columns, table);
        let answer = ask(way, &mut session, &columns, table);
        compared.answer(&format!("{}, {table}", way.name), names, &answer, &expected);
    };
    for (way, family) in cases() {
        passes(way, &tagged(family), "lookalike");
        // Without their tags.
        passes(way, family.columns, "tagged");
    }
    for way in &WAYS {
        passes(way, TAG_WITHIN.columns, "tagged");
        if way.is_typed {
            passes(way, &tagged(&PASSED), "sealed");
        }
    }
    stand.link.server.apply(&["zone_mode = 'off'"]);
    for (way, family) in cases() {
        passes(way, &tagged(family), "zoned");
    }
    compared.are_same();
}

#[test]
fn a_refused_value_makes_its_whole_column_null_where_it_is_to() {
    let stand = Stand::start("null");
    let (mut session, mut direct) = stand.sessions();
    let mut compared = Compared::default();
    for (way, family) in cases() {
        let nulled = |column: &&str| format!("case when not refused then {column} end");
        let nulled: Vec<_> = family.columns.iter().map(nulled).collect();
        let nulled: Vec<_> = nulled.iter().map(String::as_str).collect();
        let expected = expect(way, &mut direct, &columns(&nulled), "lookalike");
        let answer = ask(way, &mut session, &columns(family.columns), "lookalike");
        compared.answer(&case(way, family), family.columns, &answer, &expected);
    }
    compared.are_same();
}

#[test]
fn a_refused_value_fails_the_query_where_it_is_to() {
    let stand = Stand::start("error");
    let (mut session, _direct) = stand.sessions();
    for (way, family) in cases() {
        for column in family.columns {
            let answer = ask(way, &mut session, column, "lookalike");
            let errors = answer.iter().filter(|message| message.tag == b'E');
            let states: Vec<_> = errors.map(Message::sqlstate).collect();
            // What comes behind it in a transaction is ignored.
            let first = states.first().map(String::as_str);
            assert_eq!(first, Some("42501"), "{}: {column}: {answer:?}", way.name);
        }
    }
}
