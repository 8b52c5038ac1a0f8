//! A zone's tag: which fields are one, and which only look like it.

use harness::raw::{literal, rows};

use super::{Form, all_open, start};

/// An id that can stand in a column of every type that a tag may have, `uuid` included.
const ZONE: &str = "0b5c8d5e-7d5f-4a0e-9c39-1f6c1e1d2a3b";

#[test]
fn a_zones_value_opens_beside_a_tag_of_every_type_and_the_tag_stays() {
    let (keys, link) = start("on");
    keys.keymaker(&["zone", "add", ZONE, "--client", "app"])
        .success();
    let zone = keys.zone(ZONE);
    let sealed = literal(&zone.seal(b"in a zone").unwrap());
    let clear = literal(b"in a zone");
    let within = [
        format!("[{ZONE}]").as_bytes(),
        &zone.seal(b"in a zone").unwrap(),
    ]
    .concat();
    let within = literal(&within);
    let tags = [
        format!("'{ZONE}'"),
        format!("'{ZONE}'::text"),
        format!("'{ZONE}'::varchar"),
        format!("'{ZONE}'::varchar(40)"),
        format!("'{ZONE}'::char(36)"),
        format!("'{ZONE}'::char(50)"),
        format!("'{ZONE}'::name"),
        format!("'{ZONE}'::bytea"),
        format!("'{ZONE}'::uuid"),
        format!("'{}'::uuid", ZONE.to_uppercase()),
        format!("'{ZONE}', null::text, 7, 'another'"),
        format!("'another'::text, '{ZONE}'::text"),
        format!("{sealed}, '{ZONE}'"),
    ];
    let selects = tags
        .iter()
        .map(|tag| format!("select {tag}, {sealed}, {clear}"))
        .chain([format!("select {within}, {clear}")])
        .chain([format!("select '{ZONE}'::text, {within}, {clear}")])
        .chain([format!("select 'another'::text, {within}, {clear}")]);
    let (mut session, mut direct) = (link.address().raw(), link.database.address().raw());
    session.start();
    direct.start();
    for select in selects {
        for form in Form::ALL {
            let answer = form.ask(&mut session, &select);
            all_open(&answer, 1, &format!("{form:?}: {select}"));
            let (row, stored) = (&rows(&answer)[0], &rows(&form.ask(&mut direct, &select))[0]);
            let tags = row.len() - 2;
            assert_eq!(row[..tags], stored[..tags], "{form:?}: {select}");
        }
    }
}

#[test]
fn what_is_not_a_whole_earlier_field_of_such_a_type_is_no_tag() {
    let (keys, link) = start("on");
    keys.keymaker(&["zone", "add", ZONE, "--client", "app"])
        .success();
    let zone = keys.zone(ZONE);
    let sealed = literal(&zone.seal(b"in a zone").unwrap());
    // The tag that a value opens to is no tag either: only what the database sent is.
    let tag_within = zone.seal(ZONE.as_bytes()).unwrap();
    let tag_within = literal(&[format!("[{ZONE}]").as_bytes(), &tag_within].concat());
    let upper = ZONE.to_uppercase();
    let untagged = [
        format!("select {sealed}"),
        format!("select {sealed}, '{ZONE}'::text"),
        format!("select ''::text, {sealed}"),
        format!("select null::text, {sealed}"),
        format!("select '{ZONE} '::text, {sealed}"),
        format!("select 'x{ZONE}'::text, {sealed}"),
        format!("select '{upper}'::text, {sealed}"),
        format!("select '[{ZONE}]'::text, {sealed}"),
        format!("select to_json('{ZONE}'::text), {sealed}"),
        format!("select array['{ZONE}'], {sealed}"),
        format!("select row('{ZONE}'::text), {sealed}"),
        format!("select {tag_within}, {sealed}"),
        format!("select convert_to('{ZONE}]', 'UTF8') || {sealed}"),
        format!("select convert_to('[{ZONE}] ', 'UTF8') || {sealed}"),
        format!("select convert_to('[{upper}]', 'UTF8') || {sealed}"),
        // A tag of another row.
        format!("select column1 from (values ({sealed}), ('{ZONE}'), ({sealed})) rows"),
    ];
    let (mut session, mut direct) = (link.address().raw(), link.database.address().raw());
    session.start();
    direct.start();
    for select in untagged {
        for form in Form::ALL {
            let last = |answer| rows(answer).pop().unwrap().pop().unwrap();
            let answer = form.ask(&mut session, &select);
            let stored = form.ask(&mut direct, &select);
            if select.ends_with("'::text") {
                assert_eq!(answer, stored, "{form:?}: {select}");
            }
            assert_eq!(last(&answer), last(&stored), "{form:?}: {select}");
        }
    }
    let refused = link
        .server
        .counted(r#"values_refused_total{reason="not_tagged"}"#);
    assert_eq!(refused, 17 * 5);
}

#[test]
fn several_zones_in_one_row_each_need_a_tag_and_any_earlier_one_serves() {
    let (keys, link) = start("on");
    let zones = [(); 3].map(|()| keys.add_zone(&["app"]));
    let [a, b, c] = zones.each_ref().map(|zone| zone.owner().id().to_owned());
    let [in_a, in_b, in_c] = zones
        .each_ref()
        .map(|zone| literal(&zone.seal(b"x").unwrap()));
    let select =
        format!("select '{a}', {in_a}, {in_b}, '{b}'::text, {in_a}, {in_b}, {in_c}, '{c}'");
    let mut session = link.address().raw();
    session.start();
    for form in Form::ALL {
        let answer = form.ask(&mut session, &select);
        let (opened, sealed) = {
            let row = &rows(&answer)[0];
            let length = |index: usize| row[index].as_ref().unwrap().len();
            ([1, 4, 5].map(length), [2, 6].map(length))
        };
        assert!(
            opened.iter().all(|length| *length <= 4),
            "{form:?}: {answer:?}"
        );
        assert!(
            sealed.iter().all(|length| *length > 80),
            "{form:?}: {answer:?}"
        );
    }
}
