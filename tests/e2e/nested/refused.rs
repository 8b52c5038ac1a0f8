//! What is refused inside a value: the rest of it opens, or its whole column is NULL, or the query
//! fails.

use harness::raw::rows;

use super::{Form, armor, literal, sessions, start};

/// Columns in which a value of `app` stands beside one that is not.
fn query(mine: &[u8], theirs: &[u8]) -> String {
    let (b, c) = (literal(mine), literal(theirs));
    let (t, u) = (armor(mine), armor(theirs));
    format!(
        "select array[{b}, {c}], row({b}, {c}), jsonb_build_array('{t}', '{u}'), \
         array['{t}'::text, '{u}'], '<{t}{u}>'::text, 7, {b}"
    )
}

#[test]
fn what_is_refused_inside_a_value_stays_and_the_rest_opens() {
    let (keys, link, zone) = start("ciphertext");
    let [mine, theirs] = [&keys.client("app"), &zone].map(|it| it.seal(b"card").unwrap());
    let (mut session, mut direct) = sessions(&link);
    for form in Form::ALL {
        let answer = rows(&form.ask(&mut session, &query(&mine, &theirs)));
        let half = query(b"card", &theirs).replace(&armor(b"card"), "card");
        assert_eq!(answer, rows(&form.ask(&mut direct, &half)), "{form:?}");
    }
}

#[test]
fn a_column_in_which_something_is_refused_is_null_as_a_whole() {
    let (keys, link, zone) = start("null");
    let [mine, theirs] = [&keys.client("app"), &zone].map(|it| it.seal(b"card").unwrap());
    let (mut session, mut direct) = sessions(&link);
    for form in Form::ALL {
        let row = rows(&form.ask(&mut session, &query(&mine, &theirs))).remove(0);
        let clear = rows(&form.ask(&mut direct, &query(b"card", b""))).remove(0);
        assert!(row[..5].iter().all(Option::is_none), "{form:?}: {row:?}");
        assert_eq!(row[5..], clear[5..], "{form:?}");
    }
}

#[test]
fn a_query_fails_for_one_refused_value_among_many() {
    let (keys, link, zone) = start("error");
    let theirs = armor(&zone.seal(b"card").unwrap());
    let mine = armor(&keys.client("app").seal(b"card").unwrap());
    let (mut session, _) = sessions(&link);
    let sql =
        |value: &str| format!("select array_fill('{mine}'::text, array[50]) || '{value}'::text");
    for form in Form::ALL {
        let tags = |session: &mut _, value| harness::raw::tags(&form.ask(session, &sql(value)));
        assert!(tags(&mut session, &mine).contains('D'), "{form:?}");
        let refused = tags(&mut session, &theirs);
        assert!(
            refused.contains('E') && !refused.contains('D'),
            "{form:?}: {refused}"
        );
    }
}
