//! The examples of `docs/paths.md`, run as they stand there.

use std::fs;

use envelope::armor;
use harness::raw::literal;
use harness::{Chain, Keys, psql_program, root};

/// Each block of SQL, and the text behind it.
fn examples(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```sql\n").skip(1);
    let example = |block: &'_ str| -> Option<(usize, usize, usize)> {
        let sql = block.find("```")?;
        let text = sql + block[sql..].find("```text\n")? + "```text\n".len();
        Some((sql, text, text + block[text..].find("```")?))
    };
    let parts = blocks.map(|block| {
        let (sql, text, end) = example(block).expect("SQL with a result behind it");
        (&block[..sql], &block[text..end])
    });
    parts.collect()
}

#[test]
fn the_documented_examples_answer_as_the_page_says() {
    let page = fs::read_to_string(root().join("docs/paths.md")).unwrap();
    let examples = examples(&page);
    assert_eq!(examples.len(), 4);

    let keys = Keys::new();
    let app = keys.add_client("app");
    let link = Chain::builder().start_link(&keys);
    let cards = [("4111", "Grace Hopper"), ("4242", "Ada \"A.\" Byron")];
    let rows = (1..).zip(cards).map(|(id, (number, holder))| {
        let number = literal(&app.seal(number.as_bytes()).unwrap());
        let holder = armor(&app.seal(holder.as_bytes()).unwrap());
        format!("({id}, {number}, '{holder}')")
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    link.database.query(&format!(
        "create table cards (id int, number bytea, holder text); insert into cards values {rows}"
    ));
    for (sql, expected) in examples {
        let psql = psql_program(&link.address().conninfo(), ["-q"]).input(sql);
        assert_eq!(psql.run().success(), expected, "{sql}");
    }
}
