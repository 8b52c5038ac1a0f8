//! The master keys that a store's records open with: one, or two while one replaces the other.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::copy::UNFINISHED;
use crate::Error;
use crate::engine::Engine;
use crate::master_key::{MasterKey, MasterKeyId};
use crate::name::RecordName;
use crate::record::HeaderBody;
use crate::seal::{self, StoreId};

/// What the header says, and the keys that follow from it.
pub(super) struct Ring {
    /// The store's id.
    pub store: StoreId,
    /// Seals what is written.
    pub current: Arc<MasterKey>,
    /// Opens what has not been sealed anew yet.
    pub previous: Option<Arc<MasterKey>>,
    /// The header.
    pub header: HeaderBody,
    /// When it was written.
    pub revision: i64,
}

impl Ring {
    /// Reads the header, and follows from one of these keys to the one that is in use.
    pub fn load(engine: &dyn Engine, known: &[Arc<MasterKey>]) -> Result<Self, Error> {
        match Self::load_once(engine, known) {
            // The header and the key that it leads to are read one after the other: a change of
            // master keys may have ended, or begun, between the two.
            Err(Error::Altered { .. } | Error::WrongMasterKey { .. }) => {
                Self::load_once(engine, known)
            }
            loaded => loaded,
        }
    }

    fn load_once(engine: &dyn Engine, known: &[Arc<MasterKey>]) -> Result<Self, Error> {
        let damaged = |what: &str| Error::Damaged {
            path: engine.place().into(),
            what: what.into(),
        };
        let Some(found) = engine.get(&RecordName::Header.to_string())? else {
            if engine.get(UNFINISHED)?.is_some() {
                return Err(Error::Unfinished {
                    path: engine.place().into(),
                });
            }
            return Err(damaged("its header is missing"));
        };
        let parts = found.value.split_first_chunk().and_then(|(id, rest)| {
            let (key, sealed) = rest.split_first_chunk()?;
            Some((StoreId(*id), MasterKeyId(*key), sealed))
        });
        let Some((store, needed, sealed)) = parts else {
            return Err(damaged("its header is cut short"));
        };
        let altered = |name: &RecordName| Error::Altered {
            path: engine.place().into(),
            record: name.to_string(),
        };
        let fits = |key: &&Arc<MasterKey>| bool::from(key.id().0.ct_eq(&needed.0));
        let mut current = known.iter().find(fits).cloned();
        for old in known {
            if current.is_none() {
                let successor = other(engine, store, old)?;
                current = successor.map(Arc::new).filter(|key| fits(&key));
            }
        }
        let Some(current) = current else {
            return Err(Error::WrongMasterKey {
                path: engine.place().into(),
                needed,
                given: known.first().map_or(needed, |key| key.id()),
            });
        };
        let body = seal::unseal(&current, store, &RecordName::Header, sealed)
            .ok_or_else(|| altered(&RecordName::Header))?;
        let header: HeaderBody =
            serde_json::from_slice(&body).map_err(|error| Error::UnknownForm {
                path: engine.place().into(),
                record: RecordName::Header.to_string(),
                what: error.to_string(),
            })?;
        let previous = match &header.previous {
            None => None,
            Some(id) => {
                let key = match known.iter().find(|key| key.id().to_string() == *id) {
                    Some(key) => Some(key.clone()),
                    None => other(engine, store, &current)?.map(Arc::new),
                };
                let key = key.filter(|key| key.id().to_string() == *id);
                Some(key.ok_or_else(|| altered(&RecordName::Master(current.id())))?)
            }
        };
        Ok(Ring {
            store,
            current,
            previous,
            header,
            revision: found.revision,
        })
    }

    /// The value of the header.
    pub fn seal_header(
        store: StoreId,
        master: &MasterKey,
        body: &HeaderBody,
    ) -> Result<Vec<u8>, Error> {
        let body = super::json(body);
        let sealed = seal::seal(master, store, &RecordName::Header, &body)?;
        Ok([store.0.as_slice(), &master.id().0, &sealed].concat())
    }

    /// Opens a record with whichever key it is sealed under.
    pub fn unseal(&self, name: &RecordName, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.unseal_with_current(name, sealed).or_else(|| {
            let previous = self.previous.as_ref()?;
            seal::unseal(previous, self.store, name, sealed)
        })
    }

    pub fn unseal_with_current(
        &self,
        name: &RecordName,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        seal::unseal(&self.current, self.store, name, sealed)
    }

    pub fn seal(&self, name: &RecordName, body: &[u8]) -> Result<Vec<u8>, Error> {
        seal::seal(&self.current, self.store, name, body)
    }
}

/// The other key of a change of master keys, as this one opens it; `None` if there is none.
fn other(engine: &dyn Engine, store: StoreId, key: &MasterKey) -> Result<Option<MasterKey>, Error> {
    let name = RecordName::Master(key.id());
    let Some(found) = engine.get(&name.to_string())? else {
        return Ok(None);
    };
    let opened = seal::unseal(key, store, &name, &found.value);
    match opened
        .as_deref()
        .and_then(|bytes| MasterKey::from_bytes(bytes))
    {
        Some(key) => Ok(Some(key)),
        None => Err(Error::Altered {
            path: engine.place().into(),
            record: name.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
