//! When keys were used last, as servers note it.

use std::time::Duration;

use envelope::Owner;

use super::{RECENT, Store};
use crate::Error;
use crate::engine::MAX_COMMIT;
use crate::name::RecordName;
use crate::record::{Timestamp, UsedBody};

/// A use is noted only if the last one noted is at least this long ago: a busy key is not written
/// all the time.
const STEP: Duration = Duration::from_secs(60 * 60);

impl Store {
    /// Notes that values were opened with these keys now.
    pub fn note_use(&self, keys: &[(Owner, u32)]) -> Result<(), Error> {
        let now = Timestamp::now();
        for some in keys.chunks(MAX_COMMIT / 2) {
            self.quietly(|tx| {
                for (owner, version) in some {
                    let name = RecordName::Used(owner.clone(), *version);
                    let known: Option<UsedBody> = tx.read_json(&name)?;
                    if known.is_none_or(|known| now.since(known.last) >= STEP) {
                        tx.put_json(&name, &UsedBody { last: now })?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// When a server opened with this key last, to the hour; `None` if none ever did.
    pub fn last_use(&self, owner: &Owner, version: u32) -> Result<Option<Timestamp>, Error> {
        let used: Option<UsedBody> = self.read_json(&RecordName::Used(owner.clone(), version))?;
        Ok(used.map(|used| used.last))
    }

    /// An error if a key was used within [`RECENT`], unless it is forced.
    pub(super) fn check_use(&self, owner: &Owner, version: u32, force: bool) -> Result<(), Error> {
        match self.last_use(owner, version)? {
            // A time that is yet to come, by this clock, is recent too.
            Some(last) if !force && Timestamp::now().since(last) < RECENT => {
                Err(Error::RecentlyUsed {
                    owner: owner.clone(),
                    version,
                    last,
                })
            }
            _ => Ok(()),
        }
    }
}
