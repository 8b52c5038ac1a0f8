//! The command line and its help. What the commands do is in their own files.
//!
//! Here are the program's own options and those that several commands share; the rest is in a file
//! for each command.

pub mod audit;
pub mod cert;
pub mod client;
pub mod grant;
pub mod init;
pub mod key;
pub mod master;
pub mod setting;
pub mod store;
pub mod zone;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use envelope::{ClientId, Owner, ZoneId};
use keystore::{EtcdSettings, Place, StoreAddress};

pub use cert::Role;

/// Makes and manages pgseal's keys, zones, clients, certificates and settings.
///
/// Keys live in the store, which servers open with the master key. Certificates are signed by a
/// certificate authority (CA) that no server needs: keep its directory elsewhere.
///
/// A new installation: `init`, then `client add` for each application, then `cert server` and
/// `cert client` for the programs. Servers notice every change of the store within a second.
#[derive(Parser)]
#[command(name = "pgseal-keymaker", version, max_term_width = 100)]
pub struct Cli {
    /// Answer with JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    Init(init::Init),
    /// Add, change and list clients: those whose certificates open sessions
    #[command(subcommand)]
    Client(client::Client),
    /// Add, show and destroy zones: groups of rows with a key of their own
    #[command(subcommand)]
    Zone(zone::Zone),
    /// Say which clients open the values of a zone
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Replace, retire and destroy keys, and hand out public ones to writers
    #[command(subcommand)]
    Key(key::Key),
    /// Change settings of all servers while they run
    #[command(subcommand)]
    Setting(setting::Setting),
    /// Make certificates for clients, servers and admins, and revoke them
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Replace the key that the store is sealed under
    #[command(subcommand)]
    Master(master::Master),
    /// Read and check the log of all changes
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Copy, move, back up and restore the store
    #[command(subcommand)]
    Store(store::Store),
}

/// Whose key it is: one of the two.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct OwnerArgs {
    /// The client whose key it is
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// The zone whose key it is
    #[arg(long, value_name = "ID")]
    zone: Option<ZoneId>,
}

impl OwnerArgs {
    pub fn owner(self) -> Owner {
        either(self.client, self.zone).expect("the argument parser asks for one of the two")
    }
}

/// Whose, if only one owner's are asked for.
#[derive(Args)]
#[group(multiple = false)]
pub struct OptionalOwnerArgs {
    /// Only those of this client
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// Only those of this zone
    #[arg(long, value_name = "ID")]
    zone: Option<ZoneId>,
}

impl OptionalOwnerArgs {
    pub fn owner(self) -> Option<Owner> {
        either(self.client, self.zone)
    }
}

fn either(client: Option<ClientId>, zone: Option<ZoneId>) -> Option<Owner> {
    client.map(Owner::Client).or(zone.map(Owner::Zone))
}

#[derive(Args)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// The store: a file, shared by the servers of this host, or etcd://HOST:PORT,HOST:PORT,…/PREFIX
    #[arg(
        long,
        value_name = "PLACE",
        env = "PGSEAL_STORE",
        hide_env_values = true,
        value_parser = store_address()
    )]
    pub store: StoreAddress,
    #[command(flatten)]
    pub master_key: MasterKeyArgs,
    #[command(flatten)]
    pub etcd: EtcdArgs,
}

impl StoreArgs {
    /// Where the store is, and how it is reached.
    pub fn place(&self) -> Place {
        Place {
            address: self.store.clone(),
            etcd: self.etcd.settings(),
        }
    }
}

/// Reads a place; a file may have any name.
pub fn store_address() -> impl TypedValueParser<Value = StoreAddress> {
    OsStringValueParser::new().try_map(StoreAddress::try_from)
}

