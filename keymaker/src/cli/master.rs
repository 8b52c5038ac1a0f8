//! `master …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::StoreArgs;

#[derive(Subcommand)]
pub enum Master {
    Show(MasterShow),
    Rotate(MasterRotate),
    Forget(MasterForget),
}

/// Show which master key the store is under, and whether a change is unfinished; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker master show --store store.db --master-key-file master.key")]
pub struct MasterShow {
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Put a new master key in the place of the store's
///
/// Seals every record anew, while servers run: they go on with the key they have, because either key
/// opens the store until `master forget`. If it is interrupted, both keys open everything, and the
/// same command goes on where it stopped.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker master rotate --new-master-key-file new.key --store store.db \\
      --master-key-file master.key

Then: put the new key where each server reads it at its next start (one that runs has it from the
store), and run `master forget` with the new key. Backups of the store from before need the old
key: keep it as long as them.")]
pub struct MasterRotate {
    #[command(flatten)]
    pub new: NewMasterKeyArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct NewMasterKeyArgs {
    /// The file with the new master key; made, with a new key, if it is not there
    #[arg(long, value_name = "PATH")]
    pub new_master_key_file: Option<PathBuf>,
    /// A shell command that prints the new master key
    #[arg(long, value_name = "CMD")]
    pub new_master_key_command: Option<String>,
}

/// Have the master key that was replaced open the store no more
///
/// The last step of a change, after every server was given the new key; needs the new key. A server
/// that has only the old one goes on until its next start, and then cannot open the store. It cannot
/// be taken back.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker master forget --store store.db --master-key-file new.key")]
pub struct MasterForget {
    #[command(flatten)]
    pub store: StoreArgs,
}
