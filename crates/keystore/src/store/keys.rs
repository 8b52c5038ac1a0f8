//! Keys: finding them by owner or id, unwrapping their private halves, and their life: each is made
//! active, replaced by the next version, retired, restored, and (in `shred`) destroyed.

use std::time::Duration;

use envelope::{KeyId, Owner, PrivateKey};
use zeroize::Zeroizing;

use super::owners::{MAX_DRAWS, label};
use super::{Author, Store, Transaction};
use crate::Error;
use crate::name::RecordName;
use crate::record::{
    ClientBody, Event, Fate, KeyBody, KeyIdBody, KeyRecord, KeyState, Timestamp, ZoneBody,
};

/// A key that was used within this time is retired or destroyed only by force.
pub const RECENT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Author<'_> {
    /// Gives an owner a new active key. The one before goes on opening what was sealed to it.
    pub fn rotate_key(&self, owner: &Owner) -> Result<KeyRecord, Error> {
        self.rotate(owner, None)
    }

    /// As [`Author::rotate_key`], if the active key is of this version still.
    pub fn rotate_key_from(&self, owner: &Owner, version: u32) -> Result<KeyRecord, Error> {
        self.rotate(owner, Some(version))
    }

    fn rotate(&self, owner: &Owner, expected: Option<u32>) -> Result<KeyRecord, Error> {
        let (key, _) = self.change(|tx| {
            let before = set_active(tx, owner)?;
            if let Some(expected) = expected.filter(|expected| *expected != before) {
                return Err(Error::RotatedMeanwhile {
                    owner: owner.clone(),
                    expected,
                    found: before,
                });
            }
            let mut old = require(tx, owner, before)?;
            old.state = KeyState::OpenOnly;
            write(tx, &old)?;
            let version = before.checked_add(1).ok_or(Error::EveryIdTaken(0))?;
            let key = add(tx, owner, version)?;
            tx.log(Event::KeyRotated {
                owner: label(owner),
                version,
                key: key.key_id.to_string(),
            });
            Ok(key)
        })?;
        Ok(key)
    }

    /// Has a key that is not the active one open nothing any more, until it is restored. One used
    /// within [`RECENT`] is retired by force only.
    pub fn retire_key(&self, owner: &Owner, version: u32, force: bool) -> Result<KeyRecord, Error> {
        self.store.check_use(owner, version, force)?;
        self.set_state(owner, version, KeyState::OpenOnly, KeyState::Retired)
    }

    /// Has a retired key open again.
    pub fn restore_key(&self, owner: &Owner, version: u32) -> Result<KeyRecord, Error> {
        self.set_state(owner, version, KeyState::Retired, KeyState::OpenOnly)
    }

    fn set_state(
        &self,
        owner: &Owner,
        version: u32,
        from: KeyState,
        to: KeyState,
    ) -> Result<KeyRecord, Error> {
        let (key, _) = self.change(|tx| {
            let mut key = require(tx, owner, version)?;
            if key.state == to {
                return Ok(key);
            }
            if key.state != from {
                return Err(Error::OtherState {
                    owner: owner.clone(),
                    version,
                    state: key.state,
                    needed: from,
                });
            }
            key.state = to;
            write(tx, &key)?;
            let (owner, retired) = (label(owner), to == KeyState::Retired);
            tx.log(match retired {
                true => Event::KeyRetired { owner, version },
                false => Event::KeyRestored { owner, version },
            });
            Ok(key)
        })?;
        Ok(key)
    }
}

/// Counts an owner's active version up by one, and answers what it was.
fn set_active(tx: &mut Transaction<'_>, owner: &Owner) -> Result<u32, Error> {
    let name = RecordName::Owner(owner.clone());
    match owner {
        Owner::Client(id) => {
            let Some(mut body) = tx.read_json::<ClientBody>(&name)? else {
                return Err(Error::UnknownClient(id.clone()));
            };
            let before = body.active;
            body.active = before.saturating_add(1);
            tx.put_json(&name, &body)?;
            Ok(before)
        }
        Owner::Zone(id) => {
            let Some(mut body) = tx.read_json::<ZoneBody>(&name)? else {
                return Err(Error::UnknownZone(id.clone()));
            };
            if body.fate != Fate::Kept {
                return Err(Error::ZoneGoing(id.clone()));
            }
            let before = body.active;
            body.active = before.saturating_add(1);
            tx.put_json(&name, &body)?;
            Ok(before)
        }
    }
}

