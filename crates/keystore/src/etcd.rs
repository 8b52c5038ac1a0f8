//! The engine for a fleet: named values under a prefix in etcd (3.4 or newer), asked through its
//! JSON gateway.
//!
//! A value of the name `n` is the key `<prefix>n`, its revision is etcd's `mod_revision`, and a commit
//! is one transaction. The key `<prefix>` itself is the store's mark (`etcd/mark`). Members, deadlines
//! and logins are in `etcd/gateway`; what a commit without an answer has come to, in `etcd/commit`.

mod commit;
mod error;
pub(crate) mod fuzzing;
mod gateway;
mod history;
mod mark;
mod messages;
mod open;
mod purge;
mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::Error;
use crate::engine::{Changes, Commit, Condition, Edit, Engine, Found, Listed, MAX_PAGE, end_of};
use gateway::{Gateway, Repeat};
use messages::{KeyValue, RangeRequest, RangeResponse};

pub use error::EtcdError;
pub use settings::EtcdSettings;

/// A store's prefix in etcd; shared by threads.
pub(crate) struct Etcd {
    gateway: Gateway,
    /// Begins and ends with `/`; the key of the mark.
    prefix: String,
    /// The revision that the mark was made at: another one means another store.
    made_at: i64,
}

impl Engine for Etcd {
    fn place(&self) -> &Path {
        self.gateway.place()
    }

    fn get(&self, name: &str) -> Result<Option<Found>, Error> {
        let range = RangeRequest {
            key: self.key(name).as_str().into(),
            ..RangeRequest::default()
        };
        let found = self.range(&range)?.kvs.pop();
        Ok(found.map(|found| Found {
            value: found.value.0,
            revision: found.mod_revision,
        }))
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, Error> {
        // etcd takes 0 for no limit.
        let mut limit = limit.min(MAX_PAGE);
        if limit == 0 {
            return Ok(Vec::new());
        }
        // The first key after this one: the mark, and a name that was seen, are left out.
        let start = match after.unwrap_or("") {
            seen if seen < prefix => self.key(prefix),
            seen => self.key(seen) + "\0",
        };
        let end = end_of(&self.key(prefix));
        loop {
            let range = RangeRequest {
                key: start.as_str().into(),
                range_end: Some(end.as_str().into()),
                limit,
                ..RangeRequest::default()
            };
            match self.range(&range) {
                Ok(found) => return found.kvs.into_iter().map(|one| self.listed(one)).collect(),
                // A page of long values; whoever reads on asks from where it ends.
                Err(Error::Etcd(EtcdError::TooLarge)) if limit > 1 => limit /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    fn commit(&self, conditions: &[Condition], edits: &[Edit]) -> Result<Commit, Error> {
        self.commit_once(conditions, edits)
    }

    /// One read of the mark says whether anything has changed, and that etcd answers. What has
    /// changed, the mark's history says.
    fn changes(&self, since: i64) -> Result<Changes, Error> {
        let mark = self.mark()?;
        let revision = mark.mod_revision;
        let names = if revision == since {
            Some(Vec::new())
        } else if since == 0 || revision < since {
            // Nothing is known yet, or etcd was restored from an older snapshot.
            None
        } else {
            self.names_between(since, revision)?
        };
        Ok(Changes { revision, names })
    }

    /// Page by page, at etcd's revision of when the mark was read: that of the mark itself may be long
    /// forgotten, for etcd is compacted whatever has changed. When that happens meanwhile, it says so.
    fn read_all(&self, each: &mut dyn FnMut(Listed) -> Result<(), Error>) -> Result<i64, Error> {
        let Dated { mark, revision } = self.dated_mark()?;
        let mut start = self.key("\0");
        let mut limit = MAX_PAGE;
        loop {
            let range = RangeRequest {
                key: start.as_str().into(),
                range_end: Some(end_of(&self.prefix).as_str().into()),
                limit,
                revision,
                keys_only: false,
            };
            let page = match self.range(&range) {
                Ok(found) => found.kvs,
                Err(Error::Etcd(EtcdError::TooLarge)) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if page.is_empty() {
                return Ok(mark.mod_revision);
            }
            for found in page {
                let found = self.listed(found)?;
                start = self.key(&found.name) + "\0";
                each(found)?;
            }
        }
    }

    fn purge(&self) -> Result<(), Error> {
        self.purge_members()
    }
}

impl Etcd {
    /// The mark as it is now, if it is still that of the store which was opened.
    fn mark(&self) -> Result<KeyValue, Error> {
        Ok(self.dated_mark()?.mark)
    }

    fn dated_mark(&self) -> Result<Dated, Error> {
        let found = read_mark(&self.gateway, &self.prefix)?;
        match found {
            Some(dated) if dated.mark.create_revision == self.made_at => Ok(dated),
            _ => Err(self.replaced()),
        }
    }

    fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        range(&self.gateway, request)
    }

    /// The error of a mark that is gone, or another store's.
    fn replaced(&self) -> Error {
        Error::Replaced {
            path: self.place().into(),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn listed(&self, found: KeyValue) -> Result<Listed, Error> {
        let name = String::from_utf8(found.key.0).ok();
        let name = name.and_then(|key| Some(key.strip_prefix(&self.prefix)?.to_owned()));
        Ok(Listed {
            name: name.ok_or_else(|| Error::NotAStore {
                path: self.place().into(),
            })?,
            value: found.value.0,
            revision: found.mod_revision,
        })
    }
}

/// Reads keys. Reads are linearizable, as etcd's are unless told otherwise: what was committed before,
/// through whichever member, is seen.
fn range(gateway: &Gateway, request: &RangeRequest) -> Result<RangeResponse, Error> {
    gateway
        .ask("kv/range", request, Repeat::Always)
        .map_err(|fault| gateway.failed(fault))
}

/// A mark, and etcd's own revision when it was read.
struct Dated {
    mark: KeyValue,
    revision: i64,
}

/// The key of the mark, if it is there.
fn read_mark(gateway: &Gateway, prefix: &str) -> Result<Option<Dated>, Error> {
    let request = RangeRequest {
        key: prefix.into(),
        ..RangeRequest::default()
    };
    let mut found = range(gateway, &request)?;
    let revision = found.header.revision;
    Ok(found.kvs.pop().map(|mark| Dated { mark, revision }))
}
