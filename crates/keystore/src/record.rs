//! What the records hold, and the JSON form of their bodies.
//!
//! Private keys and sealing are not here: see `store` and `seal`. A body that holds a field unknown
//! here is refused, because a program that wrote it back would lose the field.

mod audit;
mod certificate;
mod key;
mod owner;
mod permitted;
mod receipt;
mod setting;
mod time;

use envelope::ClientId;
use serde::{Deserialize, Serialize};

pub use audit::{Entry, Event};
pub use certificate::{Certificate, NotASerial, Revocations, Revoked, Serial};
pub use key::{KeyRecord, KeyState};
pub use owner::{Client, Fate, Zone};
pub use permitted::Permitted;
pub use receipt::Receipt;
pub use setting::{LastChange, NotASetting, Setting, SettingName, SettingValue, Settings};
pub use time::Timestamp;

pub(crate) use audit::{AuditBody, HeadBody};
pub(crate) use certificate::{CertificateBody, RevocationsBody};
pub(crate) use key::{KeyBody, KeyIdBody, UsedBody};
pub(crate) use owner::{ClientBody, UsageBody, ZoneBody};
pub(crate) use receipt::{ReceiptBody, SigningKey};

/// The body of the header: what is known of the store as a whole.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderBody {
    pub created: Timestamp,
    /// The id of the master key that is being replaced, while records may still be sealed under it.
    pub previous: Option<String>,
    /// When a master key was replaced last.
    pub replaced: Option<Timestamp>,
    /// Where the store has moved to; it takes no more changes here.
    pub moved: Option<String>,
}

/// The body of the clock that runs while servers do.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockBody {
    /// The time of the system at the last reading.
    pub system: Timestamp,
    /// Seconds that servers have been seen to run, in all.
    pub seconds: u64,
}

fn client_id(text: &str) -> Result<ClientId, String> {
    text.try_into()
        .map_err(|error: envelope::IdError| error.to_string())
}

/// A client's id or `null`.
mod optional_client {
    use envelope::ClientId;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(id: &Option<ClientId>, to: S) -> Result<S::Ok, S::Error> {
        id.as_ref().map(ClientId::as_str).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ClientId>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::client_id(&text))
            .transpose()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use envelope::{ClientId, Owner, PrivateKey, ZoneId};
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;

    use super::*;

    fn read_back<T: Serialize + DeserializeOwned>(body: &T) -> T {
        serde_json::from_slice(&serde_json::to_vec(body).unwrap()).unwrap()
    }

    fn client() -> impl Strategy<Value = ClientId> {
        "[A-Za-z0-9_.:@-]{1,128}".prop_map(|id| id.as_str().try_into().unwrap())
    }

    fn permitted() -> impl Strategy<Value = Permitted> {
        let only = proptest::collection::btree_set(client(), 0..5).prop_map(Permitted::Only);
        prop_oneof![Just(Permitted::All), only]
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        (0..=253_402_300_799u64).prop_map(|seconds| Timestamp::from_seconds(seconds).unwrap())
    }

    fn state() -> impl Strategy<Value = KeyState> {
        prop_oneof![
            Just(KeyState::Active),
            Just(KeyState::OpenOnly),
            Just(KeyState::Retired),
            Just(KeyState::Destroyed)
        ]
    }

    proptest! {
        #[test]
        fn every_client_reads_back(id in client(), created in time(), create_zones: bool, zones_per_day: Option<u32>, active: u32) {
            let body = || ClientBody { created, create_zones, zones_per_day, active };
            prop_assert_eq!(read_back(&body()).client(id.clone()), body().client(id));
        }

        #[test]
        fn every_zone_reads_back(
            created in time(),
            creator in proptest::option::of(client()),
            clients in permitted(),
            active: u32,
        ) {
            let body = || ZoneBody {
                created,
                creator: creator.clone(),
                clients: clients.clone(),
                active,
                fate: Fate::Destroying { ordered: created, due: 7 },
            };
            let id: ZoneId = "tenant-1".parse().unwrap();
            prop_assert_eq!(read_back(&body()).zone(id.clone()), body().zone(id));
        }

        #[test]
        fn every_key_reads_back(
            id in client(),
            private: [u8; 32],
            version: u32,
            state in state(),
            created in time(),
        ) {
            let public_key = PrivateKey::from_bytes(private).public_key();
            let key = KeyRecord {
                owner: Owner::Client(id),
                version,
                public_key,
                key_id: public_key.key_id(),
                state,
                created,
            };
            let body = read_back(&KeyBody::from(&key));
            prop_assert_eq!(body.key(key.owner.clone(), version), Ok(key));
        }

        #[test]
        fn a_body_with_one_byte_changed_is_refused_or_still_a_body(at: prop::sample::Index, byte: u8) {
            let body = ZoneBody {
                created: Timestamp::from_seconds(0).unwrap(),
                creator: None,
                clients: Permitted::All,
                active: 1,
                fate: Fate::Kept,
            };
            let mut bytes = serde_json::to_vec(&body).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(body) = serde_json::from_slice::<ZoneBody>(&bytes) {
                let again = read_back(&body);
                prop_assert_eq!(body.active, again.active);
                prop_assert_eq!(body.clients, again.clients);
            }
        }
    }
}
