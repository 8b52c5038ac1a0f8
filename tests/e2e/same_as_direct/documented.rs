//! The documents of the protocol: they leave out no message, and name no test that is not there.

use std::collections::BTreeSet;
use std::fs;

use harness::root;

use super::message_types::{FROM_APP, FROM_DB};

/// Traps that a server before one database cannot fall into.
const NOT_CONCERNED: [usize; 3] = [48, 49, 50];
const TRAPS: usize = 57;
/// Traps of which a part is a line of what is not supported.
const MOST_LINES: usize = 8;

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words in the first column of the tables of these sections.
fn named<'a>(document: &'a str, sections: &[&str]) -> BTreeSet<&'a str> {
    let parts = document.split("\n## ");
    let parts = parts.filter(|part| sections.iter().any(|section| part.starts_with(section)));
    let rows = parts
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix('|'));
    let cells = rows.filter_map(|row| row.split('|').next());
    cells
        .flat_map(|cell| cell.split(|letter: char| !letter.is_alphanumeric()))
        .collect()
}

/// What a document of traps says of one of them.
struct Trap {
    number: usize,
    is_concerned: bool,
    tests: Vec<Link>,
    lines: usize,
}

struct Link {
    name: String,
    path: String,
}

/// A row: `| number | trap | here | [name](path), … |`.
fn trap(row: &str) -> Option<Trap> {
    let cells: Vec<_> = row.strip_prefix("| ")?.split(" | ").collect();
    let number = cells.first()?.parse().ok()?;
    let links = cells
        .get(3)
        .copied()
        .unwrap_or_default()
        .split("](")
        .collect::<Vec<_>>();
    let links = links.windows(2).map(|pair| Link {
        name: pair[0].rsplit('[').next().unwrap_or_default().to_owned(),
        path: pair[1].split(')').next().unwrap_or_default().to_owned(),
    });
    let (tests, lines): (Vec<_>, Vec<_>) = links.partition(|link| link.path.starts_with("../"));
    Some(Trap {
        number,
        is_concerned: !cells.get(2)?.starts_with("Not concerned: "),
        tests,
        lines: lines.len(),
    })
}

/// Whether the file has this test, or this conversation.
fn is_there(link: &Link, text: &str) -> bool {
    if let Some(test) = link
        .name
        .strip_prefix('`')
        .and_then(|name| name.strip_suffix('`'))
    {
        let head = format!("fn {test}(");
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        return lines.iter().enumerate().any(|(at, line)| {
            let attributes = lines[..at]
                .iter()
                .rev()
                .take_while(|line| line.starts_with('#'));
            let is_test = |line: &str| line.contains("[test") || line.contains("[tokio::test");
            line.contains(&head) && attributes.copied().any(is_test)
        });
    }
    let quoted = link
        .name
        .strip_prefix('“')
        .and_then(|name| name.strip_suffix('”'));
    quoted.is_some_and(|name| text.contains(&format!("\"{name}\"")))
}

#[test]
fn the_document_of_the_protocol_leaves_out_no_message() {
    let document = read("docs/protocol.md");
    for (types, sections) in [
        (
            FROM_APP,
            ["Start-up", "From the application to the database"],
        ),
        (
            FROM_DB,
            ["Start-up", "From the database to the application"],
        ),
    ] {
        let named = named(&document, &sections);
        let missing: Vec<_> = types
            .iter()
            .filter(|(name, _)| !named.contains(name))
            .collect();
        assert!(missing.is_empty(), "{sections:?}: {missing:?}");
    }
    assert!(!named(&document, &["From the application to the database"]).contains("DataRow"));
}

#[test]
fn every_known_trap_has_tests_that_are_there() {
    let document = read("docs/known-traps.md");
    let traps: Vec<_> = document.lines().filter_map(trap).collect();
    let numbers: Vec<_> = traps.iter().map(|trap| trap.number).collect();
    assert_eq!(numbers, (1..=TRAPS).collect::<Vec<_>>());
    for trap in &traps {
        let number = trap.number;
        assert_eq!(
            trap.is_concerned,
            !NOT_CONCERNED.contains(&number),
            "trap {number}"
        );
        assert_eq!(trap.is_concerned, !trap.tests.is_empty(), "trap {number}");
        for link in &trap.tests {
            let path = link.path.trim_start_matches("../");
            assert!(
                is_there(link, &read(path)),
                "trap {number}: {} in {path}",
                link.name
            );
        }
    }
    assert!(traps.iter().filter(|trap| trap.lines > 0).count() <= MOST_LINES);
}

#[test]
fn a_test_or_a_conversation_that_is_not_there_is_missed() {
    let text = "#[test]\nfn one() {}\n\nfn two() {}\n\n    queries(\"three\", \"Z\")";
    let found = |name: &str| {
        let link = Link {
            name: name.to_owned(),
            path: String::new(),
        };
        is_there(&link, text)
    };
    assert!(found("`one`") && found("“three”"));
    assert!(
        !found("`two`") && !found("`on`") && !found("`three`") && !found("“one”") && !found("one")
    );
}
