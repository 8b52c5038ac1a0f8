//! What holds for the parsers that are this crate's own business, whatever bytes they read: for the
//! workspace's fuzz targets (`fuzz/`), and no part of the crate's interface. Each panics where it
//! does not hold.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use envelope::{KeyId, Owner};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::{KeyCache, Loaded, OpenKey, Use};
use crate::name::RecordName;
use crate::record::{
    AuditBody, CertificateBody, ClientBody, ClockBody, Entry, HeadBody, HeaderBody, KeyBody,
    KeyIdBody, Permitted, ReceiptBody, RevocationsBody, Settings, UsageBody, UsedBody, ZoneBody,
};

pub use crate::etcd::fuzzing::etcd;
pub use crate::store::backup::fuzzing::backup;

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

/// Names of records: each is written as it is read.
pub fn name(text: &str) {
    if let Ok(name) = text.parse::<RecordName>() {
        assert_eq!(name.to_string(), text);
        if let Some(owner) = name.owner() {
            assert!(text.contains(owner.id()));
        }
    }
}

/// A record's name, a NUL, and its body: what is read is written and read again as the same.
pub fn record(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == 0) else {
        return;
    };
    let (name, body) = (&bytes[..end], &bytes[end + 1..]);
    let name = str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    match name {
        Some(RecordName::Header) => body_of::<HeaderBody>(body),
        Some(RecordName::Owner(Owner::Client(_))) => body_of::<ClientBody>(body),
        Some(RecordName::Owner(Owner::Zone(_))) => body_of::<ZoneBody>(body),
        Some(RecordName::Key(owner, version)) => {
            body_of::<KeyBody>(body);
            if let Ok(read) = serde_json::from_slice::<KeyBody>(body)
                && let Ok(key) = read.key(owner, version)
            {
                let again = KeyBody::from(&key).key(key.owner.clone(), version);
                assert_eq!(again.as_ref(), Ok(&key));
            }
        }
        Some(RecordName::KeyId(_)) => body_of::<KeyIdBody>(body),
        Some(RecordName::Used(..)) => body_of::<UsedBody>(body),
        Some(RecordName::Usage(_)) => body_of::<UsageBody>(body),
        Some(RecordName::Clock) => body_of::<ClockBody>(body),
        Some(RecordName::Receipt(..)) => body_of::<ReceiptBody>(body),
        Some(RecordName::Certificate(_)) => body_of::<CertificateBody>(body),
        Some(RecordName::Revocations) => body_of::<RevocationsBody>(body),
        Some(RecordName::Settings) => body_of::<Settings>(body),
        Some(RecordName::AuditHead) => body_of::<HeadBody>(body),
        Some(RecordName::Audit(_)) => {
            body_of::<AuditBody>(body);
            if let Ok(entry) = Entry::from_body(body) {
                assert_eq!(entry.body.as_bytes(), body);
                assert_eq!(entry.hash, Entry::hash_of(body));
            }
        }
        Some(_) | None => {}
    }
}

fn body_of<T: Serialize + DeserializeOwned>(body: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(body) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    let again = serde_json::to_vec(&again).expect("it can be written again");
    assert_eq!(again, written);
}
