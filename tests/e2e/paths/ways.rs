//! The ways to ask PostgreSQL for columns of a table, and what comes back.

use harness::raw::{Message, Session, message};

/// Columns of a table, in the order of its rows.
pub struct Asked<'a> {
    pub columns: &'a str,
    pub table: &'a str,
}

impl Asked<'_> {
    fn select(&self) -> String {
        let Self { columns, table } = self;
        format!("select {columns} from {table} order by id")
    }

    fn copy(&self, options: &str) -> String {
        format!("copy ({}) to stdout {options}", self.select())
    }
}

/// A way to ask.
pub struct Way {
    pub name: &'static str,
    pub ask: fn(&mut Session, &Asked<'_>) -> Vec<Message>,
    /// It says of what types its columns are.
    pub is_typed: bool,
}

const fn typed(name: &'static str, ask: fn(&mut Session, &Asked<'_>) -> Vec<Message>) -> Way {
    Way {
        name,
        ask,
        is_typed: true,
    }
}

const fn untyped(name: &'static str, ask: fn(&mut Session, &Asked<'_>) -> Vec<Message>) -> Way {
    Way {
        is_typed: false,
        ..typed(name, ask)
    }
}

/// All of them but FunctionCall, which answers with one value.
pub const WAYS: [Way; 26] = [
    typed("simple query", |session, asked| {
        session.query(&asked.select())
    }),
    typed("simple query, bytea_output = escape", |session, asked| {
        escaped(session, |session| session.query(&asked.select()))
    }),
    typed("extended, text", |session, asked| {
        session.extended(&asked.select(), 0)
    }),
    typed("extended, text, bytea_output = escape", |session, asked| {
        escaped(session, |session| session.extended(&asked.select(), 0))
    }),
    typed("extended, binary", |session, asked| {
        session.extended(&asked.select(), 1)
    }),
    typed("the statement described, binary", |session, asked| {
        let statement = message::describe_statement("");
        executed(session, asked, &statement, 1, &[0])
    }),
    untyped("never described, text", |session, asked| {
        executed(session, asked, &[], 0, &[0])
    }),
    untyped("never described, escape", |session, asked| {
        escaped(session, |session| executed(session, asked, &[], 0, &[0]))
    }),
    untyped("never described, binary", |session, asked| {
        executed(session, asked, &[], 1, &[0])
    }),
    typed("a portal row by row, text", |session, asked| {
        let portal = message::describe_portal("");
        executed(session, asked, &portal, 0, &[1; 200])
    }),
    typed("a portal by three rows, binary", |session, asked| {
        let portal = message::describe_portal("");
        executed(session, asked, &portal, 1, &[3; 70])
    }),
    typed("FETCH from a cursor", |session, asked| {
        fetched(session, asked, "")
    }),
    typed("FETCH from a binary cursor", |session, asked| {
        fetched(session, asked, "binary")
    }),
    typed("several statements in one query", |session, asked| {
        let select = asked.select();
        session.query(&format!(
            "select 1; {select}; select 'x'::text, 7; {select}"
        ))
    }),
    typed("INSERT … RETURNING", |session, asked| {
        let Asked { columns, table } = asked;
        undone(session, |session| {
            let rows = format!("select * from {table} order by id");
            session.query(&format!("insert into {table} {rows} returning {columns}"))
        })
    }),
    typed("UPDATE … RETURNING, binary", |session, asked| {
        let Asked { columns, table } = asked;
        undone(session, |session| {
            session.extended(
                &format!("update {table} set id = id returning {columns}"),
                1,
            )
        })
    }),
    typed("DELETE … RETURNING", |session, asked| {
        let Asked { columns, table } = asked;
        undone(session, |session| {
            session.extended(&format!("delete from {table} returning {columns}"), 0)
        })
    }),
    untyped("COPY, text", |session, asked| {
        session.query(&asked.copy(""))
    }),
    untyped("COPY, text, bytea_output = escape", |session, asked| {
        escaped(session, |session| session.query(&asked.copy("")))
    }),
    untyped("COPY, text, with options", |session, asked| {
        session.query(&asked.copy("(delimiter ';', null 'x', header)"))
    }),
    untyped("COPY, CSV", |session, asked| {
        session.query(&asked.copy("(format csv)"))
    }),
    untyped("COPY, CSV, with options", |session, asked| {
        let options = "(format csv, delimiter ';', quote '''', escape '\\', header, null 'NULL')";
        session.query(&asked.copy(options))
    }),
    untyped("COPY, CSV, all quoted", |session, asked| {
        session.query(&asked.copy("(format csv, header, force_quote *)"))
    }),
    untyped("COPY, CSV, as before 9.0", |session, asked| {
        session.query(&asked.copy("with delimiter E'\\t' csv header quote '\"' escape ''''"))
    }),
    untyped("COPY, binary", |session, asked| {
        session.query(&asked.copy("(format binary)"))
    }),
    untyped(
        "COPY, extended protocol, among statements",
        |session, asked| {
            let steps = [
                message::parse("", &asked.copy("(format binary)")),
                message::bind("", "", &[], 0),
                message::describe_portal(""),
                message::execute("", 0),
                message::parse("", &asked.copy("")),
                message::bind("", "", &[], 0),
                message::execute("", 0),
                message::parse("", "select 1"),
                message::bind("", "", &[], 0),
                message::execute("", 0),
                message::sync(),
            ];
            session.send(steps.concat());
            session.read_until_ready()
        },
    ),
];

