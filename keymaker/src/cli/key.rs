//! `key …`.

use clap::{Args, Subcommand};

use super::{OptionalOwnerArgs, OwnerArgs, StoreArgs};

#[derive(Subcommand)]
pub enum Key {
    List(KeyList),
    ExportPublic(KeyExportPublic),
    Rotate(KeyRotate),
    Retire(KeyRetire),
    Restore(KeyRestore),
    Destroy(KeyDestroy),
}

/// List keys with version, state, age and last use; changes nothing
///
/// A key is `active` (handed out to writers, and opens), `open-only` (opens what was sealed to it),
/// `retired` (opens nothing, can be restored) or `destroyed`. Its last use is when a server opened a
/// value with it last, to the hour. No private key is unwrapped for the list.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key list --client app --store store.db --master-key-file master.key")]
pub struct KeyList {
    #[command(flatten)]
    pub owner: OptionalOwnerArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Print the public key that writers seal to, as JSON; changes nothing
///
/// The answer holds kind, id, public_key (base64), key_id and version, and is what the control API
/// gives too. A writer checks that the public key has the key id.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key export-public --client app --store store.db \\
      --master-key-file master.key > app.json")]
pub struct KeyExportPublic {
    #[command(flatten)]
    pub owner: OwnerArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Give an owner a new key
///
/// Writes a new key pair to the store and makes it the active one: writers get it from now on, from
/// the control API or by `key export-public`. The one before opens what was sealed to it, in
/// sessions that are open too; nothing has to be sealed anew. A rotation is not taken back: rotate
/// again.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key rotate --client app --store store.db --master-key-file master.key

Then: writers fetch the new key; once `key list` shows no late use of the old version, `key retire`
it.")]
pub struct KeyRotate {
    #[command(flatten)]
    pub owner: OwnerArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Have an old key open nothing any more, until it is restored
///
/// For a key that is not the active one. Values sealed to it are refused within a second, in
/// sessions that are open too. A key used in the last 30 days is retired only with --force.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key retire --client app --version 1 --store store.db \\
      --master-key-file master.key

Then: watch for refused values, for as long as it takes to be sure. `key restore` undoes it, `key
destroy` makes it final.")]
pub struct KeyRetire {
    #[command(flatten)]
    pub key: KeyArgs,
    /// Even if it was used in the last 30 days
    #[arg(long)]
    pub force: bool,
}

/// Have a retired key open again
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key restore --client app --version 1 --store store.db \\
      --master-key-file master.key")]
pub struct KeyRestore {
    #[command(flatten)]
    pub key: KeyArgs,
}

/// Destroy an old key for good, and with it every value sealed to it
///
/// For a key that is not the active one. Removes its private half from the store, and from the
/// file's free pages and log, and writes a signed receipt, which is printed (and again, if this is
/// run again). Nothing brings it back but a copy of the store from before: see `zone destroy --help`
/// for what may hold one. A key used in the last 30 days is destroyed only with --force.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key destroy --client app --version 1 --yes --store store.db \\
      --master-key-file master.key")]
pub struct KeyDestroy {
    #[command(flatten)]
    pub key: KeyArgs,
    /// Even if it was used in the last 30 days
    #[arg(long)]
    pub force: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct KeyArgs {
    #[command(flatten)]
    pub owner: OwnerArgs,
    /// Which of the owner's keys
    #[arg(long, value_name = "N")]
    pub version: u32,
    #[command(flatten)]
    pub store: StoreArgs,
}
