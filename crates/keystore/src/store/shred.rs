//! Destroying keys for good: one version, or all of a zone after a time of grace; and the receipts.
//!
//! A key is destroyed in three steps, each of which can be the last before a crash and is made up
//! for later: its private half is removed, the engine is purged of it, a receipt is written. The
//! grace is counted in time that servers have measured while they ran, so that a clock that jumps,
//! clocks that differ, or an outage do not end it early.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use envelope::{Owner, ZoneId};
use sha2::{Digest, Sha256};

use super::owners::label;
use super::{Author, Store, Transaction, keys};
use crate::Error;
use crate::name::RecordName;
use crate::record::{
    ClockBody, Event, Fate, KeyBody, KeyRecord, KeyState, Receipt, ReceiptBody, SigningKey,
    Timestamp, Zone, ZoneBody,
};

/// A server that has not read the store's clock for longer than this counts nothing of that time.
const LONGEST_STEP: Duration = Duration::from_secs(60 * 60);
/// How often the clock is written while nothing is due.
const CLOCK_STEP: Duration = Duration::from_secs(60);
/// How many zones one sweep destroys, at most.
const SWEEP: usize = 100;

/// What a sweep has done.
#[derive(Debug, Default)]
pub struct Swept {
    /// The zones whose keys are gone now.
    pub destroyed: Vec<ZoneId>,
    /// Zones whose keys are due, and whose records cannot be used; the others are not kept waiting.
    pub failed: Vec<(ZoneId, Error)>,
    /// How many wait for the end of their grace, as far as one page shows.
    pub waiting: usize,
    /// The system's clock was set, or no server ran: that time is not counted.
    pub jumped: bool,
}

