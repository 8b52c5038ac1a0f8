//! The store: sealed records above an engine.
//!
//! Here are making and opening a store, and reading sealed records. Changes are `store/transaction`;
//! the master keys they are sealed under, `store/ring` and `store/master`. What the records mean is
//! in `store/owners` (clients, zones, grants), `store/keys` (rotation, states), `store/shred`
//! (destruction), `store/certificates`, `store/settings`, and `store/audit`.
//! `docs/keystore-format.md` is the format.

mod audit;
pub(crate) mod backup;
mod certificates;
mod copy;
mod keys;
mod master;
mod owners;
mod ring;
mod settings;
mod shred;
mod transaction;
mod used;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::Error;
use crate::engine::{Edit, Engine, Listed, Named};
use crate::master_key::{MasterKey, MasterKeyId};
use crate::name::RecordName;
use crate::place::Place;
use crate::record::{HeadBody, HeaderBody, RevocationsBody, Settings, SigningKey, Timestamp};
use crate::seal::{self, StoreId};

use ring::Ring;
use transaction::Transaction;

pub use audit::{Anchor, Audited, Chain};
pub use backup::Backup;
pub use copy::{Copied, Purpose};
pub use keys::RECENT;
pub use master::{HANDOVER, MasterState};
pub use owners::NewZone;
pub use settings::MAX_SETTINGS;
pub use shred::Swept;
pub use transaction::Author;

/// How long a store is waited for that another process has locked.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most records that one page holds, however many are asked for.
pub const MAX_PAGE: usize = crate::engine::MAX_PAGE;

/// An open store; shared by threads, and what it stands on by processes.
///
/// Every call reads from the engine and may wait, up to the busy timeout: async callers keep it off
/// their threads. Changes are made in somebody's name: [`Store::by`].
pub struct Store {
    engine: Box<dyn Engine>,
    /// The master key that was given last.
    given: RwLock<Arc<MasterKey>>,
    ring: RwLock<Arc<Ring>>,
    /// The revision of the clock of destructions, and since when it is known to stand there.
    clock: Mutex<Option<(i64, Instant)>>,
}

impl Store {
    /// Makes a new store under this master key: a file of mode 0600, or a prefix in etcd. Nothing is
    /// overwritten, and nothing is left behind when it fails.
    pub fn create(place: impl Into<Place>, master: MasterKey, by: &str) -> Result<Self, Error> {
        let mut id = StoreId([0; 16]);
        getrandom::fill(&mut id.0).map_err(|_| Error::NoRandom)?;
        let body = HeaderBody {
            created: Timestamp::now(),
            previous: None,
            replaced: None,
            moved: None,
        };
        let receipts = SigningKey::generate()?;
        let sealed = |name: RecordName, body: &[u8]| -> Result<Edit, Error> {
            Ok(Edit::Put(Named {
                value: seal::seal(&master, id, &name, body)?,
                name: name.to_string(),
            }))
        };
        let (first, head) = audit::beginning(&master, &receipts, by);
        let records = [
            Edit::Put(Named {
                name: RecordName::Header.to_string(),
                value: Ring::seal_header(id, &master, &body)?,
            }),
            sealed(RecordName::ReceiptKey, &receipts.seed())?,
            sealed(RecordName::Revocations, &json(&RevocationsBody::default()))?,
            sealed(RecordName::Settings, &json(&Settings::default()))?,
            sealed(RecordName::Audit(1), &first)?,
            sealed(RecordName::AuditHead, &json::<HeadBody>(&head))?,
        ];
        Self::over(place.into().create(BUSY_TIMEOUT, &records)?, master)
    }

    /// Opens a store with its master key, or with the one that was replaced last, until that is
    /// forgotten.
    ///
    /// Refused without a change to it: a file that others can read or write, what is no store, or of
    /// a newer format, or of another master key, or damaged so far that this shows here.
    pub fn open(place: impl Into<Place>, master: MasterKey) -> Result<Self, Error> {
        Self::open_within(place, master, BUSY_TIMEOUT)
    }

