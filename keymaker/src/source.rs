//! Where the two secrets come from: the store's master key and the CA's passphrase.
//!
//! Each has three environment variables (`…_FILE`, `…_COMMAND` and the secret itself), which count
//! only where the command line says nothing. Reading a file or a command is `keystore`'s.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use keystore::{MasterKey, Secret, Store};

use crate::Error;
use crate::cli::{MasterKeyArgs, PassphraseArgs, StoreArgs};

/// The fewest characters of a CA passphrase.
const MIN_PASSPHRASE: usize = 8;

/// The most characters that the audit log says of an operator.
const MAX_OPERATOR: usize = 200;

/// Where a secret is.
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// In the output of a command.
    Command(String),
    /// Here: it stood in the environment.
    Value(Secret),
}

/// Opens the store that the arguments name, with the master key that they name.
pub fn open_store(args: StoreArgs) -> Result<Store, Error> {
    let place = args.place();
    Ok(Store::open(place, master_key(args.master_key)?)?)
}

/// Reads the master key from where the arguments say.
pub fn master_key(args: MasterKeyArgs) -> Result<MasterKey, Error> {
    Ok(match master_key_source(args)? {
        Source::File(path) => MasterKey::from_file(&path)?,
        Source::Command(command) => MasterKey::from_command(&command)?,
        Source::Value(secret) => MasterKey::from_environment(&secret)?,
    })
}

/// Who runs this program, as the audit log says it: `operator <user>@<host>`.
pub fn operator() -> String {
    let user = env::var("SUDO_USER").or_else(|_| env::var("USER"));
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    // The audit log is shown on terminals.
    let said = format!("operator {user}@{host}");
    said.chars()
        .filter(|c| !c.is_control())
        .take(MAX_OPERATOR)
        .collect()
}

/// Where the master key is; an error if nothing says so.
pub fn master_key_source(args: MasterKeyArgs) -> Result<Source, Error> {
    source(
        "PGSEAL_MASTER_KEY",
        args.master_key_file,
        args.master_key_command,
    )?
    .ok_or_else(|| {
        Error::Usage(
            "no master key: give --master-key-file, --master-key-command or PGSEAL_MASTER_KEY"
                .into(),
        )
    })
}

/// The passphrase of an authority that exists.
pub fn passphrase(args: PassphraseArgs) -> Result<Secret, Error> {
    match given_passphrase(args)? {
        Some(passphrase) => Ok(passphrase),
        None => prompt("CA passphrase: "),
    }
}

/// The passphrase of an authority to be made: typed twice, and not too short.
pub fn new_passphrase(args: PassphraseArgs) -> Result<Secret, Error> {
    let passphrase = match given_passphrase(args)? {
        Some(passphrase) => passphrase,
        None => {
            let typed = prompt("New CA passphrase: ")?;
            let again = prompt("The same again: ")?;
            if typed.expose_secret() != again.expose_secret() {
                return Err(Error::DifferentPassphrases);
            }
            typed
        }
    };
    if passphrase.expose_secret().chars().count() < MIN_PASSPHRASE {
        return Err(Error::ShortPassphrase(MIN_PASSPHRASE));
    }
    Ok(passphrase)
}

fn given_passphrase(args: PassphraseArgs) -> Result<Option<Secret>, Error> {
    let source = source(
        "PGSEAL_CA_PASSPHRASE",
        args.ca_passphrase_file,
        args.ca_passphrase_command,
    )?;
    Ok(match source {
        Some(Source::File(path)) => Some(Secret::from_file(&path)?),
        Some(Source::Command(command)) => Some(Secret::from_command("CA passphrase", &command)?),
        Some(Source::Value(secret)) => Some(secret),
        None => None,
    })
}

/// The one source that is named: by the command line, else by the environment.
fn source(
    variable: &str,
    file: Option<PathBuf>,
    command: Option<String>,
) -> Result<Option<Source>, Error> {
    let given = [file.map(Source::File), command.map(Source::Command)];
    if let Some(source) = given.into_iter().flatten().next() {
        return Ok(Some(source));
    }
    let file = environment(&format!("{variable}_FILE"))?;
    let command = environment(&format!("{variable}_COMMAND"))?;
    let value = environment(variable)?;
    let given = [
        file.map(|path| Source::File(path.into())),
        command.map(Source::Command),
        value.map(|value| Source::Value(value.into())),
    ];
    let mut given = given.into_iter().flatten();
    let source = given.next();
    if given.next().is_some() {
        return Err(Error::Usage(format!(
            "more than one of {variable}, {variable}_FILE and {variable}_COMMAND is set; unset all but one"
        )));
    }
    Ok(source)
}

/// An environment variable; an empty one counts as unset.
fn environment(variable: &str) -> Result<Option<String>, Error> {
    match env::var(variable) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Error::Usage(format!("{variable} is not UTF-8 text")))
        }
    }
}

fn prompt(text: &str) -> Result<Secret, Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Usage(
            "no CA passphrase: give --ca-passphrase-file, --ca-passphrase-command or \
             PGSEAL_CA_PASSPHRASE, or run it on a terminal"
                .into(),
        ));
    }
    let typed = rpassword::prompt_password(text).map_err(Error::Terminal)?;
    Ok(Secret::from(typed))
}
