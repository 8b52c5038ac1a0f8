//! Keys: finding them by owner or id, and unwrapping their private halves.

use envelope::{KeyId, Owner, PrivateKey};
use zeroize::Zeroizing;

use super::Store;
use crate::Error;
use crate::name::RecordName;
use crate::record::{KeyBody, KeyIdBody, KeyRecord, KeyState};

impl Store {
    /// The key that writers seal to for this owner.
    pub fn active_key(&self, owner: &Owner) -> Result<KeyRecord, Error> {
        let active = match owner {
            Owner::Client(id) => self.client(id)?.map(|client| client.active),
            Owner::Zone(id) => self.zone(id)?.map(|zone| zone.active),
        };
        match (active, owner) {
            (Some(version), _) => self.key(owner.clone(), version),
            (None, Owner::Client(id)) => Err(Error::UnknownClient(id.clone())),
            (None, Owner::Zone(id)) => Err(Error::UnknownZone(id.clone())),
        }
    }

    /// The key of this id, active or not; `None` when the store never had one.
    pub fn key_by_id(&self, id: KeyId) -> Result<Option<KeyRecord>, Error> {
        let name = RecordName::KeyId(id);
        let Some(body) = self.read_json::<KeyIdBody>(&name)? else {
            return Ok(None);
        };
        let Ok(RecordName::Key(owner, version)) = body.key.parse() else {
            return Err(self.unknown_form(&name, "it names no key".into()));
        };
        let key = self.key(owner, version)?;
        if key.key_id != id {
            return Err(self.unknown_form(&name, "it names the key of another id".into()));
        }
        Ok(Some(key))
    }

    /// Unwraps the private half of a key.
    pub fn private_key(&self, key: &KeyRecord) -> Result<PrivateKey, Error> {
        if key.state == KeyState::Destroyed {
            return Err(Error::Destroyed {
                owner: key.owner.clone(),
                version: key.version,
                key_id: key.key_id,
            });
        }
        let name = RecordName::Private(key.owner.clone(), key.version);
        let Some(record) = self.read(&name)? else {
            return Err(self.missing(&name));
        };
        let Ok(bytes) = <[u8; 32]>::try_from(record.body.as_slice()).map(Zeroizing::new) else {
            return Err(self.unknown_form(&name, "it is not 32 bytes long".into()));
        };
        let private = PrivateKey::from_bytes(*bytes);
        if private.public_key() != key.public_key {
            return Err(self.altered(name.to_string()));
        }
        Ok(private)
    }

    /// A page of keys, of all owners or of one, by kind, owner and version: those that follow
    /// `after`, at most `limit` and at most [`MAX_PAGE`](crate::MAX_PAGE). No private half is
    /// touched. An empty page is the end.
    pub fn keys(
        &self,
        owner: Option<&Owner>,
        after: Option<&KeyRecord>,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, Error> {
        let after = after.map(|key| RecordName::Key(key.owner.clone(), key.version));
        let page = self.scan(&RecordName::keys(owner), after.as_ref(), limit)?;
        let key = |(name, body): (RecordName, KeyBody)| match &name {
            RecordName::Key(owner, version) => {
                let key = body.key(owner.clone(), *version);
                key.map_err(|what| self.unknown_form(&name, what))
            }
            other => Err(self.altered(other.to_string())),
        };
        page.into_iter().map(key).collect()
    }

    fn key(&self, owner: Owner, version: u32) -> Result<KeyRecord, Error> {
        let name = RecordName::Key(owner.clone(), version);
        let Some(body) = self.read_json::<KeyBody>(&name)? else {
            return Err(self.missing(&name));
        };
        body.key(owner, version)
            .map_err(|what| self.unknown_form(&name, what))
    }
}