    /// Opens a store as [`Store::open`] does, and waits for a locked file for `busy_timeout`, now
    /// and later.
    pub fn open_within(
        place: impl Into<Place>,
        master: MasterKey,
        busy_timeout: Duration,
    ) -> Result<Self, Error> {
        Self::over(place.into().open(busy_timeout)?, master)
    }

    fn over(engine: Box<dyn Engine>, master: MasterKey) -> Result<Self, Error> {
        let given = Arc::new(master);
        let ring = Ring::load(&*engine, std::slice::from_ref(&given))?;
        Ok(Store {
            engine,
            given: RwLock::new(given),
            ring: RwLock::new(Arc::new(ring)),
            clock: Mutex::default(),
        })
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        self.engine.place()
    }

    /// Whether both hold the same store, in the same place or another.
    pub fn is_same_store(&self, other: &Self) -> bool {
        self.ring().store.0 == other.ring().store.0
    }

    /// Where the store has moved to; it takes no more changes here.
    pub fn moved_to(&self) -> Option<String> {
        self.ring().header.moved.clone()
    }

    /// The id of the master key that the store's records are sealed under.
    pub fn master_key_id(&self) -> MasterKeyId {
        self.ring().current.id()
    }

    /// True if the master key that the store was opened with has been replaced since: it opens the
    /// store only until it is forgotten.
    pub fn master_key_is_outdated(&self) -> bool {
        self.given().id() != self.master_key_id()
    }

