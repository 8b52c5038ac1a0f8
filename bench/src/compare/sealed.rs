//! Results with sealed values, against the same rows in clear through the same chain.

use std::fmt::Write as _;
use std::time::Duration;

use envelope::{Owner, Recipient};
use harness::raw::message;
use harness::{Cluster, Keys};

use super::bulk;
use super::figures::spread;
use super::slice::{processor_time, quantile};
use super::way::{PGSEAL_ZONES, Way};

/// As the ratios have it.
pub const NAME: &str = "sealed";

/// A result of as many values as any other.
#[derive(Clone, Copy)]
struct Table {
    name: &'static str,
    /// The table of the same shape in clear.
    clear: &'static str,
    columns: u32,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Clear,
    /// In batches, each as large as it may be.
    Batches,
    /// Each with an encapsulation of its own.
    Single,
    /// In batches, to a zone whose tag stands in the row.
    Zone,
}

/// Values of each table, of so many bytes in clear.
const VALUES: u32 = 100_000;
const BYTES: usize = 200;

const TABLES: [Table; 7] = [
    table("clear", "clear", 1, How::Clear),
    table("batches", "clear", 1, How::Batches),
    table("single", "clear", 1, How::Single),
    table("ten-clear", "ten-clear", 10, How::Clear),
    table("ten-batches", "ten-clear", 10, How::Batches),
    table("ten-single", "ten-clear", 10, How::Single),
    table("zone", "clear", 1, How::Zone),
];

const fn table(name: &'static str, clear: &'static str, columns: u32, how: How) -> Table {
    Table {
        name,
        clear,
        columns,
        how,
    }
}

/// Formats of a result, by their names.
const FORMATS: [(&str, u16); 2] = [("text", 0), ("binary", 1)];

/// What was measured of one table in one format.
pub struct Row {
    name: String,
    clear: String,
    /// Values a second, and microseconds of processor time of connector and server for each, by round.
    rounds: Vec<[f64; 2]>,
}

/// Reads each table in each format, in turns, as often as there are rounds.
pub fn measure(
    database: &Cluster,
    keys: &Keys,
    pgseal: &Way,
    rounds: u32,
    seconds: u32,
) -> Vec<Row> {
    eprintln!("seal {VALUES} values in several ways");
    prepare(database, keys);
    let zones = Way::pgseal(PGSEAL_ZONES, database, keys, "on");
    let mut rows: Vec<Row> = Vec::new();
    for round in 1..=rounds {
        for (format, code) in FORMATS {
            for table in TABLES {
                let name = format!("{}-{format}", table.name);
                eprintln!("round {round} of {rounds}: {NAME} {name}");
                let way = if table.how == How::Zone {
                    &zones
                } else {
                    pgseal
                };
                let measured = read(table, code, way, seconds);
                match rows.iter_mut().find(|row| row.name == name) {
                    Some(row) => row.rounds.push(measured),
                    None => rows.push(Row {
                        name,
                        clear: format!("{}-{format}", table.clear),
                        rounds: vec![measured],
                    }),
                }
            }
        }
    }
    rows
}

fn read(table: Table, format: u16, way: &Way, seconds: u32) -> [f64; 2] {
    let request = [
        message::parse("", &format!("select * from \"{}\"", table.name)),
        message::bind("", "", &[], format),
        message::describe_portal(""),
        message::execute("", 0),
        message::sync(),
    ]
    .concat();
    let before = processor_time(&way.processes);
    let bulk = bulk::ask(way.port, &request, Duration::from_secs(seconds.into()));
    let cpu = processor_time(&way.processes) - before;
    let values = f64::from(bulk.results) * f64::from(VALUES);
    [values / bulk.seconds, cpu / values * 1e6]
}

fn prepare(database: &Cluster, keys: &Keys) {
    let app = keys.client("app");
    let zone = keys.add_zone(&["app"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    runtime.block_on(async {
        let session = database.connect().await;
        for table in TABLES {
            let recipient = if table.how == How::Zone { &zone } else { &app };
            let values = seal(recipient, table.how);
            let tag = match recipient.owner() {
                Owner::Zone(zone) => format!("'{zone}' as zone, "),
                Owner::Client(_) => String::new(),
            };
            let columns = 1..=table.columns;
            let columns = columns.map(|n| format!("(array_agg(value))[{n}] as value_{n}"));
            let fill = format!(
                "create table \"{}\" as select (n - 1) / {} as id, {tag}{}
                 from unnest($1::bytea[]) with ordinality as it(value, n) group by 1",
                table.name,
                table.columns,
                columns.collect::<Vec<_>>().join(", ")
            );
            let filled = session.execute(&fill, &[&values]).await;
            filled.unwrap_or_else(|error| panic!("filling {}: {error:?}", table.name));
        }
    });
}

fn seal(recipient: &Recipient, how: How) -> Vec<Vec<u8>> {
    let value = [b'x'; BYTES];
    let mut batch = recipient.batch().expect("the system has random numbers");
    let one = |_| match how {
        How::Clear => value.to_vec(),
        How::Single => recipient.seal(&value).expect("it is short"),
        How::Batches | How::Zone => batch.seal(&value).unwrap_or_else(|_| {
            batch = recipient.batch().expect("the system has random numbers");
            batch.seal(&value).expect("the first of many")
        }),
    };
    (0..VALUES).map(one).collect()
}

/// A line for each table and format.
pub fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "| sealed | values a second | processor time of each, µs | rate against the same in clear |\n\
         |---|---:|---:|---:|\n",
    );
    for row in rows {
        let of = |n: usize, digits| spread(row.rounds.iter().map(|it| it[n]).collect(), digits);
        let line = format!(
            "| {} | {} | {} | {} |",
            row.name,
            of(0, 0),
            of(1, 2),
            spread(row.against_clear(rows), 2)
        );
        writeln!(text, "{line}").expect("a text takes every line");
    }
    text
}

/// `sealed/rate/NAME`: the rate against that in clear, the median of the rounds.
pub fn ratios(rows: &[Row]) -> impl Iterator<Item = (String, f64)> {
    rows.iter()
        .filter(|row| row.name != row.clear)
        .filter_map(|row| {
            let ratio = quantile(&mut row.against_clear(rows), 0.5)?;
            Some((format!("{NAME}/rate/{}", row.name), ratio))
        })
}

impl Row {
    fn against_clear(&self, rows: &[Self]) -> Vec<f64> {
        let clear = rows.iter().find(|row| row.name == self.clear);
        let clear = clear.map_or(&[][..], |row| &row.rounds);
        let pairs = self.rounds.iter().zip(clear);
        pairs.map(|([own, _], [clear, _])| own / clear).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_compared_with_that_of_the_same_round() {
        let row = |name: &str, rounds: &[[f64; 2]]| Row {
            name: name.to_owned(),
            clear: "clear-text".to_owned(),
            rounds: rounds.to_vec(),
        };
        let rows = [
            row("clear-text", &[[100.0, 1.0], [200.0, 1.0]]),
            row("single-text", &[[50.0, 9.0], [50.0, 9.0]]),
        ];
        let ratios: Vec<_> = ratios(&rows).collect();
        assert_eq!(ratios, [("sealed/rate/single-text".to_owned(), 0.5)]);
        let text = text(&rows);
        assert!(
            text.contains("| single-text | 50 [50–50] | 9.00 [9.00–9.00] | 0.50 [0.25–0.50] |"),
            "{text}"
        );
    }
}
