//! What holds for the parsers that are this crate's own business, whatever bytes they read: for the
//! workspace's fuzz targets (`fuzz/`), and no part of the crate's interface. Each panics where it
//! does not hold.

mod records;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use envelope::{KeyId, Kind, Owner};

use crate::cache::{KeyCache, Loaded, OpenKey, Use};
use crate::name::RecordName;
use crate::record::Permitted;
use crate::{Endpoint, StoreAddress};

pub use crate::etcd::fuzzing::etcd;
pub use crate::store::backup::fuzzing::backup;
pub use records::record;

/// A key that no store holds, of version 1.
#[must_use]
pub fn open_key(owner: Owner, clients: Permitted, private: Use) -> OpenKey {
    OpenKey {
        owner,
        version: 1,
        clients,
        private,
        noted: AtomicU64::default(),
    }
}

/// Puts keys into a new cache, as if a store had had them.
pub fn load(cache: &KeyCache, keys: Vec<(KeyId, OpenKey)>) {
    let ids: Vec<_> = keys.iter().map(|(id, _)| *id).collect();
    let keys = keys.into_iter().map(|(id, key)| (id, Arc::new(key)));
    let loaded = Loaded {
        keys: keys.collect(),
        failed: Vec::new(),
    };
    assert!(cache.put(0, &ids, &loaded), "it is new");
}

/// Names of records: each is written as it is read, and is found among those that begin like it.
pub fn name(text: &str) {
    let Ok(name) = text.parse::<RecordName>() else {
        return;
    };
    assert_eq!(name.to_string(), text);
    if let Some(owner) = name.owner() {
        assert!(text.contains(owner.id()));
    }
    let listed_under = match &name {
        RecordName::Owner(owner) => {
            let other = match owner.kind() {
                Kind::Client => Kind::Zone,
                Kind::Zone => Kind::Client,
            };
            assert!(!text.starts_with(&RecordName::owners(other)));
            RecordName::owners(owner.kind())
        }
        RecordName::Key(owner, _) => {
            assert!(text.starts_with(&RecordName::keys(None)));
            RecordName::keys(Some(owner))
        }
        RecordName::Pending(..) => RecordName::PENDING.into(),
        RecordName::Certificate(_) => RecordName::CERTIFICATES.into(),
        RecordName::Audit(_) => RecordName::AUDIT.into(),
        RecordName::Receipt(..) => RecordName::RECEIPTS.into(),
        RecordName::Master(_) => RecordName::MASTERS.into(),
        _ => return,
    };
    let rest = text.strip_prefix(&listed_under);
    assert!(rest.is_some_and(|rest| !rest.is_empty()), "{text}");
}

/// Addresses of stores: what is shown of one is read as it.
pub fn address(text: &str) {
    let Ok(address) = text.parse::<StoreAddress>() else {
        return;
    };
    let shown = address.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&address));
    assert_eq!(address.place(), Path::new(&shown));
    let json = serde_json::to_value(&address).expect("an address can be written");
    assert_eq!(json, shown);
    assert_eq!(serde_json::from_value(json).ok().as_ref(), Some(&address));
    match &address {
        StoreAddress::File(path) => {
            assert_eq!(path.as_os_str(), text);
            assert_eq!(address.file(), Some(path.as_path()));
            assert_eq!(StoreAddress::from(path.clone()), address);
        }
        StoreAddress::Etcd(etcd) => {
            assert_eq!(address.file(), None);
            assert!(etcd.prefix().starts_with('/') && etcd.prefix().ends_with('/'));
            assert!(shown.ends_with(etcd.prefix().trim_end_matches('/')));
            assert!(!etcd.endpoints().is_empty());
            etcd.endpoints().iter().for_each(endpoint);
        }
    }
}

/// Whether it is this host's is what the standard library says, or the name.
fn endpoint(endpoint: &Endpoint) {
    let shown = endpoint.to_string();
    let is_loopback = match shown.parse::<std::net::SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => shown
            .rsplit_once(':')
            .is_some_and(|(host, _)| host.eq_ignore_ascii_case("localhost")),
    };
    assert_eq!(endpoint.is_loopback(), is_loopback, "{shown}");
}
