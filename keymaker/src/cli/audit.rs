//! `audit …`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use keystore::Anchor;

use super::{OptionalStoreArgs, StoreArgs};
use crate::times::Since;

#[derive(Subcommand)]
pub enum Audit {
    Verify(AuditVerify),
    List(AuditList),
    Export(AuditExport),
}

/// Check the audit log, and the store against it; changes nothing
///
/// Opens every record; goes along the log, in which each entry holds the hash of the one before;
/// compares clients, zones, keys and certificates with what the log says of them; checks receipts.
/// Every fault is a line of its own, and the exit code is 1 if there is any.
///
/// Somebody who can put back the whole store can put back its log too. So keep the head that is
/// printed somewhere else, and give it as --anchor the next time.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pgseal-keymaker audit verify --store store.db --master-key-file master.key
  pgseal-keymaker audit verify --file audit.jsonl")]
pub struct AuditVerify {
    /// An entry seen before, which must still be there: its number and its hash
    #[arg(long, value_name = "NUMBER:HASH")]
    pub anchor: Option<AnchorText>,
    /// Check this export of `audit export` instead of a store; needs no key
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub store: OptionalStoreArgs,
}

#[derive(Clone)]
pub struct AnchorText(pub Anchor);

impl FromStr for AnchorText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (number, hash) = text.split_once(':')?;
            let hash = hash.to_ascii_lowercase();
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = number.parse().ok().filter(|_| is_hash)?;
            Some(AnchorText(Anchor { number, hash }))
        };
        parse().ok_or("it is an entry's number, a colon, and its hash of 64 hexadecimal digits")
    }
}

/// List who changed what and when, the newest last; changes nothing
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker audit list --since 7d --store store.db --master-key-file master.key")]
pub struct AuditList {
    /// Only entries since then: a time (RFC 3339), a day (UTC), or a period before now such as `7d`
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Write the log as JSON lines, for another system to keep; changes nothing in the store
///
/// Each line holds number, hash and body: the entry as it stands in the store, text that the hash is
/// taken over. `audit verify --file` checks such a file without a store. With --after, what follows
/// the last entry that was exported before.
#[derive(Args)]
#[command(after_help = "\
Example:
  pgseal-keymaker audit export --after 1200 --out audit.jsonl --store store.db \\
      --master-key-file master.key")]
pub struct AuditExport {
    /// Only entries since then: a time (RFC 3339), a day (UTC), or a period before now such as `7d`
    #[arg(long, value_name = "TIME", conflicts_with = "after")]
    pub since: Option<Since>,
    /// Only entries after the one of this number
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<u64>,
    /// Write to this file, which must not be there
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}
