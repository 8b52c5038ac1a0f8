//! The store: sealed records above an engine.
//!
//! Here are making and opening a store, and reading and writing sealed records. What the records
//! mean is in `store/owners` (clients and zones) and `store/keys`; SQL is in `sqlite`; the format
//! is written down in `docs/keystore-format.md`.

mod keys;
mod owners;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;
use crate::engine::{Commit, Condition, Edit, Engine, Listed, MAX_VALUE, Named};
use crate::master_key::{MasterKey, MasterKeyId};
use crate::name::RecordName;
use crate::record::{HeaderBody, Timestamp};
use crate::seal::{self, StoreId};
use crate::sqlite::Sqlite;

pub use owners::NewZone;

/// How long a store is waited for that another process has locked.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most records that one page holds, however many are asked for.
pub const MAX_PAGE: usize = crate::engine::MAX_PAGE;

/// An open store; shared by threads, and its file by processes of one host.
///
/// Every call reads the file and may wait for another process, up to the busy timeout: async
/// callers keep it off their threads.
pub struct Store {
    engine: Box<dyn Engine>,
    master: MasterKey,
    id: StoreId,
}

impl Store {
    /// Makes a new store under this master key, in a file of mode 0600. No file is overwritten,
    /// and nothing is left behind when it fails.
    pub fn create(path: &Path, master: MasterKey) -> Result<Self, Error> {
        let mut id = StoreId([0; 16]);
        getrandom::fill(&mut id.0).map_err(|_| Error::NoRandom)?;
        let body = HeaderBody {
            created: Timestamp::now(),
        };
        let sealed = seal::seal(&master, id, &RecordName::Header, &json(&body))?;
        let header = Edit::Put(Named {
            name: RecordName::Header.to_string(),
            value: [id.0.as_slice(), &master.id().0, &sealed].concat(),
        });
        Ok(Store {
            engine: Box::new(Sqlite::create(path, BUSY_TIMEOUT, &[header])?),
            master,
            id,
        })
    }

    /// Opens a store with its master key.
    ///
    /// Refused without a change to the file: one that others can read or write, that is no store,
    /// or of a newer format, or of another master key, or damaged so far that this shows here.
    pub fn open(path: &Path, master: MasterKey) -> Result<Self, Error> {
        Self::open_within(path, master, BUSY_TIMEOUT)
    }

    /// Opens a store as [`Store::open`] does, and waits for a locked one for `busy_timeout`, now
    /// and later.
    pub fn open_within(
        path: &Path,
        master: MasterKey,
        busy_timeout: Duration,
    ) -> Result<Self, Error> {
        let engine = Sqlite::open(path, busy_timeout)?;
        let Some(header) = engine.get(&RecordName::Header.to_string())? else {
            return Err(engine.damaged("its header is missing"));
        };
        let parts = header.value.split_first_chunk().and_then(|(id, rest)| {
            let (key, sealed) = rest.split_first_chunk()?;
            Some((StoreId(*id), MasterKeyId(*key), sealed))
        });
        let Some((id, needed, sealed)) = parts else {
            return Err(engine.damaged("its header is cut short"));
        };
        let given = master.id();
        if !bool::from(needed.0.ct_eq(&given.0)) {
            return Err(Error::WrongMasterKey {
                path: path.into(),
                needed,
                given,
            });
        }
        let store = Store {
            engine: Box::new(engine),
            master,
            id,
        };
        let body = store.unseal(&RecordName::Header, sealed)?;
        let _: HeaderBody = store.parse(&RecordName::Header, &body)?;
        Ok(store)
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        self.engine.place()
    }

    /// The id of the master key that the store is sealed under.
    pub fn master_key_id(&self) -> MasterKeyId {
        self.master.id()
    }

    /// How many changes were committed, by whatever process. Cheap: one row is read.
    ///
    /// Who keeps something he has read (a [`KeyCache`](crate::KeyCache)) compares it once a second
    /// and reads anew when it differs. It is not sealed, so it proves nothing.
    pub fn revision(&self) -> Result<Revision, Error> {
        let changes = self.engine.changes(0)?;
        Ok(Revision(changes.revision))
    }

    /// A record; `None` if there is none of this name.
    fn read(&self, name: &RecordName) -> Result<Option<Opened>, Error> {
        let text = name.to_string();
        let Some(found) = self.engine.get(&text)? else {
            return Ok(None);
        };
        Ok(Some(Opened {
            body: self.unseal(name, &found.value)?,
            unchanged: Condition {
                name: text,
                revision: found.revision,
            },
        }))
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
        let after = after.map(RecordName::to_string);
        let found = self.engine.scan(prefix, after.as_deref(), limit)?;
        let record = |Listed {
                          name: text, value, ..
                      }: Listed| {
            let Ok(name) = text.parse() else {
                return Err(self.altered(text));
            };
            let body = self.unseal(&name, &value)?;
            let body = self.parse(&name, &body)?;
            Ok((name, body))
        };
        found.into_iter().map(record).collect()
    }

    /// Adds records, all or none; none of them may be there, and `unchanged` must still hold.
    fn insert(&self, records: &[Body], unchanged: &[Condition]) -> Result<Insert, Error> {
        let mut conditions = Vec::with_capacity(records.len() + unchanged.len());
        let mut values = Vec::with_capacity(records.len());
        for Body { name, body } in records {
            let most = MAX_VALUE - seal::OVERHEAD;
            if body.len() > most {
                return Err(Error::TooLarge {
                    what: name.to_string(),
                    found: body.len(),
                    most,
                });
            }
            conditions.push(Condition {
                name: name.to_string(),
                revision: 0,
            });
            values.push(Edit::Put(Named {
                name: name.to_string(),
                value: seal::seal(&self.master, self.id, name, body)?,
            }));
        }
        conditions.extend_from_slice(unchanged);
        Ok(match self.engine.commit(&conditions, &values)? {
            Commit::Done(_) => Insert::Done,
            Commit::Conflict => Insert::Changed,
        })
    }

    fn unseal(&self, name: &RecordName, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        seal::unseal(&self.master, self.id, name, sealed)
            .ok_or_else(|| self.altered(name.to_string()))
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(i64);

impl Revision {
    /// The number of changes, to be shown.
    pub fn count(self) -> u64 {
        self.0.unsigned_abs()
    }
}

/// A record that was read.
struct Opened {
    body: Zeroizing<Vec<u8>>,
    /// Holds as long as nobody writes it.
    unchanged: Condition,
}

/// A record to be added.
struct Body {
    name: RecordName,
    body: Zeroizing<Vec<u8>>,
}

/// What became of records to be added.
enum Insert {
    Done,
    /// Nothing was added: this one is there already.
    Taken(RecordName),
    /// Nothing was added: a record that was depended on has changed.
    Changed,
}

/// The JSON form of a body.
fn json(body: &impl Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(body).expect("a body is made of text and numbers"))
}
