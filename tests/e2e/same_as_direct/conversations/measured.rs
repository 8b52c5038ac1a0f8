//! Conversations that were measured on PostgreSQL 15, because proxies have got them wrong, as far as
//! they do not stand among the others.

use harness::raw::message::{bind, close_statement, describe_portal, execute, parse, sync};

use super::extended::{portal, whole};
use super::{Conversation, Size, Turn, batch, queries, talk};

pub fn conversations() -> Vec<Conversation> {
    let five = "select id, s from rows where id <= 5 order by id";
    vec![
        batch(
            "four times two of five rows, without a Bind between",
            "12DDsDDsDCCZ",
            &[
                parse("", five),
                portal(""),
                execute("", 2),
                execute("", 2),
                execute("", 2),
                execute("", 2),
                sync(),
            ],
        ),
        talk(
            "one that works, one that does not, five that are skipped, and one that works",
            "12DDDDDCEZ12DCZ",
            vec![
                Turn::new(
                    b'Z',
                    &[
                        whole(five),
                        parse("", "selekt"),
                        portal(""),
                        execute("", 0),
                        parse("", "select 1"),
                        portal(""),
                        close_statement(""),
                        sync(),
                    ],
                ),
                Turn::new(b'Z', &[whole("select 2"), sync()]),
            ],
        ),
        queries(
            "printable bytes as they are in escapes",
            "CZTDCZ",
            &[
                "set bytea_output = 'escape'",
                r"select '\x2525012741'::bytea",
            ],
        ),
        queries(
            "base64 in lines",
            "TDCZ",
            &["select encode(decode(repeat('ab', 150), 'hex'), 'base64')"],
        ),
        batch(
            "nested values in binary",
            "12TDCZ",
            &[
                parse(
                    "",
                    r#"select '{"a":1}'::jsonb, '{"a":1}'::json, s, array[b, null], row(b, x),
                        to_jsonb(b), '{}'::bytea[] from rows where id = 2"#,
                ),
                bind("", "", &[], 1),
                describe_portal(""),
                execute("", 0),
                sync(),
            ],
        ),
        queries(
            "two fields that make a row too long",
            "TEZTDCZ",
            &[
                "select repeat('x', 600000000), repeat('x', 600000000)",
                "select s from rows where id = 1",
            ],
        )
        .of_size(Size::Huge),
    ]
}
