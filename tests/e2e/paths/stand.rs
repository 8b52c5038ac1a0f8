//! One database with the same rows sealed and clear, and a link to it.

use envelope::Recipient;
use harness::raw::{Session, literal};
use harness::{Chain, Keys, Link};

use super::forms::TYPES;
use super::values::{self, Cells};

/// A link whose client is `app`; tables `sealed` and `clear` with the same rows, `zoned` with those
/// of a zone and `tagged` with those whose tag is in a column, and `lookalike` with rows that stay as
/// they are. `sealed_untagged` and `clear_untagged` are what opens without a column for the tag.
pub struct Stand {
    pub link: Link,
    /// Of each row of `sealed`, whether it has its tag in a column.
    pub tagged: Vec<bool>,
    _keys: Keys,
}

impl Stand {
    pub fn start(on_refused: &str) -> Self {
        let keys = Keys::new();
        let app = keys.add_client("app");
        let zone = keys.add_zone(&["app"]);
        let unknown = Keys::new().add_client("app");
        let strangers = [keys.add_client("other"), keys.add_zone(&["other"]), unknown];
        let chain = Chain::builder().zone_mode("mixed").on_refused(on_refused);
        let link = chain.start_link(&keys);
        let rows = values::rows(&app, &zone);
        link.database.query(&tables(&app, &zone, &strangers));
        Self {
            link,
            tagged: rows.iter().map(|row| !row.tag.is_empty()).collect(),
            _keys: keys,
        }
    }

    /// Sessions through the link, and directly with the database.
    pub fn sessions(&self) -> (Session, Session) {
        let address = self.link.database.address();
        let (mut session, mut direct) = (self.link.address().raw(), address.raw());
        session.start();
        direct.start();
        (session, direct)
    }
}

/// The statements that make the tables.
fn tables(app: &Recipient, zone: &Recipient, strangers: &[Recipient]) -> String {
    let (rows, looks) = (
        values::rows(app, zone),
        values::look_alikes(app, zone, strangers),
    );
    let stored = |cells: fn(&values::Row) -> &Cells| {
        let rows = rows.iter().map(move |row| {
            let (tag, zoned) = (&row.tag, row.zoned);
            format!("'{tag}', {zoned}, false, {}", written(cells(row)))
        });
        rows.collect::<Vec<_>>()
    };
    let looks = looks.iter().map(|look| {
        let refused = look.refused;
        format!("'', false, {refused}, {}", written(&look.cells))
    });
    [
        TYPES,
        &table("sealed", &stored(|row| &row.sealed)),
        &table("clear", &stored(|row| &row.clear)),
        &table("lookalike", &looks.collect::<Vec<_>>()),
        "create view zoned as select * from sealed where zoned;
         create view tagged as select * from sealed where tag <> '';
         create view sealed_untagged as select * from sealed where tag = '';
         create view clear_untagged as select * from clear where tag = '';",
    ]
    .concat()
}

fn table(name: &str, rows: &[String]) -> String {
    let rows = rows
        .iter()
        .enumerate()
        .map(|(id, row)| format!("({id}, {row})"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!(
        "create table {name} (id int, tag text, zoned bool, refused bool, b bytea, t text);
         insert into {name} values {rows};"
    )
}

/// The two cells as SQL has them.
fn written(cells: &Cells) -> String {
    let bytes = cells.bytes.as_deref().map(literal);
    let text = cells.text.as_deref().map(|text| {
        let bytes = literal(text.as_bytes());
        format!("convert_from({bytes}, 'UTF8')")
    });
    [bytes, text]
        .map(|cell| cell.unwrap_or("null".to_owned()))
        .join(", ")
}
