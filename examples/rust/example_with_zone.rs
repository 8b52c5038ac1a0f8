//! Writes a value that opens only beside the id of its zone, and reads it back.
//!
//! The value is sealed here, to the zone's public key. The server opens it on its way back if the
//! row names the zone before it: here a literal in the select list does.

use std::process::ExitCode;

use application::connector::ConnectorError;
use application::{Failure, Options, show};
use clap::Parser;
use envelope::{Recipient, ZoneId};

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS test_example_with_zone (
        id SERIAL PRIMARY KEY, zone_id text, data bytea, raw_data text)";

/// Store a value sealed to a zone and print it.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"))]
struct Program {
    #[command(flatten)]
    options: Options,
    /// The zone: to print with, or to write to
    #[arg(long = "zone_id", env = "EXAMPLE_ZONE_ID")]
    zone_id: Option<String>,
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
        let zone = self.recipient()?;
        let sealed = zone.seal(data.as_bytes())?;
        let client = self.options.connect().await?;
        client.batch_execute(TABLE).await?;
        client
            .execute(
                "INSERT INTO test_example_with_zone (zone_id, data, raw_data)
                 VALUES ($1, $2, $3)",
                &[&zone.owner().id(), &sealed, &data],
            )
            .await?;
        Ok(format!("data: {data}\nzone: {}\n", zone.owner().id()))
    }

    /// The table, tagged with one zone: values of other zones stay sealed.
    async fn read(&self) -> Result<String, Failure> {
        let Some(tag) = &self.zone_id else {
            let line = "--print needs --zone_id, as --data printed it";
            return Err(Failure::Usage(line.to_owned()));
        };
        let client = self.options.connect().await?;
        // The tag stands before the data. The column zone_id stands after it, where it is no tag,
        // so that --zone_id alone says what opens.
        let rows = client
            .query(
                "SELECT id, $1::text, data, raw_data, zone_id
                 FROM test_example_with_zone ORDER BY id",
                &[tag],
            )
            .await?;
        let mut lines = format!("use zone_id:  {tag}\n");
        lines += &line("id", "zone", "data", "raw_data");
        for row in rows {
            let id: i32 = row.try_get("id")?;
            let data: Option<Vec<u8>> = row.try_get("data")?;
            let raw_data: Option<&str> = row.try_get("raw_data")?;
            let zone_id: Option<&str> = row.try_get("zone_id")?;
            lines += &line(
                &id.to_string(),
                &show(zone_id.map(str::as_bytes)),
                &show(data.as_deref()),
                &show(raw_data.map(str::as_bytes)),
            );
        }
        Ok(lines)
    }

    /// Whom to seal to: the given key, the given zone, or a new one.
    fn recipient(&self) -> Result<Recipient, Failure> {
        let id: Option<ZoneId> = self.zone_id.as_deref().map(str::parse).transpose()?;
        match (self.options.public_key, id) {
            (Some(public_key), Some(id)) => Ok(Recipient::new(id.into(), public_key)),
            (Some(_), None) => {
                let line = "--public_key needs --zone_id, whose key it is";
                Err(Failure::Usage(line.to_owned()))
            }
            (None, Some(id)) => Ok(self.options.api.zone(&id)?),
            (None, None) => self.options.api.new_zone().map_err(not_allowed),
        }
    }
}

/// Says where zones are allowed, if it was that.
fn not_allowed(error: ConnectorError) -> Failure {
    match error {
        ConnectorError::Refused { .. } => Failure::Work(format!(
            "{error}; allow zones (local_api.zones = true at the connector, and \
             pgseal-keymaker client add ID --create-zones), or give a --zone_id"
        )),
        _ => error.into(),
    }
}

fn line(id: &str, zone: &str, data: &str, raw_data: &str) -> String {
    format!("{id:<3} - {zone} - {data} - {raw_data}\n")
}
