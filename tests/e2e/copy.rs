//! What leaves the database otherwise than in rows: data of COPY, in each of its formats, reads as the
//! same COPY of clear data; and so does a function's result.

mod refused;

use envelope::Recipient;
use harness::raw::{Message, Session, literal, message, tags};
use harness::{Chain, ChainBuilder, Keys, Link};

/// A link to a database with two tables that are alike, but that the values of one are sealed.
struct Stand {
    link: Link,
    app: Recipient,
    zone: Recipient,
    _keys: Keys,
}

impl Stand {
    fn start(chain: &ChainBuilder) -> Self {
        let keys = Keys::new();
        let app = keys.add_client("app");
        let zone = keys.add_zone(&["app"]);
        let link = chain.start_link(&keys);
        Self {
            link,
            app,
            zone,
            _keys: keys,
        }
    }

    /// Fills `sealed` and `clear` with rows of these values, as SQL.
    fn fill(&self, rows: &[[String; 2]]) {
        let mut direct = self.direct();
        for (name, which) in [("sealed", 0), ("clear", 1)] {
            let columns = "(id serial, zone text, value bytea, note text)";
            direct.query(&format!("create table {name} {columns}"));
            for row in rows {
                let row = &row[which];
                let insert = format!("insert into {name} (zone, value, note) values ({row})");
                assert_eq!(tags(&direct.query(&insert)), "CZ", "{insert}");
            }
        }
    }

    /// With values of the client and of the zone, and such as have to be quoted or escaped.
    fn fill_with_samples(&self) {
        let tag = self.zone.owner().id();
        let values: [&[u8]; 6] = [
            b"4000 0012 3456 7899",
            b"",
            b"a,b;\"c\"|'d'\\e\tf\ng\r",
            b"\\N",
            &[0, 1, 0xff, 0xfe],
            &[b'x'; 3000],
        ];
        let notes = [
            "null",
            "''",
            "'a,b;c|d'",
            "'say \"it\" \\ ''so'''",
            "E'1\\n2\\t3'",
            "'é\\.'",
        ];
        let mut rows = Vec::new();
        for (value, note) in values.into_iter().zip(notes) {
            let row = |zone: &str, value: &[u8]| format!("{zone}, {}, {note}", literal(value));
            let around = |inner: &[u8]| [b"<,\"".as_slice(), inner, b"\">"].concat();
            let sealed = self.app.seal(value).unwrap();
            rows.push([row("null", &sealed), row("null", value)]);
            rows.push([row("'x'", &around(&sealed)), row("'x'", &around(value))]);
            let sealed = self.zone.seal(value).unwrap();
            let zone = format!("'{tag}'");
            rows.push([row(&zone, &sealed), row(&zone, value)]);
        }
        let same = format!("'none', null, '{tag}'");
        rows.push([same.clone(), same]);
        self.fill(&rows);
    }

    fn session(&self) -> Session {
        let mut session = self.link.address().raw();
        session.start();
        session
    }

    fn direct(&self) -> Session {
        let mut session = self.link.database.address().raw();
        session.start();
        session
    }
}

/// Ways to write a COPY of a table's columns.
const COPIES: [&str; 15] = [
    "copy TABLE to stdout",
    "copy TABLE to stdout with (format text, delimiter '|', null '', header)",
    "copy (select * from TABLE order by id) to stdout with delimiter ',' null 'none'",
    "copy TABLE to stdout (format csv)",
    "COPY TABLE TO STDOUT CSV HEADER",
    "copy TABLE to stdout (format csv, delimiter ';', quote '''', escape '\\', null 'NULL')",
    "copy TABLE to stdout csv quote as 'f' escape as '7'",
    "copy TABLE to stdout (format csv, delimiter '7')",
    "copy TABLE to stdout (format csv, force_quote *)",
    "copy TABLE to stdout (format csv, header, force_quote (value, id))",
    "copy TABLE (note, zone, value) to stdout (format csv, force_quote (value))",
    "copy TABLE to stdout with csv force quote note",
    "copy TABLE (zone, value) to stdout (format csv, force_quote (zone), null 'x')",
    "copy TABLE to stdout (format binary)",
    "copy binary TABLE to stdout",
];

fn copy(sql: &str, table: &str) -> String {
    sql.replace("TABLE", table)
}

#[test]
fn every_way_to_copy_reads_as_that_of_clear_data_and_nothing_else_changes() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("error"));
    stand.fill_with_samples();
    let (mut session, mut direct) = (stand.session(), stand.direct());
    for output in ["hex", "escape"] {
        for session in [&mut session, &mut direct] {
            session.query(&format!("set bytea_output = {output}"));
        }
        for sql in COPIES {
            let (sealed, clear) = (copy(sql, "sealed"), copy(sql, "clear"));
            // In the simple protocol and in the extended one, among others and alone.
            let several =
                |copy: &str| format!("select 1; {copy}; copy (select 2) to stdout csv; {copy}");
            let expected = direct.query(&several(&clear));
            same(&session.query(&several(&sealed)), &expected, &sealed);
            same(
                &session.extended(&sealed, 0),
                &direct.extended(&clear, 0),
                &sealed,
            );
        }
    }
}