impl Author<'_> {
    /// Has all keys of a zone destroyed after a time of grace, in which they do not open and can
    /// still be kept. Ordered again, the grace begins anew.
    pub fn order_destruction(&self, id: &ZoneId, grace: Duration) -> Result<Zone, Error> {
        let name = RecordName::Owner(Owner::Zone(id.clone()));
        let (zone, _) = self.change(|tx| {
            let mut body = require_zone(tx, id)?;
            match body.fate {
                Fate::Kept => {}
                Fate::Destroying { due, .. } => tx.remove(&RecordName::Pending(due, id.clone())),
                Fate::Destroyed { .. } => return Err(Error::ZoneGone(id.clone())),
            }
            let now = Timestamp::now();
            let clock: Option<ClockBody> = tx.read_json(&RecordName::Clock)?;
            let seconds = clock.map_or(0, |clock| clock.seconds);
            // Written even if it says the same: what servers have measured until now, and not
            // written yet, is no part of this grace.
            let clock = ClockBody {
                system: now,
                seconds,
            };
            tx.put_json(&RecordName::Clock, &clock)?;
            let due = seconds.saturating_add(grace.as_secs());
            body.fate = Fate::Destroying { ordered: now, due };
            tx.put_json(&name, &body)?;
            tx.put_json(&RecordName::Pending(due, id.clone()), &())?;
            tx.log(Event::DestructionOrdered {
                zone: format!("zone/{id}"),
                grace_seconds: grace.as_secs(),
            });
            Ok(body.zone(id.clone()))
        })?;
        Ok(zone)
    }

    /// Keeps a zone after all that was to be destroyed.
    pub fn cancel_destruction(&self, id: &ZoneId) -> Result<Zone, Error> {
        let owner = Owner::Zone(id.clone());
        let name = RecordName::Owner(owner.clone());
        let (zone, _) = self.change(|tx| {
            let mut body = require_zone(tx, id)?;
            match body.fate {
                Fate::Kept => return Ok(body.zone(id.clone())),
                Fate::Destroying { due, .. } => tx.remove(&RecordName::Pending(due, id.clone())),
                Fate::Destroyed { .. } => return Err(Error::ZoneGone(id.clone())),
            }
            // It goes first, and by itself it cannot go.
            let active = keys::require(tx, &owner, body.active)?;
            if active.state == KeyState::Destroyed {
                return Err(Error::ZoneGone(id.clone()));
            }
            body.fate = Fate::Kept;
            tx.put_json(&name, &body)?;
            tx.log(Event::DestructionCancelled {
                zone: format!("zone/{id}"),
            });
            Ok(body.zone(id.clone()))
        })?;
        Ok(zone)
    }

    /// Destroys all keys of a zone whose destruction was ordered, whatever is left of its grace;
    /// or finishes what was begun. Answers the receipts of all its keys.
    pub fn destroy_zone(&self, id: &ZoneId) -> Result<Vec<Receipt>, Error> {
        let Some(zone) = self.store.zone(id)? else {
            return Err(Error::UnknownZone(id.clone()));
        };
        self.destroy_as_ordered(&zone)
    }

    /// Destroys all keys of a zone if what was ordered for it is still what `zone` says.
    fn destroy_as_ordered(&self, zone: &Zone) -> Result<Vec<Receipt>, Error> {
        let id = &zone.id;
        let owner = Owner::Zone(id.clone());
        let is_ordered = |tx: &mut Transaction<'_>| match require_zone(tx, id)?.fate {
            fate if fate != Fate::Kept && fate == zone.fate => Ok(()),
            _ => Err(Error::ZoneKept(id.clone())),
        };
        // Without it no receipt can be given.
        self.store.signing_key()?;
        // From here on the zone cannot be kept.
        self.remove_private(&owner, zone.active, is_ordered)?;
        let mut receipts = Vec::new();
        let mut page = self.store.keys(Some(&owner), None, super::MAX_PAGE)?;
        while let Some(last) = page.last().cloned() {
            for key in page {
                self.remove_private(&owner, key.version, is_ordered)?;
                receipts.push(self.give_receipt(&owner, key.version)?);
            }
            page = self
                .store
                .keys(Some(&owner), Some(&last), super::MAX_PAGE)?;
        }
        self.change(|tx| {
            let mut body = require_zone(tx, id)?;
            if let Fate::Destroying { due, .. } = body.fate {
                body.fate = Fate::Destroyed {
                    at: Timestamp::now(),
                };
                tx.remove(&RecordName::Pending(due, id.clone()));
                tx.put_json(&RecordName::Owner(owner.clone()), &body)?;
                tx.log(Event::ZoneDestroyed {
                    zone: label(&owner),
                });
            }
            Ok(())
        })?;
        Ok(receipts)
    }

    /// An error if [`Author::destroy_key`] would refuse this key; nothing is changed.
    pub fn may_destroy(&self, key: &KeyRecord, force: bool) -> Result<(), Error> {
        must_not_be_active(key)?;
        match key.state {
            KeyState::Destroyed => Ok(()),
            _ => self.store.check_use(&key.owner, key.version, force),
        }
    }

    /// Destroys a key that is not the active one, or finishes what was begun. One used within
    /// [`RECENT`](super::RECENT) is destroyed by force only.
    pub fn destroy_key(&self, owner: &Owner, version: u32, force: bool) -> Result<Receipt, Error> {
        self.may_destroy(&self.store.find_key(owner, version)?, force)?;
        self.store.signing_key()?;
        self.remove_private(owner, version, |tx| {
            must_not_be_active(&keys::require(tx, owner, version)?)
        })?;
        self.give_receipt(owner, version)
    }

    /// Destroys the zones whose grace has ended. For servers, every second or so.
    pub fn sweep(&self) -> Result<Swept, Error> {
        let pending = self.store.scan_bodies(RecordName::PENDING, None, SWEEP)?;
        let mut swept = Swept::default();
        let first = pending.first().map(|(name, _)| name);
        let Some(RecordName::Pending(first, _)) = first else {
            self.store.watch_clock(None);
            return Ok(swept);
        };
        let (clock, jumped) = self.store.read_clock(*first)?;
        swept.jumped = jumped;
        for (name, _) in pending {
            match name {
                RecordName::Pending(due, id) if due <= clock => match self.sweep_zone(due, &id) {
                    Ok(true) => swept.destroyed.push(id),
                    Ok(false) => {}
                    Err(error) if concerns_one_zone(&error) => swept.failed.push((id, error)),
                    Err(error) => return Err(error),
                },
                _ => swept.waiting += 1,
            }
        }
        Ok(swept)
    }

    /// Destroys a zone that is to go at this reading of the clock, and not at another: one that was
    /// kept, or ordered anew, may have been put back among those that wait. Answers whether it was.
    fn sweep_zone(&self, due: u64, id: &ZoneId) -> Result<bool, Error> {
        let is_meant = |fate| matches!(fate, Fate::Destroying { due: at, .. } if at == due);
        if let Some(zone) = self.store.zone(id)?
            && is_meant(zone.fate)
        {
            return match self.destroy_as_ordered(&zone) {
                // Kept after all, a moment ago.
                Err(Error::ZoneKept(_)) => Ok(false),
                destroyed => destroyed.map(|_| true),
            };
        }
        self.store.quietly(|tx| {
            let body: Option<ZoneBody> =
                tx.read_json(&RecordName::Owner(Owner::Zone(id.clone())))?;
            if !body.is_some_and(|body| is_meant(body.fate)) {
                tx.remove(&RecordName::Pending(due, id.clone()));
            }
            Ok(())
        })?;
        Ok(false)
    }

    /// The first step: the private half is removed.
    fn remove_private(
        &self,
        owner: &Owner,
        version: u32,
        check: impl Fn(&mut Transaction<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.change(|tx| {
            let mut key = keys::require(tx, owner, version)?;
            if key.state == KeyState::Destroyed {
                return Ok(());
            }
            check(tx)?;
            key.state = KeyState::Destroyed;
            keys::write(tx, &key)?;
            tx.remove(&RecordName::Private(owner.clone(), version));
            tx.log(Event::KeyDestroyed {
                owner: label(owner),
                version,
                key: key.key_id.to_string(),
            });
            Ok(())
        })?;
        Ok(())
    }

    /// The second and third: the engine is purged, and a receipt says so.
    fn give_receipt(&self, owner: &Owner, version: u32) -> Result<Receipt, Error> {
        if let Some(receipt) = self.store.receipt(owner, version)? {
            return Ok(receipt);
        }
        let name = RecordName::Key(owner.clone(), version);
        let Some(found) = self.store.read(&name)? else {
            return Err(self.store.missing(&name));
        };
        let body: KeyBody = self.store.parse(&name, &found.body)?;
        let key = body
            .key(owner.clone(), version)
            .map_err(|what| self.store.unknown_form(&name, what))?;
        let private = RecordName::Private(owner.clone(), version);
        if key.state != KeyState::Destroyed || self.store.read(&private)?.is_some() {
            return Err(self.store.unknown_form(&name, "it is not destroyed".into()));
        }
        self.store.engine.purge()?;
        let receipt = Receipt {
            owner: label(owner),
            version,
            key_id: key.key_id.to_string(),
            fingerprint: fingerprint(&key),
            destroyed: Timestamp::now(),
            revision: found.revision.unsigned_abs(),
            store: self.store.id_text(),
        };
        let signed = self.store.signing_key()?.sign(&receipt);
        let name = RecordName::Receipt(owner.clone(), version);
        let (written, _) = self.change(|tx| {
            if tx.is_taken(&name)? {
                return Ok(false);
            }
            tx.put_json(&name, &signed)?;
            Ok(true)
        })?;
        match written {
            true => Ok(receipt),
            // Another one was quicker, and there is one receipt.
            false => (self.store.receipt(owner, version)?).ok_or_else(|| self.store.missing(&name)),
        }
    }
}

