//! Writes a value that only this client's servers open, and reads it back.
//!
//! The value is sealed here, before it leaves the application. Reading is an ordinary SELECT
//! through the connector: the server opens the value on its way back.

use std::process::ExitCode;

use application::{Failure, Options, show};
use clap::Parser;
use envelope::{ClientId, Recipient};

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS test_example_without_zone (
        id SERIAL PRIMARY KEY, data bytea, raw_data text)";

/// Store a sealed value and print what comes back.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"))]
struct Program {
    #[command(flatten)]
    options: Options,
    /// With --public_key: the client whose key that is
    #[arg(long = "client_id", env = "EXAMPLE_CLIENT_ID")]
    client_id: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let program: Program = application::parse();
    let outcome = match &program.options.data {
        _ if program.options.print => program.read().await,
        Some(data) => program.write(data).await,
        None => Err(Failure::nothing_to_do()),
    };
    application::finish::<Program>(outcome)
}

impl Program {
    /// Stores the value sealed and, only to compare when printing, in clear.
    async fn write(&self, data: &str) -> Result<String, Failure> {
        let sealed = self.recipient()?.seal(data.as_bytes())?;
        let client = self.options.connect().await?;
        client.batch_execute(TABLE).await?;
        client
            .execute(
                "INSERT INTO test_example_without_zone (data, raw_data) VALUES ($1, $2)",
                &[&sealed, &data],
            )
            .await?;
        Ok(format!("insert data: {data}\n"))
    }

    /// The table: `data` as the server gives it, `raw_data` as it is stored.
    async fn read(&self) -> Result<String, Failure> {
        let client = self.options.connect().await?;
        let rows = client
            .query(
                "SELECT id, data, raw_data FROM test_example_without_zone ORDER BY id",
                &[],
            )
            .await?;
        let mut lines = line("id", "data", "raw_data");
        for row in rows {
            let id: i32 = row.try_get("id")?;
            let data: Option<Vec<u8>> = row.try_get("data")?;
            let raw_data: Option<&str> = row.try_get("raw_data")?;
            lines += &line(
                &id.to_string(),
                &show(data.as_deref()),
                &show(raw_data.map(str::as_bytes)),
            );
        }
        Ok(lines)
    }

    /// Whom to seal to: the given key, or the client of the connector.
    fn recipient(&self) -> Result<Recipient, Failure> {
        let Some(public_key) = self.options.public_key else {
            return Ok(self.options.api.client()?);
        };
        let Some(id) = &self.client_id else {
            let line = "--public_key needs --client_id, whose key it is";
            return Err(Failure::Usage(line.to_owned()));
        };
        let id: ClientId = id.parse()?;
        Ok(Recipient::new(id.into(), public_key))
    }
}

fn line(id: &str, data: &str, raw_data: &str) -> String {
    format!("{id:<3} - {data:<20} - {raw_data}\n")
}
