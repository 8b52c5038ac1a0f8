//! tokio-postgres: prepared statements in binary, pipelined, portals, simple queries in text, COPY.

use std::io::Cursor;
use std::time::Duration;

use contract::{
    CREATE, INSERT, INSERT_RETURNING, Result, Row, SELECT, check, large, lines, read, variable,
    written,
};
use futures_util::future::{join3, try_join_all};
use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

#[tokio::main]
async fn main() -> Result<()> {
    println!("tokio-postgres 0.7");
    let mut chain = connect("CHAIN_URL").await?;
    chain.batch_execute(CREATE).await?;
    pipelined(&chain).await?;
    reads(&chain).await?;
    simple(&chain).await?;
    transactions(&mut chain).await?;
    copies(&chain).await?;
    large_one(&mut chain).await?;
    let direct = connect("DIRECT_URL").await?;
    check(
        fetch(&direct).await? == written()?,
        "the database has it sealed",
    )
}

async fn connect(variable_name: &str) -> Result<Client> {
    let mut config: Config = variable(variable_name)?.parse()?;
    config.connect_timeout(Duration::from_secs(20));
    config.options("-c statement_timeout=20s");
    let (client, connection) = config.connect(NoTls).await?;
    // Its error reaches the client as the failure of what was asked.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn rows(rows: &[tokio_postgres::Row]) -> Result<Vec<Row>> {
    let rows = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    rows.collect()
}

async fn fetch(client: &Client) -> Result<Vec<Row>> {
    rows(&client.query(SELECT, &[]).await?)
}

/// Sends statements that are polled together without waiting, one that fails among them.
async fn pipelined(client: &Client) -> Result<()> {
    let insert = client.prepare(INSERT_RETURNING).await?;
    let written = written()?;
    let inserts = written
        .iter()
        .map(async |(name, sealed, clear)| client.query_one(&insert, &[name, sealed, clear]).await);
    let back = rows(&try_join_all(inserts).await?)?;
    check(back == read()?, "pipelined, returned")?;
    let select = client.prepare(SELECT).await?;
    let divide = client.prepare("SELECT 1 / $1::int").await?;
    let (before, error, behind) = join3(
        client.query(&select, &[]),
        client.query(&divide, &[&0]),
        client.query(&select, &[]),
    )
    .await;
    check(rows(&before?)? == read()?, "pipelined, before an error")?;
    let code = error.err().and_then(|error| error.code().cloned());
    check(
        code == Some(SqlState::DIVISION_BY_ZERO),
        "pipelined, the error",
    )?;
    check(rows(&behind?)? == read()?, "pipelined, behind the error")
}

/// Reads whole results and streams, of statements prepared by name and not.
async fn reads(client: &Client) -> Result<()> {
    check(fetch(client).await? == read()?, "a query")?;
    let statement = client.prepare(SELECT).await?;
    let stream = client.query_raw(&statement, Vec::<String>::new()).await?;
    let streamed: Vec<_> = stream.try_collect().await?;
    check(rows(&streamed)? == read()?, "a stream")?;
    let found = client.query_typed(SELECT, &[]).await?;
    check(rows(&found)? == read()?, "a statement without a name")
}

/// Reads by the simple protocol, which is text, in a batch of statements.
async fn simple(client: &Client) -> Result<()> {
    for form in ["hex", "escape"] {
        let sql = format!("SET bytea_output = {form}; SELECT 1; {SELECT}; RESET bytea_output");
        let messages = client.simple_query(&sql).await?;
        let found = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) if row.len() == 3 => Some((row.get(0), row.get(1))),
            _ => None,
        });
        let expected = read()?;
        let card = expected.get(1).and_then(|(_, card, _)| card.clone());
        let card = String::from_utf8(card.unwrap_or_default())?;
        let card = match form {
            "hex" => card
                .bytes()
                .fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
            _ => card,
        };
        let found: Vec<_> = found.collect();
        check(
            found.len() == expected.len(),
            &format!("simple, {form}, all rows"),
        )?;
        check(
            found.contains(&(Some("card"), Some(&card))),
            &format!("simple, {form}"),
        )?;
        check(
            found.contains(&(Some("null"), None)),
            &format!("simple, {form}, NULL"),
        )?;
    }
    Ok(())
}

/// Rolls back a block, and to a savepoint; fetches from portals in pieces.
async fn transactions(client: &mut Client) -> Result<()> {
    let block = client.transaction().await?;
    block.execute("UPDATE cards SET sealed = NULL", &[]).await?;
    block.rollback().await?;
    check(fetch(client).await? == read()?, "rolled back")?;
    let mut block = client.transaction().await?;
    let savepoint = block.savepoint("before").await?;
    savepoint.execute("DELETE FROM cards", &[]).await?;
    let error = savepoint.batch_execute("SELECT 1 / 0").await.is_err();
    check(error, "an error behind a savepoint")?;
    savepoint.rollback().await?;
    let portal = block.bind(SELECT, &[]).await?;
    let mut found = Vec::new();
    for count in [2, 1, 0] {
        found.extend(rows(&block.query_portal(&portal, count).await?)?);
    }
    check(found == read()?, "a portal, in pieces")?;
    block.commit().await?;
    check(
        fetch(client).await? == read()?,
        "rolled back to a savepoint",
    )
}

/// Copies in; copied out, values open.
async fn copies(client: &Client) -> Result<()> {
    let (written, read) = (written()?, read()?);
    client.execute("TRUNCATE cards", &[]).await?;
    let sink = client.copy_in("COPY cards FROM STDIN").await?;
    let mut sink = std::pin::pin!(sink);
    sink.send(Cursor::new(lines(&written))).await?;
    let count = sink.finish().await?;
    check(usize::try_from(count)? == written.len(), "copied in")?;
    check(fetch(client).await? == read, "read what was copied in")?;
    let copied: Vec<_> = client
        .copy_out(&format!("COPY ({SELECT}) TO STDOUT"))
        .await?
        .try_collect()
        .await?;
    check(
        copied.concat() == lines(&read).into_bytes(),
        "copied out opened",
    )
}

/// Writes and reads 8 MB.
async fn large_one(client: &mut Client) -> Result<()> {
    let block = client.transaction().await?;
    let (name, sealed, clear) = large("sealed")?;
    block.execute(INSERT, &[&name, &sealed, &clear]).await?;
    let query = "SELECT * FROM cards WHERE name = $1";
    let found = rows(&block.query(query, &[&name]).await?)?;
    check(found == [large("plain")?], "large")?;
    block.rollback().await?;
    Ok(())
}
