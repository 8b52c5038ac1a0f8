//! Names of records: their place in the store, and what their seal is bound to.
//!
//! A name is ASCII text, `/` between its parts. No id holds a `/`, and versions are written with
//! ten digits, so no two records share a name and names sort as owners and versions do.

use std::fmt;
use std::str::FromStr;

use envelope::{ClientId, KeyId, Kind, Owner, ZoneId};

use crate::master_key::MasterKeyId;
use crate::record::Serial;

/// The name of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RecordName {
    /// `header`: the store's id and the proof of its master key.
    Header,
    /// `client/<id>` or `zone/<id>`: what the owner may do, and its active key.
    Owner(Owner),
    /// `key/<kind>/<id>/<version>`: a public key and its state.
    Key(Owner, u32),
    /// `private/<kind>/<id>/<version>`: the private half.
    Private(Owner, u32),
    /// `key-id/<16 hex>`: which key has this id.
    KeyId(KeyId),
    /// `used/<kind>/<id>/<version>`: when a key was used last.
    Used(Owner, u32),
    /// `usage/<client id>`: what a client has used up today.
    Usage(ClientId),
    /// `pending/<due>/<zone id>`: a zone to be destroyed.
    Pending(u64, ZoneId),
    /// `clock`: how long servers have run.
    Clock,
    /// `receipt-key`: what receipts are signed with.
    ReceiptKey,
    /// `receipt/<kind>/<id>/<version>`: proof that a key was destroyed.
    Receipt(Owner, u32),
    /// `certificate/<serial>`: a certificate that was issued.
    Certificate(Serial),
    /// `revocations`: the certificates that were revoked.
    Revocations,
    /// `settings`: the settings that the fleet shares.
    Settings,
    /// `audit`: how far the audit log goes.
    AuditHead,
    /// `audit/<number>`: one of its entries.
    Audit(u64),
    /// `master/<master key id>`: sealed under that master key, the other one of a rotation.
    Master(MasterKeyId),
}

impl RecordName {
    /// What the names of all owners of a kind begin with.
    pub(crate) fn owners(kind: Kind) -> String {
        format!("{kind}/")
    }

    /// What the names of all keys, or of all keys of one owner, begin with.
    pub(crate) fn keys(owner: Option<&Owner>) -> String {
        match owner {
            Some(owner) => format!("key/{}/{}/", owner.kind(), owner.id()),
            None => "key/".into(),
        }
    }

    /// What the names of all zones to be destroyed begin with; they sort by when.
    pub(crate) const PENDING: &str = "pending/";
    /// What the names of all certificates begin with.
    pub(crate) const CERTIFICATES: &str = "certificate/";
    /// What the names of the audit log's entries begin with.
    pub(crate) const AUDIT: &str = "audit/";
    /// What the names of receipts begin with.
    pub(crate) const RECEIPTS: &str = "receipt/";
    /// What the names of the keys of an unfinished change of master keys begin with.
    pub(crate) const MASTERS: &str = "master/";

    /// The owner whose keys, or what is said of them, the record is part of.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            RecordName::Owner(owner)
            | RecordName::Key(owner, _)
            | RecordName::Private(owner, _) => Some(owner),
            _ => None,
        }
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versioned = |f: &mut fmt::Formatter<'_>, what, owner: &Owner, version| {
            write!(f, "{what}/{}/{}/{version:010}", owner.kind(), owner.id())
        };
        match self {
            RecordName::Header => f.write_str("header"),
            RecordName::Owner(owner) => write!(f, "{}/{}", owner.kind(), owner.id()),
            RecordName::Key(owner, version) => versioned(f, "key", owner, version),
            RecordName::Private(owner, version) => versioned(f, "private", owner, version),
            RecordName::KeyId(id) => write!(f, "key-id/{id}"),
            RecordName::Used(owner, version) => versioned(f, "used", owner, version),
            RecordName::Usage(client) => write!(f, "usage/{client}"),
            RecordName::Pending(due, zone) => write!(f, "pending/{due:020}/{zone}"),
            RecordName::Clock => f.write_str("clock"),
            RecordName::ReceiptKey => f.write_str("receipt-key"),
            RecordName::Receipt(owner, version) => versioned(f, "receipt", owner, version),
            RecordName::Certificate(serial) => write!(f, "certificate/{serial}"),
            RecordName::Revocations => f.write_str("revocations"),
            RecordName::Settings => f.write_str("settings"),
            RecordName::AuditHead => f.write_str("audit"),
            RecordName::Audit(number) => write!(f, "audit/{number:020}"),
            RecordName::Master(id) => write!(f, "master/{id}"),
        }
    }
}

