//! Clients and zones: adding them with their first key, and reading their records.

use std::collections::BTreeMap;

use envelope::{ClientId, Kind, Owner, PrivateKey, ZoneId};
use zeroize::Zeroizing;

use super::{Body, Insert, Store, json};
use crate::Error;
use crate::engine::Condition;
use crate::name::RecordName;
use crate::record::{
    Client, ClientBody, KeyBody, KeyIdBody, KeyRecord, KeyState, Permitted, Timestamp, Zone,
    ZoneBody,
};

/// How often an id is drawn anew that is taken; a second time is a chance below 2^-60 already.
const MAX_DRAWS: usize = 8;

/// A zone to be added.
pub struct NewZone {
    /// Its id; `None` to have one drawn.
    pub id: Option<ZoneId>,
    /// Who may open values sealed to it; every client listed must be there.
    pub clients: Permitted,
    /// The client that asks for it, which must be there and allowed to; `None` for an operator.
    pub creator: Option<ClientId>,
}

impl Store {
    /// Adds a client with its first key.
    pub fn add_client(&self, id: &ClientId, create_zones: bool) -> Result<KeyRecord, Error> {
        let body = ClientBody {
            created: Timestamp::now(),
            create_zones,
            active: 1,
        };
        let owner = Owner::Client(id.clone());
        match self.add_owner(&owner, json(&body), &[], PrivateKey::generate)? {
            Added::Key(key) => Ok(key),
            Added::IdTaken => Err(Error::ClientExists(id.clone())),
            Added::Changed => unreachable!("adding a client depends on no other record"),
        }
    }

    /// Adds a zone with its first key; the key's owner names the zone.
    pub fn add_zone(&self, zone: NewZone) -> Result<KeyRecord, Error> {
        let mut draws = 0;
        while draws < MAX_DRAWS {
            let (id, drawn) = match &zone.id {
                Some(id) => (id.clone(), false),
                None => (ZoneId::generate()?, true),
            };
            let unchanged = self.check_clients(&zone)?;
            let body = ZoneBody {
                created: Timestamp::now(),
                creator: zone.creator.clone(),
                clients: zone.clients.clone(),
                active: 1,
            };
            let owner = Owner::Zone(id.clone());
            match self.add_owner(&owner, json(&body), &unchanged, PrivateKey::generate)? {
                Added::Key(key) => return Ok(key),
                Added::IdTaken if drawn => draws += 1,
                Added::IdTaken => return Err(Error::ZoneExists(id)),
                // Somebody wrote a client's record after it was checked: it is checked again.
                Added::Changed => {}
            }
        }
        Err(Error::EveryIdTaken(MAX_DRAWS))
    }

    /// The client of this id.
    pub fn client(&self, id: &ClientId) -> Result<Option<Client>, Error> {
        let name = RecordName::Owner(Owner::Client(id.clone()));
        let body: Option<ClientBody> = self.read_json(&name)?;
        Ok(body.map(|body| body.client(id.clone())))
    }

    /// The zone of this id.
    pub fn zone(&self, id: &ZoneId) -> Result<Option<Zone>, Error> {
        let name = RecordName::Owner(Owner::Zone(id.clone()));
        let body: Option<ZoneBody> = self.read_json(&name)?;
        Ok(body.map(|body| body.zone(id.clone())))
    }

    /// A page of clients by id, those that follow `after`: at most `limit`, and at most
    /// [`MAX_PAGE`](crate::MAX_PAGE). An empty page is the end.
    pub fn clients(&self, after: Option<&ClientId>, limit: usize) -> Result<Vec<Client>, Error> {
        let after = after.map(|id| RecordName::Owner(Owner::Client(id.clone())));
        let page = self.scan(&RecordName::owners(Kind::Client), after.as_ref(), limit)?;
        let client = |(name, body): (RecordName, ClientBody)| match name {
            RecordName::Owner(Owner::Client(id)) => Ok(body.client(id)),
            other => Err(self.altered(other.to_string())),
        };
        page.into_iter().map(client).collect()
    }

    /// A page of zones, as [`Store::clients`].
    pub fn zones(&self, after: Option<&ZoneId>, limit: usize) -> Result<Vec<Zone>, Error> {
        let after = after.map(|id| RecordName::Owner(Owner::Zone(id.clone())));
        let page = self.scan(&RecordName::owners(Kind::Zone), after.as_ref(), limit)?;
        let zone = |(name, body): (RecordName, ZoneBody)| match name {
            RecordName::Owner(Owner::Zone(id)) => Ok(body.zone(id)),
            other => Err(self.altered(other.to_string())),
        };
        page.into_iter().map(zone).collect()
    }

    /// Checks that a zone's clients are there, and that its creator may create it; returns what
    /// the answer depends on.
    fn check_clients(&self, zone: &NewZone) -> Result<Vec<Condition>, Error> {
        let mut checked = BTreeMap::new();
        let listed = match &zone.clients {
            Permitted::All => None,
            Permitted::Only(clients) => Some(clients),
        };
        for id in listed.into_iter().flatten().chain(&zone.creator) {
            let name = RecordName::Owner(Owner::Client(id.clone()));
            let Some(record) = self.read(&name)? else {
                return Err(Error::UnknownClient(id.clone()));
            };
            let client: ClientBody = self.parse(&name, &record.body)?;
            if zone.creator.as_ref() == Some(id) && !client.create_zones {
                return Err(Error::MayNotCreateZones(id.clone()));
            }
            checked.insert(id, record.unchanged);
        }
        Ok(checked.into_values().collect())
    }