/// How etcd is reached, and who asks.
#[derive(Args)]
#[command(next_help_heading = "etcd")]
pub struct EtcdArgs {
    /// CA certificates that etcd's members are checked against; without them etcd is asked in clear,
    /// and on this host only
    #[arg(
        long,
        value_name = "FILE",
        env = "PGSEAL_ETCD_CA",
        hide_env_values = true,
        hide_short_help = true
    )]
    etcd_ca: Option<PathBuf>,
    /// The certificate shown to etcd; without a common name if etcd has users
    #[arg(
        long,
        value_name = "FILE",
        env = "PGSEAL_ETCD_CERTIFICATE",
        hide_env_values = true,
        hide_short_help = true
    )]
    etcd_certificate: Option<PathBuf>,
    /// Its private key, closed to group and others
    #[arg(
        long,
        value_name = "FILE",
        env = "PGSEAL_ETCD_PRIVATE_KEY",
        hide_env_values = true,
        hide_short_help = true
    )]
    etcd_private_key: Option<PathBuf>,
    /// The user in etcd
    #[arg(
        long,
        value_name = "NAME",
        env = "PGSEAL_ETCD_USER",
        hide_env_values = true,
        hide_short_help = true
    )]
    etcd_user: Option<String>,
    /// The file with that user's password, closed to group and others
    #[arg(
        long,
        value_name = "FILE",
        env = "PGSEAL_ETCD_PASSWORD_FILE",
        hide_env_values = true,
        hide_short_help = true
    )]
    etcd_password_file: Option<PathBuf>,
}

impl EtcdArgs {
    pub fn settings(&self) -> EtcdSettings {
        EtcdSettings {
            ca: self.etcd_ca.clone(),
            certificate: self.etcd_certificate.clone(),
            private_key: self.etcd_private_key.clone(),
            user: self.etcd_user.clone(),
            password_file: self.etcd_password_file.clone(),
        }
    }
}

/// The same for a command that can do without a store.
pub struct OptionalStoreArgs(pub Option<StoreArgs>);

impl Args for OptionalStoreArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        StoreArgs::augment_args(command).mut_arg("store", |store| store.required(false))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OptionalStoreArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.contains_id("store");
        let store = given.then(|| StoreArgs::from_arg_matches(matches));
        store.transpose().map(OptionalStoreArgs)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Args)]
pub struct MasterKeyArgs {
    /// The file with the master key, closed to group and others [env: PGSEAL_MASTER_KEY_FILE, or
    /// the key itself in PGSEAL_MASTER_KEY]
    #[arg(long, value_name = "PATH", conflicts_with = "master_key_command")]
    pub master_key_file: Option<PathBuf>,
    /// A shell command that prints the master key [env: PGSEAL_MASTER_KEY_COMMAND]
    #[arg(long, value_name = "CMD")]
    pub master_key_command: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Certificate authority")]
pub struct AuthorityArgs {
    /// The CA's directory, with ca.crt and ca.key
    #[arg(
        long,
        value_name = "DIR",
        env = "PGSEAL_CA_DIR",
        hide_env_values = true
    )]
    pub ca_dir: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

#[derive(Args)]
pub struct PassphraseArgs {
    /// The file with the CA passphrase, closed to group and others [env: PGSEAL_CA_PASSPHRASE_FILE,
    /// or the passphrase itself in PGSEAL_CA_PASSPHRASE]; asked for if nothing is given
    #[arg(long, value_name = "PATH", conflicts_with = "ca_passphrase_command")]
    pub ca_passphrase_file: Option<PathBuf>,
    /// A shell command that prints the CA passphrase [env: PGSEAL_CA_PASSPHRASE_COMMAND]
    #[arg(long, value_name = "CMD")]
    pub ca_passphrase_command: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_that_does_something_has_an_example() {
        fn check(command: &mut clap::Command) {
            let commands = command
                .get_subcommands_mut()
                .filter(|sub| sub.get_name() != "help");
            let mut leaf = true;
            for sub in commands {
                leaf = false;
                check(sub);
            }
            let help = command.render_long_help().to_string();
            assert!(!leaf || help.contains("\nExample"), "{help}");
        }
        check(&mut Cli::command());
    }
}
