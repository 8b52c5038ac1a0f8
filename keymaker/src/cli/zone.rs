//! `zone …`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use envelope::{ClientId, IdError, ZoneId};

use super::StoreArgs;
use crate::times::Period;

#[derive(Subcommand)]
pub enum Zone {
    Add(ZoneAdd),
    List(ZoneList),
    Show(ZoneShow),
    Destroy(ZoneDestroy),
    Keep(ZoneKeep),
    Receipt(ZoneReceipt),
}

/// Add a zone with its first key
///
/// Writes the zone, the clients that may open it, and its key pair to the store. Values sealed to a
/// zone open only for those clients, and only in rows that carry the zone's id. `grant add` and
/// `grant remove` change the clients later.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker zone add --client app --store store.db --master-key-file master.key
  pgseal-keymaker zone add tenant-1 --client app --client billing --store store.db \\
      --master-key-file master.key")]
pub struct ZoneAdd {
    /// The zone's id: 8 to 64 characters of `A-Z a-z 0-9 _ . : -`, at least one of them a letter;
    /// one is drawn if it is left out
    pub id: Option<ZoneId>,
    /// A client that may open it, which must be in the store; repeat it for more. `*` stands for
    /// all clients
    #[arg(long = "client", value_name = "ID", required = true)]
    pub clients: Vec<ZoneClient>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// One value of `--client`.
#[derive(Clone)]
pub enum ZoneClient {
    All,
    One(ClientId),
}

impl FromStr for ZoneClient {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => Ok(ZoneClient::All),
            id => Ok(ZoneClient::One(id.parse()?)),
        }
    }
}

/// List zones, sorted by id, with what is to become of them; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker zone list --store store.db --master-key-file master.key")]
pub struct ZoneList {
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Show a zone, who may open it, its keys and what is to become of them; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker zone show tenant-1 --store store.db --master-key-file master.key")]
pub struct ZoneShow {
    /// The zone's id
    pub id: ZoneId,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Destroy all keys of a zone for good, and with them every value sealed to it
///
/// Within a second no value of the zone opens any more; servers count them as refused with the
/// reason `destroying`. Only when the grace is over a server removes the keys and writes a signed
/// receipt for each: until then `zone keep` takes it back. The grace counts time in which a server
/// runs, so that an outage or a wrong clock does not end it early.
///
/// With --now the keys are removed at once, and nothing brings the values back.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker zone destroy tenant-1 --store store.db --master-key-file master.key
  pgseal-keymaker zone destroy tenant-1 --now --confirm tenant-1 --store store.db \\
      --master-key-file master.key

What is destroyed is the key in this store. It is still in every copy of the store that was made
while the key was there, from the zone's creation until the keys are removed:
  - backups of the store, and what `store copy` and `store backup` have made;
  - snapshots of the file system or the virtual machine, and copies of store.db and store.db-wal;
  - snapshots of etcd, if the store was there;
  - replicas of the disk, and on flash, blocks that the device has set aside.
The private keys in them are sealed under the master key of that time. A store that is restored from
one of them brings the zone back, and its values open again: destroy such copies, or destroy the
zone again after every restoration. Keep the receipt; `zone receipt` prints it again.")]
pub struct ZoneDestroy {
    /// The zone's id
    pub id: ZoneId,
    /// How long it can be taken back: a period such as `7d` or `36h`
    #[arg(
        long,
        value_name = "PERIOD",
        default_value = "7d",
        conflicts_with = "now"
    )]
    pub grace: Period,
    /// Without a grace. The zone's id is asked for on a terminal
    #[arg(long)]
    pub now: bool,
    /// The zone's id again, where there is no terminal
    #[arg(long, value_name = "ID", requires = "now")]
    pub confirm: Option<String>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Keep a zone that was to be destroyed
///
/// Takes `zone destroy` back while its grace lasts: the zone's values open again within a second.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker zone keep tenant-1 --store store.db --master-key-file master.key")]
pub struct ZoneKeep {
    /// The zone's id
    pub id: ZoneId,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Print the receipts of a zone's destroyed keys; changes nothing in the store
///
/// One JSON object a line for each version: the statement (which key, when, at which revision of
/// which store), its Ed25519 signature, and the public key to check it with. The first entry of the
/// audit log names that public key too.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker zone receipt tenant-1 --out tenant-1.receipt --store store.db \\
      --master-key-file master.key")]
pub struct ZoneReceipt {
    /// The zone's id
    pub id: ZoneId,
    /// Write them to this file, which must not be there
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}
