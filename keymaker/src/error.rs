//! What can go wrong, each in one line: what it is, where, and what to do.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// Why a command failed. It has changed nothing, unless all that failed is its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line does not say what to do, or says too much.
    #[error("{0}")]
    Usage(String),
    /// The store, its master key, or a file with a secret.
    #[error(transparent)]
    Store(#[from] keystore::Error),
    /// The certificate authority would lie where the servers' secrets are.
    #[error(
        "{directory} holds the store too; keep the CA in a directory of its own, away from servers"
    )]
    AuthorityBesideStore {
        /// The directory given for both.
        directory: PathBuf,
    },
    /// A passphrase that a guess would find.
    #[error("the CA passphrase is shorter than {0} characters")]
    ShortPassphrase(usize),
    /// The passphrase typed the second time is another one.
    #[error("the two passphrases differ")]
    DifferentPassphrases,
    /// What was typed is not what was asked for.
    #[error("nothing was changed: what was typed is not {expected}")]
    NotConfirmed {
        /// What had to be typed.
        expected: String,
    },
    /// No certificate of this holder is recorded.
    #[error(
        "no certificate of {0} is recorded that has not expired; revoke it by its file or --serial"
    )]
    NoneRecorded(String),
    /// Neither this program nor the store knows the setting.
    #[error("there is no setting {0}; `pgseal-keymaker setting list` names them")]
    UnknownSetting(keystore::SettingName),
    /// No key of the zone is destroyed.
    #[error("no key of zone {0} is destroyed, so there is no receipt")]
    NoReceipt(envelope::ZoneId),
    /// The master key that was replaced was given to forget it.
    #[error(
        "this is the master key that is to be forgotten: give the new one, {needed}, so that it is certain that you have it"
    )]
    OldMasterKey {
        /// The new one.
        needed: keystore::MasterKeyId,
    },
    /// The audit log, or what it tells of, was tampered with.
    #[error("{0} found; find out who wrote the store, and restore it from a backup")]
    Faults(String),
    /// The passphrase does not open the key.
    #[error("wrong passphrase for {path}, or the file is damaged")]
    WrongPassphrase {
        /// The CA's key.
        path: PathBuf,
    },
    /// A file is not what its place asks for.
    #[error("{path} {what}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it: a verb and its object.
        what: &'static str,
    },
    /// A certificate would outlive the authority that signs it.
    #[error("the CA expires on {expires}, before the certificate would; take fewer --days")]
    OutlivesAuthority {
        /// When the authority's certificate expires.
        expires: keystore::Timestamp,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A private key could not be encrypted.
    #[error("cannot encrypt the CA's key: {0}")]
    Encryption(#[from] pkcs8::Error),
    /// A file or directory could not be read or made.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// The verb: read, make.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The terminal or the output failed.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
    /// The terminal gave no passphrase or confirmation.
    #[error("cannot read from the terminal: {0}")]
    Terminal(io::Error),
}

impl Error {
    /// The first paragraph of what the argument parser says, as one line.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Error::Usage("no command given (--help lists them)".into());
        }
        let text = error.to_string();
        let lines = text.lines().take_while(|line| !line.trim().is_empty());
        let line = lines.flat_map(str::split_whitespace).collect::<Vec<_>>();
        let line = line.join(" ");
        let line = line.strip_prefix("error: ").unwrap_or(&line);
        Error::Usage(format!("{line} (--help says more)"))
    }

    /// 2 for bad usage, 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Error::Usage(_) => 2,
            _ => 1,
        })
    }

    /// Whether the reader of the output went away, which needs no telling.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
