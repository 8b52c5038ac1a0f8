//! The extended protocol: portals, in parts, by turns, and over Sync.

use harness::raw::message::{bind, close_portal, describe_portal, execute, parse, query, sync};

use super::extended::{portal, whole};
use super::{Conversation, Turn, batch, talk};

const NINE: &str = "select id, s from rows order by id";

pub fn portals() -> Vec<Conversation> {
    vec![
        batch(
            "a portal in parts, to its end and beyond",
            "12DDsDDsDDDDDCCZ",
            &[
                parse("", NINE),
                portal(""),
                execute("", 2),
                execute("", 2),
                execute("", 20),
                execute("", 2),
                sync(),
            ],
        ),
        batch(
            "two portals by turns",
            "122TDsTDsDsDDDDDDDDCZ",
            &[
                parse("s", NINE),
                bind("p", "s", &[], 0),
                bind("q", "s", &[], 1),
                describe_portal("p"),
                execute("p", 1),
                describe_portal("q"),
                execute("q", 1),
                execute("p", 1),
                execute("q", 0),
                sync(),
            ],
        ),
        talk(
            "a portal over Sync, in a transaction",
            "CZ12DsZDDsZCZEZ",
            vec![
                Turn::new(b'Z', &[query("begin")]),
                Turn::new(
                    b'Z',
                    &[parse("", NINE), portal("p"), execute("p", 1), sync()],
                ),
                Turn::new(b'Z', &[execute("p", 2), sync()]),
                Turn::new(b'Z', &[query("commit")]),
                Turn::new(b'Z', &[execute("p", 1), sync()]),
            ],
        ),
        talk(
            "a portal over Sync, in autocommit",
            "12DsZEZ",
            vec![
                Turn::new(
                    b'Z',
                    &[parse("", NINE), portal("p"), execute("p", 1), sync()],
                ),
                Turn::new(b'Z', &[execute("p", 2), sync()]),
            ],
        ),
        talk(
            "a portal that is a cursor of SQL",
            "CZ12DsZTDDCZCZ",
            vec![
                Turn::new(b'Z', &[query("begin")]),
                Turn::new(
                    b'Z',
                    &[parse("", NINE), portal("p"), execute("p", 1), sync()],
                ),
                Turn::new(b'Z', &[query("fetch 2 from p")]),
                Turn::new(b'Z', &[query("commit")]),
            ],
        ),
        batch(
            "a cursor of SQL that is a portal",
            "12C12C12DCTDsZ",
            &[
                whole("begin"),
                whole("declare c cursor for select s from rows"),
                parse("", "fetch 1 from c"),
                portal(""),
                execute("", 0),
                describe_portal("c"),
                execute("c", 1),
                sync(),
            ],
        ),
        batch(
            "a portal made twice",
            "12EZ",
            &[
                parse("", NINE),
                portal("p"),
                portal("p"),
                execute("p", 0),
                sync(),
            ],
        ),
        batch(
            "a closed portal",
            "123EZ",
            &[
                parse("", NINE),
                portal("p"),
                close_portal("p"),
                execute("p", 0),
                sync(),
            ],
        ),
    ]
}