impl Store {
    /// The receipt of a destroyed key; `None` if there is none yet.
    pub fn receipt(&self, owner: &Owner, version: u32) -> Result<Option<Receipt>, Error> {
        let Some(signed) = self.signed_receipt(owner, version)? else {
            return Ok(None);
        };
        let name = RecordName::Receipt(owner.clone(), version);
        let receipt = signed.verify(&self.signing_key()?.public());
        receipt
            .map(Some)
            .ok_or_else(|| self.altered(name.to_string()))
    }

    /// A receipt as it was signed, in JSON with its signature and the public key to check it with,
    /// for whoever has no access to the store.
    pub fn receipt_text(&self, owner: &Owner, version: u32) -> Result<Option<String>, Error> {
        let Some(signed) = self.signed_receipt(owner, version)? else {
            return Ok(None);
        };
        let text = serde_json::json!({
            "statement": signed.statement,
            "signature": signed.signature,
            "public_key": self.signing_key()?.public(),
        });
        Ok(Some(text.to_string()))
    }

    fn signed_receipt(&self, owner: &Owner, version: u32) -> Result<Option<ReceiptBody>, Error> {
        self.read_json(&RecordName::Receipt(owner.clone(), version))
    }

    pub(super) fn signing_key(&self) -> Result<SigningKey, Error> {
        let name = RecordName::ReceiptKey;
        let record = self.read(&name)?.ok_or_else(|| self.missing(&name))?;
        SigningKey::from_seed(&record.body)
            .ok_or_else(|| self.unknown_form(&name, "it is not 32 bytes long".into()))
    }

