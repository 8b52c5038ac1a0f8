//! What the records hold, and the JSON form of their bodies.
//!
//! The header, private keys and sealing are not here: see `store` and `seal`. A body that holds a
//! field unknown here is refused, because a program that wrote it back would lose the field.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::{ClientId, KeyId, Owner, PublicKey, ZoneId};
use serde::{Deserialize, Serialize};

/// A client: whose certificate it is that opens sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// When it was added.
    pub created: Timestamp,
    /// Whether it may create zones through the control API.
    pub create_zones: bool,
    /// The version of its active key.
    pub active: u32,
}

/// A zone: a group of rows, and who may open them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// When it was added.
    pub created: Timestamp,
    /// The client that created it through the control API; `None` when an operator did.
    pub creator: Option<ClientId>,
    /// Who may open values sealed to it.
    pub clients: Permitted,
    /// The version of its active key.
    pub active: u32,
}

/// The clients that may open for a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PermittedBody", into = "PermittedBody")]
pub enum Permitted {
    /// Every client, said explicitly: `*`.
    All,
    /// These clients and no other.
    Only(BTreeSet<ClientId>),
}

impl Permitted {
    /// Whether this client is among them.
    pub fn permits(&self, client: &ClientId) -> bool {
        match self {
            Permitted::All => true,
            Permitted::Only(clients) => clients.contains(client),
        }
    }
}

/// A key pair as the store lists it: all but the private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whose key it is.
    pub owner: Owner,
    /// Counts the owner's keys, from 1.
    pub version: u32,
    /// What writers seal to.
    pub public_key: PublicKey,
    /// Names the key in envelopes; follows from the public key.
    pub key_id: KeyId,
    /// What it is used for.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Handed out to writers, and opens.
    Active,
    /// Opens what was sealed to it, but is not handed out any more.
    OpenOnly,
    /// Its private half is gone for good; what was sealed to it never opens again.
    Destroyed,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyState::Active => "active",
            KeyState::OpenOnly => "open-only",
            KeyState::Destroyed => "destroyed",
        })
    }
}

/// A point in time, in whole seconds since 1970-01-01 UTC; shown after RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last second of the year 9999, beyond which RFC 3339 does not reach.
    const LAST: u64 = 253_402_300_799;

    /// The present time; 1970 on a clock set before it.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| since.as_secs().min(Self::LAST)))
    }

    /// The time this many seconds after 1970-01-01 UTC; `None` beyond the year 9999.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        (seconds <= Self::LAST).then_some(Timestamp(seconds))
    }

    /// This many days later, or the last second that can be shown.
    pub fn plus_days(self, days: u16) -> Self {
        Timestamp((self.0 + u64::from(days) * 24 * 60 * 60).min(Self::LAST))
    }

    /// Seconds since 1970-01-01 UTC.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Timestamp {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        Self::from_seconds(seconds).ok_or("a time beyond the year 9999")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_secs(self.0);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

/// The body of the header: what is known of the store as a whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderBody {
    pub created: Timestamp,
}

/// The body of a client.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientBody {
    pub created: Timestamp,
    pub create_zones: bool,
    pub active: u32,
}

impl ClientBody {
    pub fn client(self, id: ClientId) -> Client {
        Client {
            id,
            created: self.created,
            create_zones: self.create_zones,
            active: self.active,
        }
    }
}

/// The body of a zone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZoneBody {
    pub created: Timestamp,
    #[serde(with = "optional_client")]
    pub creator: Option<ClientId>,
    pub clients: Permitted,
    pub active: u32,
}

impl ZoneBody {
    pub fn zone(self, id: ZoneId) -> Zone {
        Zone {
            id,
            created: self.created,
            creator: self.creator,
            clients: self.clients,
            active: self.active,
        }
    }
}

/// The body of a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    public_key: String,
    key_id: String,
    state: KeyState,
    created: Timestamp,
}

