//! A value that is refused within data of COPY, under each `on_refused`.

use harness::Chain;
use harness::raw::{Session, literal, message, tags};

use super::{COPIES, Stand, copy, same};

impl Stand {
    /// With a value that opens to `opened`, one that does not and another that does, in rows of their
    /// own; in `clear` the second is NULL.
    fn fill_with_refused(&self, opened: &[u8]) {
        let good = literal(&self.app.seal(opened).unwrap());
        // Of a zone whose tag is not there.
        let bad = literal(&self.zone.seal(opened).unwrap());
        let row = |value: &str| format!("'a', {value}, 'b'");
        let good = [row(&good), row(&literal(opened))];
        self.fill(&[good.clone(), [row(&bad), row("null")], good]);
    }
}

#[test]
fn a_refused_value_stays_or_becomes_null_in_every_format() {
    for policy in ["ciphertext", "null"] {
        let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused(policy));
        stand.fill_with_refused(b"opened");
        let (mut session, mut direct) = (stand.session(), stand.direct());
        if policy == "ciphertext" {
            let sealed =
                "update clear set value = (select value from sealed where id = 2) where id = 2";
            assert_eq!(tags(&direct.query(sealed)), "CZ");
        }
        // A row that was updated is the last in its table.
        let sorted = "(select * from TABLE order by id)";
        for sql in COPIES.iter().filter(|sql| sql.starts_with("copy TABLE to")) {
            let sql = sql.replace("TABLE", sorted);
            let expected = direct.query(&copy(&sql, "clear"));
            same(
                &session.query(&copy(&sql, "sealed")),
                &expected,
                &format!("{policy}: {sql}"),
            );
        }
    }
}

/// Whether the session goes on as if nothing had been.
#[track_caller]
fn is_usable(session: &mut Session, case: &str) {
    assert_eq!(tags(&session.query("select 1")), "TDCZ", "{case}");
}

#[test]
fn a_refused_value_fails_the_copy_like_an_error_of_postgresqls_own() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("error"));
    stand.fill_with_refused(b"opened");
    let mut session = stand.session();
    for sql in COPIES {
        let sql = copy(sql, "sealed");
        let header = usize::from(sql.to_lowercase().contains("header"));
        let data = "d".repeat(1 + header);
        // Alone; before another statement; and in a batch, of which nothing else runs.
        let answer = session.query(&sql);
        assert_eq!(tags(&answer), format!("H{data}EZ"), "{sql}");
        assert_eq!(answer[answer.len() - 2].sqlstate(), "42501", "{sql}");
        let answer = session.query(&format!("select 1; {sql}; select 2; {sql}"));
        assert_eq!(tags(&answer), format!("TDCH{data}EZ"), "{sql}");
        let answer = session.extended(&sql, 0);
        assert_eq!(tags(&answer), format!("12nH{data}EZ"), "{sql}");
        is_usable(&mut session, &sql);
    }
}

#[test]
fn a_refused_value_in_a_copy_fails_its_transaction_block() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("error"));
    stand.fill_with_refused(b"opened");
    let mut session = stand.session();
    let sql = "copy sealed to stdout";
    for extended in [false, true] {
        session.query("begin");
        session.query("insert into clear (note) values ('undone')");
        let answer = match extended {
            false => session.query(sql),
            true => session.extended(sql, 0),
        };
        assert!(tags(&answer).ends_with("HdEZ"), "{}", tags(&answer));
        assert_eq!(answer.last().unwrap().body, b"E");
        let answer = session.query("select 1");
        assert_eq!(
            (tags(&answer).as_str(), &*answer[0].sqlstate()),
            ("EZ", "25P02")
        );
        assert_eq!(session.query("commit").last().unwrap().body, b"I");
        is_usable(&mut session, "after the block");
    }
    assert_eq!(
        stand
            .link
            .database
            .value("select count(*) from clear where note = 'undone'"),
        "0"
    );
    // Without its Sync, PostgreSQL skips what follows of the batch.
    let late = "insert into clear (note) values ('late')";
    let unnamed = |sql: &str| {
        [
            message::parse("", sql),
            message::bind("", "", &[], 0),
            message::execute("", 0),
        ]
        .concat()
    };
    session.send([unnamed(sql), message::flush()].concat());
    for expected in [b'1', b'2', b'H', b'd', b'E'] {
        assert_eq!(session.read().unwrap().tag, expected);
    }
    session.send([unnamed(late), message::sync()].concat());
    assert_eq!(tags(&session.read_until_ready()), "Z");
    assert_eq!(
        stand
            .link
            .database
            .value("select count(*) from clear where note = 'late'"),
        "0"
    );
    is_usable(&mut session, "after the batch");
}

#[test]
fn of_a_copy_with_a_statement_too_long_to_be_read_rows_without_a_value_pass() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("error"));
    stand.fill_with_refused(b"opened");
    let (mut session, mut direct) = (stand.session(), stand.direct());
    let long = |table: &str| {
        let padding = " ".repeat(64 << 10);
        format!("copy (select * from {table}){padding} to stdout (format csv)")
    };
    same(
        &session.query(&long("clear")),
        &direct.query(&long("clear")),
        "nothing sealed",
    );
    assert_eq!(tags(&session.query(&long("sealed"))), "HEZ");
    is_usable(&mut session, "after it");
}

#[test]
fn a_copied_row_over_max_open_row_passes_or_is_refused_and_a_shorter_one_opens() {
    let line = "max_open_row = '100KiB'";
    for (policy, tagged) in [
        ("ciphertext", "HdddcCZ"),
        ("null", "HdEZ"),
        ("error", "HdEZ"),
    ] {
        let chain = Chain::builder().on_refused(policy).server(line);
        let stand = Stand::start(&chain);
        let sealed = literal(&stand.app.seal(b"opened").unwrap());
        let (mut session, mut direct) = (stand.session(), stand.direct());
        let copy = |first: &str| {
            format!(
                "copy (select {first}, null union all select {sealed}, repeat('x', 200000) \
                 union all select {first}, '') to stdout"
            )
        };
        let answer = session.query(&copy(&sealed));
        assert_eq!(tags(&answer), tagged, "{policy}");
        if policy == "ciphertext" {
            same(&answer, &direct.query(&copy(&literal(b"opened"))), policy);
        }
        is_usable(&mut session, policy);
    }
}