    /// Takes another master key in the place of the one that was given before: after a change of
    /// master keys, the one that is in use now.
    pub fn give_master(&self, master: MasterKey) -> Result<(), Error> {
        let master = Arc::new(master);
        let ring = Ring::load(&*self.engine, std::slice::from_ref(&master))?;
        *self.given.write().unwrap_or_else(PoisonError::into_inner) = master;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    fn given(&self) -> Arc<MasterKey> {
        self.given
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What has changed after `since`, by whatever process. Cheap when nothing has.
    ///
    /// Who keeps something he has read (a [`KeyCache`](crate::KeyCache)) asks at least once a
    /// second. Revisions are not sealed, so this proves nothing.
    pub fn changes(&self, since: Revision) -> Result<Changed, Error> {
        let changes = self.engine.changes(since.0)?;
        let names = changes.names.map(|names| {
            let names = names.iter().filter_map(|name| name.parse().ok());
            names.collect::<Vec<RecordName>>()
        });
        if names
            .as_ref()
            .is_none_or(|names| names.contains(&RecordName::Header))
        {
            self.reload()?;
        }
        Ok(Changed {
            revision: Revision(changes.revision),
            names,
        })
    }

    /// The state the store is in.
    pub fn revision(&self) -> Result<Revision, Error> {
        Ok(Revision(self.engine.changes(0)?.revision))
    }

    /// The store's id, in hexadecimal.
    fn id_text(&self) -> String {
        let id = self.ring().store;
        id.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn ring(&self) -> Arc<Ring> {
        self.ring
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads the header anew, if it has changed.
    fn reload(&self) -> Result<Arc<Ring>, Error> {
        let known = self.ring();
        let found = self.engine.get(&RecordName::Header.to_string())?;
        if found.is_some_and(|found| found.revision == known.revision) {
            return Ok(known);
        }
        let mut keys = vec![known.current.clone(), self.given()];
        keys.extend(known.previous.clone());
        let ring = Arc::new(Ring::load(&*self.engine, &keys)?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        Ok(ring)
    }

    /// A record; `None` if there is none of this name.
    fn read(&self, name: &RecordName) -> Result<Option<Opened>, Error> {
        let text = name.to_string();
        let mut ring = self.ring();
        loop {
            let Some(found) = self.engine.get(&text)? else {
                return Ok(None);
            };
            if let Some(body) = ring.unseal(name, &found.value) {
                return Ok(Some(Opened {
                    body,
                    revision: found.revision,
                }));
            }
            // It may have been sealed under a master key that has come since.
            let newer = self.reload()?;
            if Arc::ptr_eq(&newer, &ring) {
                return Err(self.altered(text));
            }
            ring = newer;
        }
    }

    /// A JSON body; `None` if there is no such record.
    fn read_json<T: DeserializeOwned>(&self, name: &RecordName) -> Result<Option<T>, Error> {
        let read = self.read(name)?;
        read.map(|record| self.parse(name, &record.body))
            .transpose()
    }

    /// A page of records with JSON bodies, in the order of their names.
    fn scan<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, T)>, Error> {
        let page = self.scan_bodies(prefix, after, limit)?;
        let parse = |(name, body): (RecordName, Opened)| {
            let body = self.parse(&name, &body.body)?;
            Ok((name, body))
        };
        page.into_iter().map(parse).collect()
    }

    /// A page of records, in the order of their names.
    fn scan_bodies(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Opened)>, Error> {
        let after = after.map(RecordName::to_string);
        let ring = self.ring();
        let mut records = Vec::new();
        for Listed {
            name: text,
            value,
            revision,
        } in self.engine.scan(prefix, after.as_deref(), limit)?
        {
            let Ok(name) = text.parse() else {
                return Err(self.altered(text));
            };
            match ring.unseal(&name, &value) {
                Some(body) => records.push((name, Opened { body, revision })),
                // Removed meanwhile, or sealed under a newer master key, or altered.
                None => records.extend(self.read(&name)?.map(|opened| (name, opened))),
            }
        }
        Ok(records)
    }

    fn parse<T: DeserializeOwned>(&self, name: &RecordName, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| self.unknown_form(name, error.to_string()))
    }

    fn altered(&self, record: String) -> Error {
        Error::Altered {
            path: self.path().into(),
            record,
        }
    }

    fn unknown_form(&self, name: &RecordName, what: String) -> Error {
        Error::UnknownForm {
            path: self.path().into(),
            record: name.to_string(),
            what,
        }
    }

    /// The error of a record that another one says is there.
    fn missing(&self, name: &RecordName) -> Error {
        Error::RecordMissing {
            path: self.path().into(),
            record: name.to_string(),
        }
    }
}

/// A state of the store: counts the changes since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(i64);

impl Revision {
    /// The number of changes, to be shown.
    pub fn count(self) -> u64 {
        self.0.unsigned_abs()
    }
}

/// What has changed in a store.
pub struct Changed {
    /// The state it is in now.
    pub revision: Revision,
    /// The records written; `None` when they are not known one by one.
    names: Option<Vec<RecordName>>,
}

impl Changed {
    /// The records that may have changed; `None` for any of them.
    pub(crate) fn names(&self) -> Option<&[RecordName]> {
        self.names.as_deref()
    }

    /// Whether the list of revoked certificates may have changed.
    pub fn revocations(&self) -> bool {
        self.may_be(&RecordName::Revocations)
    }

    /// Whether the settings may have changed.
    pub fn settings(&self) -> bool {
        self.may_be(&RecordName::Settings)
    }

    fn may_be(&self, name: &RecordName) -> bool {
        self.names().is_none_or(|names| names.contains(name))
    }

    /// Whether a zone may have been marked for destruction.
    pub fn destructions(&self) -> bool {
        let pending = |name: &RecordName| matches!(name, RecordName::Pending(..));
        self.names().is_none_or(|names| names.iter().any(pending))
    }
}

/// A record that was read.
struct Opened {
    body: Zeroizing<Vec<u8>>,
    revision: i64,
}

/// The JSON form of a body.
fn json<T: Serialize>(body: &T) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(body).expect("a body is made of text and numbers"))
}
