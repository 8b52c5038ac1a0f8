//! What the programs here are given, and what they say of their checks: see `../README.md`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

/// Whatever went wrong.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A name, a sealed value, and one that never was.
pub type Row = (String, Option<Vec<u8>>, Option<Vec<u8>>);

/// Makes the table.
pub const CREATE: &str = "CREATE TABLE cards (name text PRIMARY KEY, sealed bytea, clear bytea)";
/// Writes a row.
pub const INSERT: &str = "INSERT INTO cards VALUES ($1, $2, $3)";
/// Writes a row and has it returned.
pub const INSERT_RETURNING: &str = "INSERT INTO cards VALUES ($1, $2, $3) RETURNING *";
/// Reads all rows.
pub const SELECT: &str = "SELECT name, sealed, clear FROM cards ORDER BY name";

/// The rows to be written, as they are stored.
pub fn written() -> Result<Vec<Row>> {
    rows("sealed")
}

/// The same rows as they are read through the chain.
pub fn read() -> Result<Vec<Row>> {
    rows("plain")
}

/// Rows as COPY writes them in its text format; their names hold nothing that it escapes.
pub fn lines(rows: &[Row]) -> String {
    let value = |value: &Option<Vec<u8>>| match value {
        None => r"\N".to_owned(),
        Some(bytes) => bytes
            .iter()
            .fold(r"\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
    };
    let line =
        |(name, sealed, clear): &Row| format!("{name}\t{}\t{}\n", value(sealed), value(clear));
    rows.iter().map(line).collect()
}

/// One more row, of 8 MB: `sealed` or `plain`.
pub fn large(kind: &str) -> Result<Row> {
    row("large", kind)
}

/// A variable that the programs are given.
pub fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

/// Says that something is as it should be, or why not.
pub fn check(passed: bool, what: &str) -> Result<()> {
    if !passed {
        return Err(format!("not so: {what}").into());
    }
    println!("{what}");
    Ok(())
}

fn rows(kind: &str) -> Result<Vec<Row>> {
    let names = ["bytes", "card", "empty", "long"];
    let mut rows = names
        .map(|name| row(name, kind))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    rows.push(("null".to_owned(), None, None));
    Ok(rows)
}

fn row(name: &str, kind: &str) -> Result<Row> {
    let path = PathBuf::from(variable("VALUES")?).join(format!("{name}.{kind}"));
    let value = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((name.to_owned(), Some(value), Some(Vec::new())))
}
