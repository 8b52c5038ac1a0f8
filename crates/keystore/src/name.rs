//! Names of records: their place in the store, and what their seal is bound to.
//!
//! A name is ASCII text, `/` between its parts. No id holds a `/`, and versions are written with
//! ten digits, so no two records share a name and names sort as owners and versions do.

use std::fmt;
use std::str::FromStr;

use envelope::{KeyId, Kind, Owner};

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
            [kind, id] if kind == "client" || kind == "zone" => RecordName::Owner(owner(kind, id)?),
            ["key-id", id] => RecordName::KeyId(id.parse().map_err(|_| NotAName)?),
            ["key", kind, id, version] => {
                RecordName::Key(owner(kind, id)?, version.parse().map_err(|_| NotAName)?)
            }
            ["private", kind, id, version] => {
                RecordName::Private(owner(kind, id)?, version.parse().map_err(|_| NotAName)?)
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
