//! Makes and manages pgseal's keys, zones, clients, certificates and live settings.
//!
//! The only program that makes key pairs for operators and the only one that signs certificates.
//! Each command is a file; `cli` holds the command line with its help, `authority` the certificate
//! authority, `files` takes back what a failed command made. Keys and their store are `keystore`'s.

mod audit;
mod authority;
mod cert;
mod cli;
mod client;
mod confirm;
mod error;
mod files;
mod grant;
mod init;
mod key;
mod master;
mod output;
mod setting;
mod source;
mod store;
mod times;
mod zone;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::ErrorKind;

pub use error::Error;

use cli::{Cli, Command};
use output::Output;

/// Runs the command that `args` (the program's name first) spell; writes its answer to `out`, and
/// warnings, progress and questions to `notes`.
///
/// Nothing is changed when it fails; only what was written to a store stays there when all that
/// failed is writing the answer.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<(), Error> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                return Ok(write!(out, "{error}")?);
            }
            _ => return Err(Error::usage(&error)),
        },
    };
    let mut output = Output::new(out, notes, cli.json);
    match cli.command {
        Command::Init(args) => init::run(args, &mut output),
        Command::Client(command) => client::run(command, &mut output),
        Command::Zone(command) => zone::run(command, &mut output),
        Command::Grant(command) => grant::run(command, &mut output),
        Command::Key(command) => key::run(command, &mut output),
        Command::Setting(command) => setting::run(command, &mut output),
        Command::Cert(command) => cert::run(command, &mut output),
        Command::Master(command) => master::run(command, &mut output),
        Command::Audit(command) => audit::run(command, &mut output),
        Command::Store(command) => store::run(command, &mut output),
    }
}
