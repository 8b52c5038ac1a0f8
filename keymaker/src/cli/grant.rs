//! `grant …`.

use clap::{Args, Subcommand};
use envelope::ZoneId;

use super::zone::ZoneClient;
use super::{OptionalOwnerArgs, StoreArgs};

#[derive(Subcommand)]
pub enum Grant {
    Add(GrantAdd),
    Remove(GrantRemove),
    List(GrantList),
}

/// Let a client open the values of a zone
///
/// Writes the zone to the store. It applies within a second, in sessions that are open too. With
/// `'*'` every client may, those added later included.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker grant add --zone tenant-1 --client billing --store store.db \\
      --master-key-file master.key
  pgseal-keymaker grant add --zone tenant-1 --client '*' --store store.db \\
      --master-key-file master.key")]
pub struct GrantAdd {
    #[command(flatten)]
    pub grant: GrantArgs,
}

/// Take the right to open the values of a zone from a client
///
/// Writes the zone to the store. It applies within a second, in sessions that are open too. What a
/// client has read it has; the zone's key itself no client ever had. Where all clients may, take
/// `'*'` away first, and then add those that still may.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker grant remove --zone tenant-1 --client billing --store store.db \\
      --master-key-file master.key")]
pub struct GrantRemove {
    #[command(flatten)]
    pub grant: GrantArgs,
}

#[derive(Args)]
pub struct GrantArgs {
    /// The zone
    #[arg(long, value_name = "ID")]
    pub zone: ZoneId,
    /// The client, which must be in the store; `*` stands for all clients
    #[arg(long, value_name = "ID")]
    pub client: ZoneClient,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// List who opens what, by zone; changes nothing
///
/// With --client the zones that this client may open, those that are open to all included.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker grant list --zone tenant-1 --store store.db --master-key-file master.key
  pgseal-keymaker grant list --client app --store store.db --master-key-file master.key")]
pub struct GrantList {
    #[command(flatten)]
    pub owner: OptionalOwnerArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}
