//! sqlx: parameters in binary, statements kept and not kept, raw SQL in text, streams, COPY, a pool.

use std::time::Duration;

use contract::{
    CREATE, INSERT, INSERT_RETURNING, Result, Row, SELECT, check, large, lines, read, variable,
    written,
};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow, PgSslMode};
use sqlx::{Acquire, Executor, PgConnection, Row as _};

#[tokio::main]
async fn main() -> Result<()> {
    println!("sqlx 0.9");
    let pool = pool("CHAIN_URL").await?;
    let mut chain = pool.acquire().await?;
    chain.execute(CREATE).await?;
    writes(&mut chain).await?;
    reads(&mut chain).await?;
    transactions(&mut chain).await?;
    copies(&mut chain).await?;
    large_one(&mut chain).await?;
    drop(chain);
    at_once(&pool).await?;
    pool.close().await;
    let direct = self::pool("DIRECT_URL").await?;
    let mut direct = direct.acquire().await?;
    check(
        fetch(&mut direct).await? == written()?,
        "the database has it sealed",
    )
}

async fn pool(variable_name: &str) -> Result<PgPool> {
    let options: PgConnectOptions = variable(variable_name)?.parse()?;
    let options = options
        .ssl_mode(PgSslMode::Disable)
        .options([("statement_timeout", "20s")]);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(20));
    Ok(pool.connect_with(options).await?)
}

async fn fetch(db: &mut PgConnection) -> Result<Vec<Row>> {
    Ok(sqlx::query_as(SELECT).fetch_all(db).await?)
}

/// Writes in a transaction, and has the rows returned.
async fn writes(db: &mut PgConnection) -> Result<()> {
    let mut block = db.begin().await?;
    let mut back: Vec<Row> = Vec::new();
    for (name, sealed, clear) in written()? {
        let query = sqlx::query_as(INSERT_RETURNING);
        let query = query.bind(name).bind(sealed).bind(clear);
        back.push(query.fetch_one(&mut *block).await?);
    }
    block.commit().await?;
    check(back == read()?, "written, returned")
}

/// Reads by statements that are kept and that are not, in text, and as a stream.
async fn reads(db: &mut PgConnection) -> Result<()> {
    for time in ["first", "second"] {
        check(
            fetch(db).await? == read()?,
            &format!("kept, the {time} time"),
        )?;
    }
    let once: Vec<Row> = sqlx::query_as(SELECT)
        .persistent(false)
        .fetch_all(&mut *db)
        .await?;
    check(once == read()?, "not kept")?;
    let streamed: Vec<Row> = sqlx::query_as(SELECT).fetch(&mut *db).try_collect().await?;
    check(streamed == read()?, "a stream")?;
    let found: Vec<PgRow> = sqlx::raw_sql(SELECT).fetch_all(&mut *db).await?;
    let text: Vec<Row> = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect::<Result<_>>()?;
    check(text == read()?, "raw, in text")
}

/// Rolls back a block, and to a savepoint behind an error.
async fn transactions(db: &mut PgConnection) -> Result<()> {
    let mut block = db.begin().await?;
    block.execute("UPDATE cards SET sealed = NULL").await?;
    block.rollback().await?;
    check(fetch(db).await? == read()?, "rolled back")?;
    let mut block = db.begin().await?;
    let mut savepoint = block.begin().await?;
    savepoint.execute("DELETE FROM cards").await?;
    let failed = sqlx::query("SELECT 1 / $1")
        .bind(0)
        .execute(&mut *savepoint)
        .await;
    check(failed.is_err(), "an error behind a savepoint")?;
    savepoint.rollback().await?;
    block.commit().await?;
    check(fetch(db).await? == read()?, "rolled back to a savepoint")
}

/// Copies in; copied out, values open.
async fn copies(db: &mut PgConnection) -> Result<()> {
    db.execute("TRUNCATE cards").await?;
    let mut copy = db.copy_in_raw("COPY cards FROM STDIN").await?;
    copy.send(lines(&written()?).into_bytes()).await?;
    copy.finish().await?;
    check(fetch(db).await? == read()?, "copied in")?;
    let statement = format!("COPY ({SELECT}) TO STDOUT");
    let copied: Vec<_> = db.copy_out_raw(&statement).await?.try_collect().await?;
    check(
        copied.concat() == lines(&read()?).into_bytes(),
        "copied out opened",
    )
}

/// Writes and reads 8 MB.
async fn large_one(db: &mut PgConnection) -> Result<()> {
    let mut block = db.begin().await?;
    let (name, sealed, clear) = large("sealed")?;
    let query = sqlx::query(INSERT).bind(&name).bind(sealed).bind(clear);
    query.execute(&mut *block).await?;
    let query = sqlx::query_as("SELECT * FROM cards WHERE name = $1").bind(&name);
    let found: Row = query.fetch_one(&mut *block).await?;
    check(found == large("plain")?, "large")?;
    block.rollback().await?;
    Ok(())
}

/// Reads in several sessions at once.
async fn at_once(pool: &PgPool) -> Result<()> {
    let queries = (0..12).map(|_| sqlx::query_as(SELECT).fetch_all(pool));
    let found: Vec<Vec<Row>> = try_join_all(queries).await?;
    let read = read()?;
    let same = found.iter().all(|rows| *rows == read);
    check(same, "twelve at once, in a pool of four")
}
