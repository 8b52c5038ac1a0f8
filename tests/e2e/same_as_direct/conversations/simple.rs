//! The simple protocol, and values of many kinds.

use harness::raw::message::{bind, describe_portal, execute, parse, sync};

use super::{Conversation, Size, batch, queries};

pub fn statements() -> Vec<Conversation> {
    vec![
        queries("a query", "TDCZ", &["select 1"]),
        queries("several statements", "TDCTDCZ", &["select 1; ; select 2"]),
        queries("an empty query", "IZ", &[""]),
        queries("nothing but semicolons", "IZ", &[" ;; "]),
        queries(
            "values in several statements",
            "TDCTDDCTCTDCZ",
            &[
                "select s from rows where id = 1; select x, s, id from rows where id in (2, 3); \
               select s from rows where false; select id, s, s from rows where id = 4",
            ],
        ),
        queries(
            "values and then an error",
            "TDDEZTDCZ",
            &[
                "select s, 1 / (3 - id) from rows",
                "select s from rows where id = 4",
            ],
        ),
        queries(
            "a row without columns",
            "TDDCZ",
            &["select from generate_series(1, 2)"],
        ),
        queries("no rows", "TCZ", &["select 1 where false"]),
        queries(
            "rows and then an error",
            "TDDEZ",
            &["select 1 / (3 - x) from generate_series(1, 5) x"],
        ),
        queries(
            "an error between statements",
            "TDCEZTDCZ",
            &["select 1; select 1 / 0; select 2", "select 3"],
        ),
        queries(
            "a transaction that fails",
            "CZTDCZEZEZCZ",
            &[
                "begin",
                "select 1",
                "select nonsense",
                "select 2",
                "rollback",
            ],
        ),
        queries(
            "a transaction in one query",
            "CTDCCZ",
            &["begin; select 1; commit"],
        ),
        queries(
            "an implicit transaction",
            "CEZTDCZ",
            &[
                "insert into target values (77); select 1 / 0",
                "select count(*) from target where id = 77",
            ],
        ),
        queries(
            "a parameter that changes",
            "TDCCTDCSZ",
            &["select 1; set datestyle = 'SQL, DMY'; select 2"],
        ),
        queries(
            "a binary cursor",
            "CCTDDCTDCCZ",
            &[
                "begin; declare c binary cursor for select id, x, s from rows; \
               fetch 2 from c; fetch 1 from c; commit",
            ],
        ),
        queries(
            "a cursor held",
            "CCCZTDDCZCZ",
            &[
                "begin; declare c cursor with hold for select s from rows; commit",
                "fetch 2 from c",
                "close c",
            ],
        ),
        queries(
            "a prepared statement of SQL",
            "CZTDCZCZEZ",
            &[
                "prepare s as select $1::bytea",
                r"execute s('\x0102')",
                "deallocate s",
                "execute s('')",
            ],
        ),
        queries(
            "a timeout in the middle of a result",
            "CZTDDDEZTDCZ",
            &[
                "set statement_timeout = 100",
                "select case when x < 4 then 'x' else pg_sleep(60)::text end \
                 from generate_series(1, 5) x",
                "select 1",
            ],
        ),
    ]
}

pub fn values() -> Vec<Conversation> {
    let columns = vec!["''::bytea"; 1600].join(",");
    let in_binary = |sql| {
        [
            parse("", sql),
            bind("", "", &[], 1),
            describe_portal(""),
            execute("", 0),
            sync(),
        ]
    };
    vec![
        queries(
            "values of many types",
            "TDCZ",
            &[
                r#"select 1, 'x', null, ''::bytea, '\x25250141'::bytea, '{1,2}'::int[], '{"a":1}'::jsonb, 1.5"#,
            ],
        ),
        queries(
            "bytea as escapes",
            "CZTDCZ",
            &[
                "set bytea_output = 'escape'",
                r"select '\x25250141'::bytea, s from rows where id = 1",
            ],
        ),
        queries(
            "bytea within other values",
            "TDCZ",
            &[
                "select array[b, null], row(b, x), to_jsonb(b), encode(b, 'base64') \
               from rows where id = 2",
            ],
        ),
        queries(
            "what almost is an envelope",
            "TDCZ",
            &["select 'pgs'::bytea, repeat('pgseal', 100)::bytea, '%%%%%%%%'::bytea, '[]'::bytea"],
        ),
        queries(
            "a row longer than a chunk",
            "TDCZ",
            &["select repeat('x', 200000), decode(repeat('25', 200000), 'hex')"],
        )
        .of_size(Size::Long),
        queries(
            "as many columns as there can be",
            "TDCZ",
            &[&format!("select {columns}")],
        )
        .of_size(Size::Long),
        queries(
            "another encoding",
            "CSZTDCZ",
            &[
                "set client_encoding = 'latin1'",
                "select U&'n\\00e4mlich', '\\xe4'::bytea, s from rows where id = 1",
            ],
        ),
        batch(
            "results in binary",
            "12TDDDCZ",
            &in_binary("select id, x, s, null, array[b], row(b, x) from rows limit 3"),
        ),
        batch(
            "a long row in binary",
            "12TDCZ",
            &in_binary("select decode(repeat('25', 200000), 'hex')"),
        )
        .of_size(Size::Long),
    ]
}