/// With the other text form of `bytea`.
fn escaped(session: &mut Session, ask: impl FnOnce(&mut Session) -> Vec<Message>) -> Vec<Message> {
    session.query("set bytea_output = escape");
    let answer = ask(session);
    session.query("reset bytea_output");
    answer
}

/// In a transaction that is rolled back.
fn undone(session: &mut Session, ask: impl FnOnce(&mut Session) -> Vec<Message>) -> Vec<Message> {
    session.query("begin");
    let answer = ask(session);
    session.query("rollback");
    answer
}

/// By the extended protocol, with so many rows for each Execute, and described as `describe` does.
fn executed(
    session: &mut Session,
    asked: &Asked<'_>,
    describe: &[u8],
    format: u16,
    limits: &[u32],
) -> Vec<Message> {
    let mut batch = message::parse("", &asked.select());
    if describe.get(5) == Some(&b'S') {
        batch.extend(describe);
    }
    batch.extend(message::bind("", "", &[], format));
    if describe.get(5) == Some(&b'P') {
        batch.extend(describe);
    }
    for limit in limits {
        batch.extend(message::execute("", *limit));
    }
    batch.extend(message::sync());
    session.send(batch);
    session.read_until_ready()
}

/// By a cursor, a few rows at first.
fn fetched(session: &mut Session, asked: &Asked<'_>, kind: &str) -> Vec<Message> {
    undone(session, |session| {
        let select = asked.select();
        session.query(&format!("declare c {kind} scroll cursor for {select}"));
        let mut answer = session.query("fetch 3 from c");
        answer.extend(session.query("fetch all from c"));
        answer.extend(session.extended("fetch backward 2 from c", 0));
        answer
    })
}

/// What is to be the same whichever table was asked: without the table's object id, and COPY's data
/// in one piece.
pub fn normal(answer: Vec<Message>) -> Vec<Message> {
    let mut normal: Vec<Message> = Vec::new();
    for mut message in answer {
        match (message.tag, normal.last_mut()) {
            (b'd', Some(last)) if last.tag == b'd' => last.body.extend(message.body),
            (b'T', _) => {
                forget_origins(&mut message.body);
                normal.push(message);
            }
            _ => normal.push(message),
        }
    }
    normal
}

/// Makes every column of a RowDescription one of no table.
fn forget_origins(body: &mut [u8]) {
    let (_, mut columns) = body.split_at_mut(2);
    while let Some(end) = columns.iter().position(|byte| *byte == 0) {
        let (column, rest) = columns.split_at_mut(end + 19);
        column[end + 1..end + 7].fill(0);
        columns = rest;
    }
}
