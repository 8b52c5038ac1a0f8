//! `cert …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use envelope::ClientId;
use keystore::Serial;

use super::{AuthorityArgs, OptionalStoreArgs, StoreArgs};
use crate::times::Period;

#[derive(Subcommand)]
pub enum Cert {
    /// Make a key and a certificate for a client: a connector
    #[command(after_help = CERT_HELP)]
    Client(CertArgs),
    /// Make a key and a certificate for a server
    #[command(after_help = CERT_HELP)]
    Server(CertArgs),
    /// Make a key and a certificate for an admin: who may change settings, clients and zones
    #[command(after_help = CERT_HELP)]
    Admin(CertArgs),
    Sign(CertSign),
    Authority(CertAuthority),
    Record(CertRecord),
    List(CertList),
    Show(CertShow),
    Revoke(CertRevoke),
}

const CERT_HELP: &str = "\
Writes OUT_DIR/ID.key (a P-256 key in PKCS#8, mode 0600) and OUT_DIR/ID.crt, and overwrites neither.
A key of yours that is there without a certificate gets one. The certificate names its holder as the
URI pgseal://client/ID, pgseal://server/ID or pgseal://admin/ID and nothing else.

With --store it is recorded there, so that `cert list` shows when it expires and `cert revoke` finds
it by its holder's name; `cert record` does so later. The CA's key and the store need not be on one
host.

Examples:
  pgseal-keymaker cert server server-1 --ca-dir ~/pgseal-ca --out-dir certs --days 90
  pgseal-keymaker cert client app --ca-dir ~/pgseal-ca --out-dir certs \\
      --store store.db --master-key-file master.key";

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
/// OUT_DIR/ID.crt, and with --store records it.
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

/// Make a certificate authority, to take the place of another
///
/// Writes ca.key, encrypted under the CA passphrase, and ca.crt in the CA directory, and overwrites
/// neither; `init` does so for the first one. It signs nothing yet.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker cert authority --ca-dir ~/pgseal-ca-2

Then: let servers and connectors trust both (one after the other in the file of tls.ca), make them
new certificates, and take the old CA out.")]
pub struct CertAuthority {
    #[command(flatten)]
    pub authority: AuthorityArgs,
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
    #[command(flatten)]
    pub store: OptionalStoreArgs,
}

/// Record certificates that were made without the store
///
/// Writes holder, serial number and expiry of each to the store, so that `cert list` shows it and
/// `cert revoke` finds it by its holder's name. No CA is needed, and none is asked: record only what
/// you have made. One that is recorded already is left as it is.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker cert record certs/app.crt certs/server-1.crt --store store.db \\
      --master-key-file master.key")]
pub struct CertRecord {
    /// Certificates in PEM
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// List recorded certificates with expiry and revocation; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker cert list --expiring 30d --store store.db --master-key-file master.key")]
pub struct CertList {
    /// Only those that expire within this period, and are not revoked
    #[arg(long, value_name = "PERIOD")]
    pub expiring: Option<Period>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Show what a certificate says; changes nothing
///
/// With --store, whether it is recorded there or revoked too.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker cert show certs/app.crt")]
pub struct CertShow {
    /// The certificate in PEM
    pub file: PathBuf,
    #[command(flatten)]
    pub store: OptionalStoreArgs,
}

/// Have nobody accept certificates any more
///
/// Writes their serial numbers to the store's list of revocations. Every server reads it within a
/// second and connectors hear of it from their servers: who holds one cannot connect, and his
/// sessions end within two seconds. No CA key is needed. It cannot be taken back: make another
/// certificate.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker cert revoke certs/app.crt --reason 'host stolen' --store store.db \\
      --master-key-file master.key
  pgseal-keymaker cert revoke --client app --store store.db --master-key-file master.key

By a holder's name all his certificates are revoked that are recorded and have not expired; one made
without --store is revoked by its file or serial number.")]
pub struct CertRevoke {
    #[command(flatten)]
    pub which: WhichCert,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct WhichCert {
    /// The certificate in PEM
    pub file: Option<PathBuf>,
    /// The one with this serial number, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub serial: Option<Serial>,
    /// All of this client
    #[arg(long, value_name = "ID")]
    pub client: Option<ClientId>,
    /// All of this server
    #[arg(long, value_name = "ID")]
    pub server: Option<ClientId>,
    /// All of this admin
    #[arg(long, value_name = "ID")]
    pub admin: Option<ClientId>,
}