    /// When a zone whose keys are `due` at this reading of the clock is destroyed at the earliest:
    /// if a server runs all the time until then.
    pub fn earliest_end(&self, due: u64) -> Result<Timestamp, Error> {
        let name = RecordName::Clock;
        let clock: ClockBody = self.read_json(&name)?.ok_or_else(|| self.missing(&name))?;
        let left = Duration::from_secs(due.saturating_sub(clock.seconds));
        Ok(clock.system.plus(left).max(Timestamp::now()))
    }

    /// Takes a reading of the clock that runs while servers do, and writes it if it is time to, or
    /// if it has reached `due`. Answers the seconds counted, and whether some were left out.
    ///
    /// What is added is the time for which this process has seen the clock stand as it is, on its
    /// own monotonic clock. Whoever adds writes, so that no time is added twice.
    fn read_clock(&self, due: u64) -> Result<(u64, bool), Error> {
        let name = RecordName::Clock;
        let ((seconds, jumped, since), written) = self.by(String::new()).change(|tx| {
            let clock: ClockBody = tx.require(&name)?;
            let since = self.watch_clock(Some(tx.revision_of(&name)));
            let passed = since.elapsed();
            let counted = if passed > LONGEST_STEP {
                Duration::ZERO
            } else {
                Duration::from_secs(passed.as_secs())
            };
            let seconds = clock.seconds.saturating_add(counted.as_secs());
            let mut jumped = false;
            if passed >= CLOCK_STEP || (seconds >= due && !counted.is_zero()) {
                let now = Timestamp::now();
                let step = now.since(clock.system).max(clock.system.since(now));
                jumped = step > counted + LONGEST_STEP;
                let clock = ClockBody {
                    system: now,
                    seconds,
                };
                tx.put_json(&name, &clock)?;
            }
            let left = if passed > LONGEST_STEP {
                passed
            } else {
                counted
            };
            Ok((seconds, jumped, since + left))
        })?;
        if written > 0 {
            // What is less than a second is not lost.
            *self.lock_clock() = Some((written, since));
        }
        Ok((seconds, jumped))
    }

    /// Since when this process has seen the clock stand as it does at this revision; `None` if it is
    /// not looked at, because nothing waits.
    fn watch_clock(&self, revision: Option<i64>) -> Instant {
        let now = Instant::now();
        let mut seen = self.lock_clock();
        match (*seen, revision) {
            (Some((known, since)), Some(revision)) if known == revision => since,
            (_, revision) => {
                *seen = revision.map(|revision| (revision, now));
                now
            }
        }
    }

    fn lock_clock(&self) -> MutexGuard<'_, Option<(i64, Instant)>> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the error is one of a zone's own records, and the store can be read as a whole.
fn concerns_one_zone(error: &Error) -> bool {
    matches!(
        error,
        Error::Altered { .. } | Error::UnknownForm { .. } | Error::RecordMissing { .. }
    )
}

fn must_not_be_active(key: &KeyRecord) -> Result<(), Error> {
    if key.state != KeyState::Active {
        return Ok(());
    }
    Err(Error::OtherState {
        owner: key.owner.clone(),
        version: key.version,
        state: KeyState::Active,
        needed: KeyState::OpenOnly,
    })
}

fn require_zone(tx: &mut Transaction<'_>, id: &ZoneId) -> Result<ZoneBody, Error> {
    tx.read_json(&RecordName::Owner(Owner::Zone(id.clone())))?
        .ok_or_else(|| Error::UnknownZone(id.clone()))
}

/// SHA-256 of the public key, in hexadecimal.
fn fingerprint(key: &KeyRecord) -> String {
    let digest = Sha256::digest(key.public_key.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
