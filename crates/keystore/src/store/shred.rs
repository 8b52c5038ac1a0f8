//! Destroying keys for good: one version, or all of a zone after a time of grace; and the receipts.
//!
//! A key is destroyed in three steps, each of which can be the last before a crash and is made up
//! for later: its private half is removed, the engine is purged of it, a receipt is written. The
//! grace is counted in time in which a server was seen to run, so that a clock that jumps, or an
//! outage, does not end it early.

use std::time::Duration;

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

/// What lies between two readings of the clock and is more than this is no running server's doing.
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
            let clock = match tx.read_json::<ClockBody>(&RecordName::Clock)? {
                Some(clock) => clock,
                None => {
                    let clock = ClockBody {
                        system: now,
                        seconds: 0,
                    };
                    tx.put_json(&RecordName::Clock, &clock)?;
                    clock
                }
            };
            let due = clock.seconds.saturating_add(grace.as_secs());
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
        let owner = Owner::Zone(id.clone());
        let Some(zone) = self.store.zone(id)? else {
            return Err(Error::UnknownZone(id.clone()));
        };
        let is_ordered = |tx: &mut Transaction<'_>| match require_zone(tx, id)?.fate {
            Fate::Kept => Err(Error::ZoneKept(id.clone())),
            _ => Ok(()),
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
            return Ok(swept);
        };
        let (clock, jumped) = self.store.read_clock(*first)?;
        swept.jumped = jumped;
        for (name, _) in pending {
            match name {
                RecordName::Pending(due, zone) if due <= clock => {
                    match self.destroy_zone(&zone) {
                        // Kept after all, a moment ago.
                        Err(Error::ZoneKept(_)) => {}
                        destroyed => {
                            destroyed?;
                            swept.destroyed.push(zone);
                        }
                    }
                }
                _ => swept.waiting += 1,
            }
        }
        Ok(swept)
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
    fn read_clock(&self, due: u64) -> Result<(u64, bool), Error> {
        let now = Timestamp::now();
        self.quietly(|tx| {
            let clock: ClockBody = tx.require(&RecordName::Clock)?;
            let step = now.since(clock.system);
            let jumped = now < clock.system || step > LONGEST_STEP;
            let counted = if jumped { 0 } else { step.as_secs() };
            let seconds = clock.seconds.saturating_add(counted);
            if jumped || step >= CLOCK_STEP || (seconds >= due && counted > 0) {
                let clock = ClockBody {
                    system: now,
                    seconds,
                };
                tx.put_json(&RecordName::Clock, &clock)?;
            }
            Ok((seconds, jumped))
        })
    }
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