    /// Adds an owner with its first key. A key pair whose id is taken is drawn again.
    fn add_owner<E: Into<Error>>(
        &self,
        owner: &Owner,
        body: Zeroizing<Vec<u8>>,
        unchanged: &[Condition],
        mut draw: impl FnMut() -> Result<PrivateKey, E>,
    ) -> Result<Added, Error> {
        let mut records = vec![Body {
            name: RecordName::Owner(owner.clone()),
            body,
        }];
        for _ in 0..MAX_DRAWS {
            let (key, [public, private, id]) = new_key(owner, 1, draw().map_err(E::into)?);
            records.truncate(1);
            records.extend([public, private, id]);
            match self.insert(&records, unchanged)? {
                Insert::Done => return Ok(Added::Key(key)),
                Insert::Changed => return Ok(Added::Changed),
                Insert::Taken(RecordName::Owner(_)) => return Ok(Added::IdTaken),
                Insert::Taken(RecordName::KeyId(_)) => {}
                Insert::Taken(name) => {
                    let what = format!("record {name} is there, its {} is not", owner.kind());
                    return Err(Error::Damaged {
                        path: self.path().into(),
                        what,
                    });
                }
            }
        }
        Err(Error::EveryIdTaken(MAX_DRAWS))
    }
}

/// What became of an owner to be added.
enum Added {
    Key(KeyRecord),
    IdTaken,
    Changed,
}

/// The records of a new key: its public half, its private half, and its id.
fn new_key(owner: &Owner, version: u32, private: PrivateKey) -> (KeyRecord, [Body; 3]) {
    let public_key = private.public_key();
    let key = KeyRecord {
        owner: owner.clone(),
        version,
        public_key,
        key_id: public_key.key_id(),
        state: KeyState::Active,
        created: Timestamp::now(),
    };
    let name = RecordName::Key(owner.clone(), version);
    let records = [
        Body {
            body: json(&KeyBody::from(&key)),
            name: name.clone(),
        },
        Body {
            name: RecordName::Private(owner.clone(), version),
            body: Zeroizing::new(private.expose_secret().to_vec()),
        },
        Body {
            name: RecordName::KeyId(key.key_id),
            body: json(&KeyIdBody {
                key: name.to_string(),
            }),
        },
    ];
    (key, records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;

    fn store(directory: &tempfile::TempDir) -> Store {
        let path = directory.path().join("store.db");
        Store::create(&path, MasterKey::generate().unwrap()).unwrap()
    }

    fn add(store: &Store, id: &str, unchanged: &[Condition], keys: &[u8]) -> Result<Added, Error> {
        let body = ClientBody {
            created: Timestamp::now(),
            create_zones: false,
            active: 1,
        };
        let mut keys = keys.iter();
        let draw = || -> Result<_, Error> {
            let key = *keys.next().expect("more keys were drawn than expected");
            Ok(PrivateKey::from_bytes([key; 32]))
        };
        store.add_owner(
            &Owner::Client(id.parse().unwrap()),
            json(&body),
            unchanged,
            draw,
        )
    }

    #[test]
    fn a_key_pair_whose_id_is_taken_is_drawn_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        assert!(matches!(add(&store, "app", &[], &[1]), Ok(Added::Key(_))));
        let Ok(Added::Key(key)) = add(&store, "other", &[], &[1, 1, 2]) else {
            panic!("the third key pair is free");
        };
        let expected = PrivateKey::from_bytes([2; 32]).public_key();
        assert_eq!(key.public_key, expected);
        assert_eq!(store.active_key(&key.owner).unwrap(), key);
        assert_eq!(store.private_key(&key).unwrap().public_key(), expected);
        let taken = PrivateKey::from_bytes([1; 32]).public_key().key_id();
        assert_eq!(store.key_by_id(taken).unwrap().unwrap().owner.id(), "app");
    }

    #[test]
    fn a_generator_that_repeats_itself_is_not_asked_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        assert!(matches!(add(&store, "app", &[], &[1]), Ok(Added::Key(_))));
        let before = store.revision().unwrap();
        let result = add(&store, "other", &[], &[1; MAX_DRAWS]);
        assert!(matches!(result, Err(Error::EveryIdTaken(MAX_DRAWS))));
        assert_eq!(store.revision().unwrap(), before);
    }

    #[test]
    fn an_owner_is_not_added_when_what_its_check_read_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        let other: ClientId = "other".parse().unwrap();
        let key = store.add_client(&other, true).unwrap();
        let name = RecordName::Owner(key.owner);
        let mut read = store.read(&name).unwrap().unwrap().unchanged;
        assert!(matches!(
            add(&store, "one", &[read.clone()], &[1]),
            Ok(Added::Key(_))
        ));
        read.revision -= 1;
        assert!(matches!(
            add(&store, "two", &[read], &[2]),
            Ok(Added::Changed)
        ));
        assert_eq!(store.client(&"two".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn a_record_that_is_too_large_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        let most = crate::engine::MAX_VALUE - crate::seal::OVERHEAD;
        let record = |length| Body {
            name: RecordName::Owner(Owner::Zone("tenant-1".parse().unwrap())),
            body: Zeroizing::new(vec![b' '; length]),
        };
        let error = store
            .insert(&[record(most + 1)], &[])
            .map(drop)
            .unwrap_err();
        let says = format!(
            "zone/tenant-1 takes {} bytes, at most {most} fit into one record",
            most + 1
        );
        assert_eq!(error.to_string(), says);
        assert!(matches!(
            store.insert(&[record(most)], &[]),
            Ok(Insert::Done)
        ));
        let largest = store.read(&record(most).name).unwrap().unwrap();
        assert_eq!(largest.body.len(), most);
    }
}
