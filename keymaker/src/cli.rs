//! The command line and its help. What the commands do is in their own files.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use envelope::{ClientId, ZoneId};

/// Makes and manages pgseal's keys, zones, clients and certificates.
///
/// Keys live in the store, a file that servers open with the master key. Certificates are signed by
/// a certificate authority (CA) that no server needs: keep its directory elsewhere.
///
/// A new installation: `init`, then `client add` for each application, then `cert server` and
/// `cert client` for the programs.
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
    Init(Init),
    /// Add and list clients: those whose certificates open sessions
    #[command(subcommand)]
    Client(Client),
    /// Add and show zones: groups of rows with a key of their own
    #[command(subcommand)]
    Zone(Zone),
    /// List keys, and hand out public ones to writers
    #[command(subcommand)]
    Key(Key),
    /// Make certificates for clients, servers and admins
    #[command(subcommand)]
    Cert(Cert),
}

/// Make a master key, a store and a certificate authority
///
/// Writes the master key file and the store (both of mode 0600), and ca.crt and ca.key in the CA
/// directory; ca.key is encrypted under the CA passphrase. With --master-key-command or
/// PGSEAL_MASTER_KEY the store is made under a master key that exists, and none is written.
///
/// Whatever is there already is left as it is, and nothing is left behind when a step fails.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker init --store /var/lib/pgseal/store.db \\
      --master-key-file /etc/pgseal/master.key --ca-dir ~/pgseal-ca

The master key file holds one line, `pgseal-master-1.` and 43 characters. Without it the store is
lost, and with the store every sealed value: keep a copy apart from the store's backups.")]
pub struct Init {
    #[command(flatten)]
    pub store: StoreArgs,
    #[command(flatten)]
    pub authority: AuthorityArgs,
}

#[derive(Subcommand)]
pub enum Client {
    Add(ClientAdd),
    List(ClientList),
}

/// Add a client with its first key
///
/// Writes the client and its key pair to the store. A client's id is what its certificate says: 1
/// to 128 characters of `A-Z a-z 0-9 _ . : @ -`, never to be renamed.
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

/// List clients, sorted by id; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker client list --store store.db --master-key-file master.key --json")]
pub struct ClientList {
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Subcommand)]
pub enum Zone {
    Add(ZoneAdd),
    List(ZoneList),
    Show(ZoneShow),
}

/// Add a zone with its first key
///
/// Writes the zone, the clients that may open it, and its key pair to the store. Values sealed to a
/// zone open only for those clients, and only in rows that carry the zone's id.
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

impl std::str::FromStr for ZoneClient {
    type Err = envelope::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => Ok(ZoneClient::All),
            id => Ok(ZoneClient::One(id.parse()?)),
        }
    }
}

/// List zones, sorted by id; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker zone list --store store.db --master-key-file master.key")]
pub struct ZoneList {
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Show a zone, who may open it, and its keys; changes nothing
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

#[derive(Subcommand)]
pub enum Key {
    List(KeyList),
    ExportPublic(KeyExportPublic),
}

/// List keys with owner, version and state; changes nothing
///
/// No private key is unwrapped for it.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker key list --client app --store store.db --master-key-file master.key")]
pub struct KeyList {
    #[command(flatten)]
    pub owner: OwnerArgs,
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
    pub owner: RequiredOwnerArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args)]
#[group(multiple = false)]
pub struct OwnerArgs {
    /// Only the keys of this client
    #[arg(long, value_name = "ID")]
    pub client: Option<ClientId>,
    /// Only the keys of this zone
    #[arg(long, value_name = "ID")]
    pub zone: Option<ZoneId>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct RequiredOwnerArgs {
    /// The key of this client
    #[arg(long, value_name = "ID")]
    pub client: Option<ClientId>,
    /// The key of this zone
    #[arg(long, value_name = "ID")]
    pub zone: Option<ZoneId>,
}

#[derive(Subcommand)]
pub enum Cert {
    /// Make a key and a certificate for a client: a connector
    #[command(after_help = CERT_HELP)]
    Client(CertArgs),
    /// Make a key and a certificate for a server
    #[command(after_help = CERT_HELP)]
    Server(CertArgs),
    /// Make a key and a certificate for an admin: who may change settings
    #[command(after_help = CERT_HELP)]
    Admin(CertArgs),
    Sign(CertSign),
}

const CERT_HELP: &str = "\
Writes OUT_DIR/ID.crt and OUT_DIR/ID.key (a P-256 key in PKCS#8, mode 0600), and overwrites neither.
The certificate names its holder as the URI pgseal://client/ID, pgseal://server/ID or
pgseal://admin/ID and nothing else; it needs no store, and adds nothing to one.

Example:
  pgseal-keymaker cert server server-1 --ca-dir ~/pgseal-ca --out-dir certs --days 90";

#[derive(Args)]
pub struct CertArgs {
    /// The id: 1 to 128 characters of `A-Z a-z 0-9 _ . : @ -`; for a client, as in the store
    pub id: ClientId,
    #[command(flatten)]
    pub issue: IssueArgs,
}

/// Sign a certificate for a key made elsewhere
///
/// Takes only the public key (P-256) out of the request, after checking that its signature proves
/// the private one; whatever names and extensions the request asks for are ignored. Writes
/// OUT_DIR/ID.crt.
#[derive(Args)]
#[command(after_help = "\
Example:
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \\
      -keyout app.key -subj / -out app.csr
  pgseal-keymaker cert sign --csr app.csr --role client --id app --ca-dir ~/pgseal-ca")]
pub struct CertSign {
    /// The certificate signing request (PKCS#10, PEM)
    #[arg(long, value_name = "FILE")]
    pub csr: PathBuf,
    /// What its holder may be
    #[arg(long)]
    pub role: Role,
    /// The id: 1 to 128 characters of `A-Z a-z 0-9 _ . : @ -`; for a client, as in the store
    #[arg(long)]
    pub id: ClientId,
    #[command(flatten)]
    pub issue: IssueArgs,
}

/// What a certificate lets its holder be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Client,
    Server,
    Admin,
}

#[derive(Args)]
pub struct IssueArgs {
    /// Where to write; made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out_dir: PathBuf,
    /// How long the certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
    #[command(flatten)]
    pub authority: AuthorityArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// The store: one file, shared by the servers of this host
    #[arg(
        long,
        value_name = "PATH",
        env = "PGSEAL_STORE",
        hide_env_values = true
    )]
    pub store: PathBuf,
    #[command(flatten)]
    pub master_key: MasterKeyArgs,
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