/// A text that is no record's name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAName;

impl FromStr for RecordName {
    type Err = NotAName;

    /// Reads exactly what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let parts: Vec<&str> = text.splitn(5, '/').collect();
        let name = match parts[..] {
            ["header"] => RecordName::Header,
            ["clock"] => RecordName::Clock,
            ["receipt-key"] => RecordName::ReceiptKey,
            ["revocations"] => RecordName::Revocations,
            ["settings"] => RecordName::Settings,
            ["audit"] => RecordName::AuditHead,
            ["audit", number] => RecordName::Audit(read(number)?),
            ["master", id] => RecordName::Master(read(id)?),
            ["certificate", serial] => RecordName::Certificate(read(serial)?),
            ["usage", client] => RecordName::Usage(read(client)?),
            ["pending", due, zone] => RecordName::Pending(read(due)?, read(zone)?),
            ["key-id", id] => RecordName::KeyId(read(id)?),
            [kind @ ("client" | "zone"), id] => RecordName::Owner(owner(kind, id)?),
            [what, kind, id, version] => {
                let (owner, version) = (owner(kind, id)?, read(version)?);
                match what {
                    "key" => RecordName::Key(owner, version),
                    "private" => RecordName::Private(owner, version),
                    "used" => RecordName::Used(owner, version),
                    "receipt" => RecordName::Receipt(owner, version),
                    _ => return Err(NotAName),
                }
            }
            _ => return Err(NotAName),
        };
        // Another spelling (an upper-case digit, a sign, a missing zero) is another name.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(NotAName)
        }
    }
}

fn read<T: FromStr>(text: &str) -> Result<T, NotAName> {
    text.parse().map_err(|_| NotAName)
}

fn owner(kind: &str, id: &str) -> Result<Owner, NotAName> {
    let kind = match kind {
        "client" => Kind::Client,
        "zone" => Kind::Zone,
        _ => return Err(NotAName),
    };
    Owner::new(kind, id).map_err(|_| NotAName)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_spellings_of_a_name_are_refused() {
        for good in [
            "header",
            "client/app",
            "zone/tenant-1",
            "key/client/app/0000000001",
            "private/zone/tenant-1/4294967295",
            "key-id/60ae988d541df243",
            "used/zone/tenant-1/0000000003",
            "usage/app",
            "pending/00000000000000604800/tenant-1",
            "clock",
            "receipt-key",
            "receipt/client/app/0000000001",
            "certificate/0a1b",
            "revocations",
            "settings",
            "audit",
            "audit/00000000000000000001",
            "master/60ae988d541df243",
        ] {
            assert_eq!(good.parse::<RecordName>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "Header",
            "header/",
            "client/",
            "client/a/b",
            "zone/short",
            "owner/app",
            "key/client/app",
            "key/client/app/1",
            "key/client/app/+000000001",
            "key/client/app/0000000001/",
            "key/client/app/4294967296",
            "key/app/app/0000000001",
            "key-id/60AE988D541DF243",
            "key-id/60ae988d541df24",
            "other/client/app/0000000001",
            "settings/zone_mode",
            "pending/604800/tenant-1",
            "certificate/A1B",
            "certificate/a1b",
            "audit/1",
            "master/60AE988D541DF243",
        ] {
            assert_eq!(bad.parse::<RecordName>(), Err(NotAName), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_reads_back(
            client in "[A-Za-z0-9_.:@-]{1,128}",
            zone in "[A-Za-z][A-Za-z0-9_.:-]{7,63}",
            version: u32,
            id: [u8; 8],
        ) {
            let client = Owner::new(Kind::Client, &client).unwrap();
            let zone = Owner::new(Kind::Zone, &zone).unwrap();
            for name in [
                RecordName::Owner(client.clone()),
                RecordName::Owner(zone.clone()),
                RecordName::Key(client, version),
                RecordName::Private(zone, version),
                RecordName::KeyId(KeyId::from_bytes(id)),
            ] {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }

        #[test]
        fn whatever_reads_as_a_name_is_written_as_it_was(text in "[a-z0-9/-]{0,40}") {
            if let Ok(name) = text.parse::<RecordName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
