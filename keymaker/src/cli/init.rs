//! `init`.

use clap::Args;

use super::{AuthorityArgs, StoreArgs};

/// Make a master key, a store and a certificate authority
///
/// Writes ca.key and ca.crt in the CA directory, the master key file and, last, the store; ca.key is
/// encrypted under the CA passphrase, and all but ca.crt have mode 0600. With --master-key-command
/// or PGSEAL_MASTER_KEY the store is made under a master key that exists, and none is written.
///
/// A store that is there is left as it is. A CA or a master key file of yours that is there is used:
/// so an `init` that was interrupted is simply run again.
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