impl From<&KeyRecord> for KeyBody {
    fn from(key: &KeyRecord) -> Self {
        KeyBody {
            public_key: STANDARD.encode(key.public_key.as_bytes()),
            key_id: key.key_id.to_string(),
            state: key.state,
            created: key.created,
        }
    }
}

impl KeyBody {
    /// The key of this owner and version; an error when the public key is none, or of another id.
    pub fn key(self, owner: Owner, version: u32) -> Result<KeyRecord, String> {
        let bytes = STANDARD
            .decode(&self.public_key)
            .map_err(|_| "the public key is not base64")?;
        let public_key =
            PublicKey::try_from(bytes.as_slice()).map_err(|error| error.to_string())?;
        let key_id: KeyId = self
            .key_id
            .parse()
            .map_err(|error: envelope::KeyError| error.to_string())?;
        if public_key.key_id() != key_id {
            return Err(format!(
                "the public key has id {}, stated is {key_id}",
                public_key.key_id()
            ));
        }
        Ok(KeyRecord {
            owner,
            version,
            public_key,
            key_id,
            state: self.state,
            created: self.created,
        })
    }
}

/// The body of a key id: the name of the key that has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyIdBody {
    pub key: String,
}

/// `"*"`, or the ids in their order.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PermittedBody {
    All(String),
    Only(Vec<String>),
}

impl From<Permitted> for PermittedBody {
    fn from(permitted: Permitted) -> Self {
        match permitted {
            Permitted::All => PermittedBody::All("*".into()),
            Permitted::Only(clients) => {
                PermittedBody::Only(clients.iter().map(ClientId::to_string).collect())
            }
        }
    }
}

impl TryFrom<PermittedBody> for Permitted {
    type Error = String;

    fn try_from(body: PermittedBody) -> Result<Self, String> {
        match body {
            PermittedBody::All(star) if star == "*" => Ok(Permitted::All),
            PermittedBody::All(other) => Err(format!("clients are a list or \"*\", not {other:?}")),
            PermittedBody::Only(clients) => {
                let ids = clients.iter().map(|id| client_id(id));
                Ok(Permitted::Only(ids.collect::<Result<_, _>>()?))
            }
        }
    }
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
    use envelope::PrivateKey;
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
        (0..=Timestamp::LAST).prop_map(Timestamp)
    }

    fn state() -> impl Strategy<Value = KeyState> {
        prop_oneof![
            Just(KeyState::Active),
            Just(KeyState::OpenOnly),
            Just(KeyState::Destroyed)
        ]
    }

    proptest! {
        #[test]
        fn every_client_reads_back(id in client(), created in time(), create_zones: bool, active: u32) {
            let body = || ClientBody { created, create_zones, active };
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
                created: Timestamp(0),
                creator: None,
                clients: Permitted::All,
                active: 1,
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

    #[test]
    fn times_are_shown_after_rfc_3339() {
        let shown = [0, 1_796_083_200, Timestamp::LAST].map(|time| Timestamp(time).to_string());
        assert_eq!(
            shown,
            [
                "1970-01-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
                "9999-12-31T23:59:59Z"
            ]
        );
        assert_eq!(Timestamp::from_seconds(Timestamp::LAST + 1), None);
        assert_eq!(Timestamp(5).plus_days(2), Timestamp(172_805));
        assert_eq!(
            Timestamp(Timestamp::LAST - 5).plus_days(1).0,
            Timestamp::LAST
        );
    }

    #[test]
    fn a_list_permits_its_clients_and_the_star_every_one() {
        let [app, other] = ["app", "other"].map(|id| ClientId::try_from(id).unwrap());
        let only = Permitted::Only([app.clone()].into());
        assert!(only.permits(&app) && !only.permits(&other));
        assert!(!Permitted::Only(BTreeSet::new()).permits(&app));
        assert!(Permitted::All.permits(&other));
    }
}