/// A key, which must not change before the commit.
pub(super) fn require(
    tx: &mut Transaction<'_>,
    owner: &Owner,
    version: u32,
) -> Result<KeyRecord, Error> {
    let name = RecordName::Key(owner.clone(), version);
    let Some(body) = tx.read_json::<KeyBody>(&name)? else {
        return Err(Error::UnknownKey {
            owner: owner.clone(),
            version,
        });
    };
    body.key(owner.clone(), version)
        .map_err(|what| tx.store().unknown_form(&name, what))
}

/// Writes a key's record.
pub(super) fn write(tx: &mut Transaction<'_>, key: &KeyRecord) -> Result<(), Error> {
    let name = RecordName::Key(key.owner.clone(), key.version);
    tx.put_json(&name, &KeyBody::from(key))
}

/// Adds an owner's next key. A key pair whose id is taken is drawn again.
pub(super) fn add(
    tx: &mut Transaction<'_>,
    owner: &Owner,
    version: u32,
) -> Result<KeyRecord, Error> {
    add_drawn(tx, owner, version, || Ok(PrivateKey::generate()?))
}

pub(super) fn add_drawn(
    tx: &mut Transaction<'_>,
    owner: &Owner,
    version: u32,
    mut draw: impl FnMut() -> Result<PrivateKey, Error>,
) -> Result<KeyRecord, Error> {
    let name = RecordName::Key(owner.clone(), version);
    let private_name = RecordName::Private(owner.clone(), version);
    for name in [&name, &private_name] {
        if tx.is_taken(name)? {
            return Err(Error::Damaged {
                path: tx.store().path().into(),
                what: format!("record {name} is there before its key was made"),
            });
        }
    }
    for _ in 0..MAX_DRAWS {
        let private = draw()?;
        let public_key = private.public_key();
        let id_name = RecordName::KeyId(public_key.key_id());
        if tx.is_taken(&id_name)? {
            continue;
        }
        let key = KeyRecord {
            owner: owner.clone(),
            version,
            public_key,
            key_id: public_key.key_id(),
            state: KeyState::Active,
            created: Timestamp::now(),
        };
        write(tx, &key)?;
        tx.put(&private_name, private.expose_secret())?;
        tx.put_json(
            &id_name,
            &KeyIdBody {
                key: name.to_string(),
            },
        )?;
        return Ok(key);
    }
    Err(Error::EveryIdTaken(MAX_DRAWS))
}

impl Store {
    /// The key that writers seal to for this owner. It is an active one: an owner's record that was
    /// put back names a key that may open nothing any more.
    pub fn active_key(&self, owner: &Owner) -> Result<KeyRecord, Error> {
        let mut version = self.active_version(owner)?;
        loop {
            let key = self.key(owner.clone(), version)?;
            if key.state == KeyState::Active {
                return Ok(key);
            }
            // It may have been replaced between the two.
            let now = self.active_version(owner)?;
            if now == version {
                return Err(self.altered(RecordName::Owner(owner.clone()).to_string()));
            }
            version = now;
        }
    }

    fn active_version(&self, owner: &Owner) -> Result<u32, Error> {
        match owner {
            Owner::Client(id) => {
                let client = self.client(id)?;
                let client = client.ok_or_else(|| Error::UnknownClient(id.clone()))?;
                Ok(client.active)
            }
            Owner::Zone(id) => {
                let zone = self
                    .zone(id)?
                    .ok_or_else(|| Error::UnknownZone(id.clone()))?;
                match zone.fate {
                    Fate::Kept => Ok(zone.active),
                    Fate::Destroying { .. } => Err(Error::ZoneGoing(id.clone())),
                    Fate::Destroyed { .. } => Err(Error::ZoneGone(id.clone())),
                }
            }
        }
    }

    /// The key of this owner and version, which must be there.
    pub fn find_key(&self, owner: &Owner, version: u32) -> Result<KeyRecord, Error> {
        let known = match owner {
            Owner::Client(id) => self
                .client(id)?
                .map(drop)
                .ok_or(Error::UnknownClient(id.clone())),
            Owner::Zone(id) => self
                .zone(id)?
                .map(drop)
                .ok_or(Error::UnknownZone(id.clone())),
        };
        known?;
        match self.key(owner.clone(), version) {
            Err(Error::RecordMissing { .. }) => Err(Error::UnknownKey {
                owner: owner.clone(),
                version,
            }),
            found => found,
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

    /// The key of this owner and version, which another record says is there.
    fn key(&self, owner: Owner, version: u32) -> Result<KeyRecord, Error> {
        let name = RecordName::Key(owner.clone(), version);
        let Some(body) = self.read_json::<KeyBody>(&name)? else {
            return Err(self.missing(&name));
        };
        body.key(owner, version)
            .map_err(|what| self.unknown_form(&name, what))
    }
}