#[track_caller]
fn same(answer: &[Message], expected: &[Message], case: &str) {
    assert_eq!(tags(answer), tags(expected), "{case}");
    for (answer, expected) in answer.iter().zip(expected) {
        let (answer, expected) = (answer.bytes(), expected.bytes());
        assert!(
            answer == expected,
            "{case}\n{}\nand not\n{}",
            answer.escape_ascii(),
            expected.escape_ascii()
        );
    }
}

#[test]
fn a_prepared_copy_opens_as_often_as_it_is_executed() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("error"));
    stand.fill_with_samples();
    let mut session = stand.session();
    let run = |name: &str| [message::bind("", name, &[], 0), message::execute("", 0)].concat();
    let both = |session: &mut Session, table: &str| {
        let [csv, text] = [5, 0].map(|index: usize| copy(COPIES[index], table));
        let define = [message::parse("c", &csv), message::parse("t", &text)].concat();
        session.send([define, run("c"), run("t"), run("c"), message::sync()].concat());
        session.read_until_ready()
    };
    let expected = both(&mut stand.direct(), "clear");
    same(&both(&mut session, "sealed"), &expected, "prepared");
}

#[test]
fn backslashes_in_a_statement_are_read_as_the_session_reads_them() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("error"));
    stand.fill_with_samples();
    let (mut session, mut direct) = (stand.session(), stand.direct());
    let sql = r"select 'a\'; '; copy TABLE to stdout (format csv, delimiter ';', quote '\'')";
    for session in [&mut session, &mut direct] {
        session.query("set standard_conforming_strings = off; set escape_string_warning = off");
    }
    let expected = direct.query(&copy(sql, "clear"));
    assert!(tags(&expected).starts_with("TDCHd"), "{}", tags(&expected));
    same(&session.query(&copy(sql, "sealed")), &expected, sql);
}

#[test]
fn a_long_copy_streams_in_bounded_memory() {
    const ROWS: usize = 40_000;
    let stand = Stand::start(&Chain::builder());
    let sealed = literal(&stand.app.seal(b"opened").unwrap());
    let mut session = stand.session();
    session.query("select 1");
    let server = stand.link.server.process();
    let before = server.peak_memory();
    for options in ["", " (format csv)", " (format binary)"] {
        session.send(message::query(&format!(
            "copy (select {sealed}, repeat('x', 1000) from generate_series(1, {ROWS})) to stdout{options}"
        )));
        let (mut rows, mut bytes) = (0, 0);
        loop {
            let message = session.read().unwrap();
            match message.tag {
                b'd' => {
                    rows += 1;
                    bytes += message.body.len();
                }
                b'Z' => break,
                _ => {}
            }
        }
        // Binary has its end in a message of its own.
        assert!(rows == ROWS || rows == ROWS + 1, "{options}: {rows}");
        assert!(
            bytes < ROWS * 1050,
            "{options}: {bytes}: sealed it is longer"
        );
    }
    let grown = server.peak_memory() - before;
    assert!(grown < 8 << 20, "{grown} bytes more than before");
}

#[test]
fn a_functions_result_opens_by_a_tag_of_its_own_alone() {
    let stand = Stand::start(&Chain::builder().zone_mode("mixed").on_refused("ciphertext"));
    let (mut session, mut direct) = (stand.session(), stand.direct());
    let zoned = stand.zone.seal(b"in a zone").unwrap();
    let tag = format!("[{}]", stand.zone.owner().id());
    for (name, value, opens) in [
        ("of_client", stand.app.seal(b"in a zone").unwrap(), true),
        ("tagged", [tag.as_bytes(), &zoned].concat(), true),
        ("untagged", zoned, false),
    ] {
        let create = |name: &str, value: &[u8]| {
            format!(
                "create function {name}() returns bytea language sql as $$ select {} $$",
                literal(value)
            )
        };
        direct.query(&create(name, &value));
        direct.query(&create(&format!("{name}_clear"), b"in a zone"));
        let mut call = |session: &mut Session, name: &str| {
            let oid = format!("select '{name}'::regproc::oid");
            let oid = stand.link.database.value(&oid).parse().unwrap();
            session.send(message::function_call(oid, &[]));
            session.read_until_ready()
        };
        let expected = match opens {
            true => call(&mut direct, &format!("{name}_clear")),
            false => call(&mut direct, name),
        };
        same(&call(&mut session, name), &expected, name);
    }
}
