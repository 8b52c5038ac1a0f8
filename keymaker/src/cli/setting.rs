//! `setting …`.

use clap::{Args, Subcommand};
use keystore::SettingName;

use super::StoreArgs;

#[derive(Subcommand)]
pub enum Setting {
    List(SettingList),
    Set(SettingSet),
    Reset(SettingReset),
}

/// List every live setting with its value in the store, who set it and when; changes nothing
///
/// What is not set in the store is what each server's configuration file says, or the default. A
/// server whose command line or environment fixes a setting goes on with that: its control API
/// (`GET /v1/settings`) tells what holds there, and why.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker setting list --store store.db --master-key-file master.key")]
pub struct SettingList {
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Set a setting for all servers of the store
///
/// Writes it to the store. Every server takes it over within a second, for sessions that are open
/// too, from their next row on. It beats the configuration file, and is beaten by a server's own
/// command line and environment. A server that cannot take it, because it is older or its other
/// settings do not go with it, goes on as before, and its /health says so.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker setting set zone_mode mixed --store store.db --master-key-file master.key
  pgseal-keymaker setting set max_open_row 16MiB --number 7 --store store.db \\
      --master-key-file master.key")]
pub struct SettingSet {
    /// The setting; `setting list` names them
    pub name: SettingName,
    /// Its value, written as in a configuration file, without quotes
    pub value: String,
    #[command(flatten)]
    pub seen: SeenArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Take a setting back, so that servers follow their configuration files again
///
/// Writes to the store, as `setting set` does. Also takes back a setting that a newer program has
/// set and this one does not know.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker setting reset zone_mode --store store.db --master-key-file master.key")]
pub struct SettingReset {
    /// The setting
    pub name: SettingName,
    #[command(flatten)]
    pub seen: SeenArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args)]
pub struct SeenArgs {
    /// Only if the settings are at this number still, as `setting list` told it; otherwise nothing
    /// is changed, and it is said who has changed them
    #[arg(long, value_name = "N")]
    pub number: Option<u64>,
}
