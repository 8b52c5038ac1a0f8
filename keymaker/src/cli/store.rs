//! `store …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keystore::StoreAddress;

use super::{EtcdArgs, MasterKeyArgs, StoreArgs, store_address};

#[derive(Subcommand)]
pub enum Store {
    Copy(StoreCopy),
    Backup(StoreBackup),
    Restore(StoreRestore),
}

/// Copy a store to another place, or move it there
///
/// Copies every record as it is, between a file and etcd in either direction, and compares each with
/// its copy. Servers and keymakers may go on writing meanwhile. The new place must hold nothing, or
/// an unfinished copy of the same store, which is gone on with: run the same command again if it
/// breaks off.
///
/// With --freeze the store moves: when all is copied, the old place is marked as moved and takes no
/// more changes, and whoever tries hears where it is now; it goes on being read. Then change `store`
/// in each server's configuration and send SIGHUP: no session ends. Should it break off after the old
/// place was marked, the same command finishes it.
///
/// Without --freeze the copy is a second store with the same keys that goes its own way from there:
/// for a test, never for servers of the same fleet.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker store copy --freeze --from /var/lib/pgseal/store.db \\
      --to etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/pgseal \\
      --etcd-ca etcd-ca.crt --etcd-certificate store.crt --etcd-private-key store.key \\
      --etcd-user pgseal --etcd-password-file etcd.password --master-key-file master.key
  pgseal-keymaker store copy --from etcd://localhost:2379/pgseal --to copy.db \\
      --master-key-file master.key")]
pub struct StoreCopy {
    /// The store: a file, or etcd://HOST:PORT,HOST:PORT,…/PREFIX
    #[arg(long, value_name = "PLACE", value_parser = store_address())]
    pub from: StoreAddress,
    /// Where to copy it to: a file that is not there, or a prefix in etcd without keys
    #[arg(long, value_name = "PLACE", value_parser = store_address())]
    pub to: StoreAddress,
    /// Have the old place take no more changes: the store moves
    #[arg(long)]
    pub freeze: bool,
    #[command(flatten)]
    pub etcd: EtcdArgs,
    #[command(flatten)]
    pub master_key: MasterKeyArgs,
}

/// Write a store to an encrypted file
///
/// Writes all records, as they are at one moment, to a new file of mode 0600, encrypted under the
/// store's master key; changes nothing. Servers and keymakers may go on writing. While it runs, no key
/// can be destroyed in a store that is a file.
///
/// A backup opens with the master key that was the store's when it was made: keep the two apart. It
/// holds the keys that are destroyed later, too: whoever has it and the master key can still open
/// what was shredded.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker store backup pgseal-2026-12-01.backup --store store.db \\
      --master-key-file master.key")]
pub struct StoreBackup {
    /// The file to write; never one that is there
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Make a store from a backup
///
/// Checks the whole backup first, then writes its records to a place that holds nothing, compares
/// each with the backup, and only then lets it be a store. Begun again after it broke off, it goes on.
///
/// Everything that happened after the backup is undone in the restored store: revoke certificates,
/// remove grants and destroy keys again. Stop all servers first, and start them with it.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker store restore pgseal-2026-12-01.backup --store restored.db \\
      --master-key-file master.key")]
pub struct StoreRestore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub store: StoreArgs,
}
