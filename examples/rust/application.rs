//! What both examples share: options, how values are shown, and what goes wrong.
//!
//! Sealing and SQL, which the examples are about, stand in each of them; the connector's API has
//! a file of its own.

pub mod connector;

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{FalseyValueParser, Resettable};
use clap::error::ErrorKind;
use clap::{ArgAction, Parser};
use envelope::{IdError, PublicKey, SealError};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use connector::{Connector, ConnectorError};

/// How an envelope begins.
const ENVELOPE_BEGINS: &[u8] = b"\xf5pgs";

/// The options of both examples. Each can come from a variable, EXAMPLE_…
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Write this value: sealed, and in clear beside it
    #[arg(long, env = "EXAMPLE_DATA")]
    pub data: Option<String>,
    /// Print the table, and write nothing
    #[arg(long, env = "EXAMPLE_PRINT", action = ArgAction::SetTrue,
          value_parser = FalseyValueParser::new())]
    pub print: bool,
    /// The connector's host
    #[arg(long, env = "EXAMPLE_HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// The connector's port
    #[arg(long, env = "EXAMPLE_PORT", default_value_t = 9494,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// The database
    #[arg(long = "db_name", env = "EXAMPLE_DB_NAME", default_value = "test")]
    pub db_name: String,
    /// Its user
    #[arg(long = "db_user", env = "EXAMPLE_DB_USER", default_value = "postgres")]
    pub db_user: String,
    /// The user's password; better as EXAMPLE_DB_PASSWORD
    #[arg(
        long = "db_password",
        env = "EXAMPLE_DB_PASSWORD",
        hide_env_values = true
    )]
    pub db_password: Option<String>,
    /// The connector's API
    #[arg(long, env = "EXAMPLE_API", default_value = "http://127.0.0.1:9191")]
    pub api: Connector,
    /// Seal to this key (base64) and ask no API
    #[arg(long = "public_key", env = "EXAMPLE_PUBLIC_KEY", value_parser = connector::public_key)]
    pub public_key: Option<PublicKey>,
}

/// Why a program ends early: one line that says what to do.
#[derive(Debug)]
pub enum Failure {
    /// Options that do not go together: exit code 2.
    Usage(String),
    /// Work that could not be done: exit code 1.
    Work(String),
}

impl Failure {
    /// Neither to write nor to print.
    pub fn nothing_to_do() -> Self {
        Failure::Usage("give --data=VALUE to write, or --print to read".to_owned())
    }
}

/// Reads the options of a program. The option wins over its variable; an empty variable is none.
pub fn parse<Program: Parser>() -> Program {
    let command = Program::command().mut_args(|arg| {
        let variable = arg.get_env().and_then(env::var_os);
        match variable {
            Some(value) if value.is_empty() => arg.env(Resettable::Reset),
            _ => arg,
        }
    });
    Program::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// Prints what a program found out, or why it could not: exit code 0, 1, or 2 for usage.
pub fn finish<Program: Parser>(outcome: Result<String, Failure>) -> ExitCode {
    let outcome = outcome.and_then(|lines| {
        let mut stdout = io::stdout().lock();
        let printed = stdout
            .write_all(lines.as_bytes())
            .and_then(|()| stdout.flush());
        printed.map_err(|error| Failure::Work(error.to_string()))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(line)) => Program::command()
            .error(ErrorKind::ArgumentConflict, line)
            .exit(),
        Err(Failure::Work(line)) => {
            eprintln!("{}: {line}", Program::command().get_name());
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// Connects to the database through the connector, as to any PostgreSQL.
    pub async fn connect(&self) -> Result<Client, Failure> {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.db_name)
            .user(&self.db_user)
            .connect_timeout(Duration::from_secs(10));
        if let Some(password) = &self.db_password {
            config.password(password);
        }
        let (client, connection) = config.connect(NoTls).await?;
        // Whatever ends the connection comes out of the client's own calls.
        tokio::spawn(connection);
        Ok(client)
    }
}

/// Gives a field as one printable line, whatever the database sent.
pub fn show(value: Option<&[u8]>) -> String {
    let Some(value) = value else {
        return "(null)".to_owned();
    };
    if value.starts_with(ENVELOPE_BEGINS) {
        return format!("(sealed, {} bytes)", value.len());
    }
    match str::from_utf8(value) {
        Ok(line) if !line.contains(char::is_control) => line.to_owned(),
        _ => format!("(not text, {} bytes)", value.len()),
    }
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Failure::Work(match error {
            ConnectorError::Unreachable(..) => {
                format!("{error}; start pgseal-connector, or name its API with --api")
            }
            _ => error.to_string(),
        })
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            return Failure::Work(format!(
                "{error}: {cause}; is it pgseal-connector that --host and --port name?"
            ));
        };
        Failure::Work(match *answer.code() {
            SqlState::UNDEFINED_TABLE => "there is no table yet; write with --data first".into(),
            SqlState::READ_ONLY_SQL_TRANSACTION => {
                "this is a read-only replica; write through the primary's connector".into()
            }
            _ => answer.message().replace(char::is_control, " "),
        })
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        Failure::Work(error.to_string())
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Failure::Usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_it_is_if_it_is_printable_text() {
        assert_eq!(show(Some(b"some data #1")), "some data #1");
        assert_eq!(show(Some("é 漢".as_bytes())), "é 漢");
        assert_eq!(show(Some(b"")), "");
    }

    #[test]
    fn a_value_that_is_no_printable_text_is_named_with_its_length() {
        assert_eq!(show(None), "(null)");
        assert_eq!(show(Some(b"\xf5pgs\x01\x01")), "(sealed, 6 bytes)");
        assert_eq!(show(Some(b"\xff\xfe")), "(not text, 2 bytes)");
        assert_eq!(show(Some(b"two\nlines")), "(not text, 9 bytes)");
        assert_eq!(show(Some("\u{9b}31m".as_bytes())), "(not text, 5 bytes)");
    }
}
