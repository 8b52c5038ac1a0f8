//! `client …`.

use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use envelope::ClientId;

use super::StoreArgs;

#[derive(Subcommand)]
pub enum Client {
    Add(ClientAdd),
    Set(ClientSet),
    List(ClientList),
}

/// Add a client with its first key
///
/// Writes the client and its key pair to the store. A client's id is what its certificate says: 1
/// to 128 characters of `A-Z a-z 0-9 _ . : @ -`, never to be renamed or removed; a client that is
/// not to connect any more has its certificates revoked.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker client add app --create-zones --store store.db --master-key-file master.key")]
pub struct ClientAdd {
    /// The client's id
    pub id: ClientId,
    /// Let it create zones through the control API
    #[arg(long)]
    pub create_zones: bool,
    /// How many zones it may create in a day (UTC); any number if it is left out
    #[arg(long, value_name = "N", requires = "create_zones")]
    pub zones_per_day: Option<u32>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Change what a client may do
///
/// Writes the client to the store; what is left out stays as it is. It applies from the client's
/// next request on. Zones that it has created stay.
#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
#[command(after_help = "\
Examples:
  pgseal-keymaker client set app --create-zones true --zones-per-day 500 --store store.db \\
      --master-key-file master.key
  pgseal-keymaker client set app --zones-per-day unlimited --store store.db \\
      --master-key-file master.key")]
pub struct ClientSet {
    /// The client's id
    pub id: ClientId,
    /// Whether it may create zones through the control API
    #[arg(long, value_name = "true|false", group = "change")]
    pub create_zones: Option<bool>,
    /// How many zones it may create in a day (UTC): a number, or `unlimited`
    #[arg(long, value_name = "N", group = "change")]
    pub zones_per_day: Option<Most>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A bound, or none.
#[derive(Clone, Copy)]
pub struct Most(pub Option<u32>);

impl FromStr for Most {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unlimited" => Ok(Most(None)),
            number => match number.parse() {
                Ok(number) => Ok(Most(Some(number))),
                Err(_) => Err("it is a number up to 4294967295, or `unlimited`"),
            },
        }
    }
}

/// List clients with what they may do, sorted by id; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker client list --store store.db --master-key-file master.key --json")]
pub struct ClientList {
    #[command(flatten)]
    pub store: StoreArgs,
}
