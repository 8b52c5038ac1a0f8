//! Opening: the private-key work of one encapsulation, and what it leaves ready to open values.
//!
//! One X25519 opens a single-shot value or every value of a batch. A [`Schedule`] is what is worth
//! keeping of it; keeping it, bounded and only after a value opened, is the server's business, and
//! so is the question who may open at all.

use zeroize::Zeroizing;

use crate::cipher::{Cipher, NONCE};
use crate::derive::{self, KeySchedule};
use crate::envelope::{Envelope, SINGLE_SHOT};
use crate::error::OpenError;
use crate::key::{KeyId, PrivateKey};
use crate::owner::Owner;
use crate::plaintext::Plaintext;

/// Names a [`Schedule`]: what a cache of them is keyed by. All of it stands in the envelope; the
/// owner need not, because a key has one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScheduleId {
    key_id: KeyId,
    enc: [u8; 32],
    batch: bool,
}

impl ScheduleId {
    /// The key whose removal must remove the schedule.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Whether it opens a batch's values; a single-shot value's schedule opens that value only.
    pub fn is_batch(&self) -> bool {
        self.batch
    }
}

impl Envelope<'_> {
    /// Which schedule opens it. Fails if none does: unknown suite, or flags.
    pub fn schedule_id(&self) -> Result<ScheduleId, OpenError> {
        let sealed = self.sealed()?;
        Ok(ScheduleId {
            key_id: self.key_id(),
            enc: *sealed.enc,
            batch: *sealed.nonce != SINGLE_SHOT,
        })
    }
}

/// The key schedule of one encapsulation, ready to open its values; wiped when dropped.
pub struct Schedule {
    id: ScheduleId,
    cipher: Cipher,
    /// The nonce of a single-shot value; a value of a batch brings its own.
    single_nonce: Option<Zeroizing<[u8; NONCE]>>,
}

impl Schedule {
    /// Does the private-key work for `envelope`: one X25519, tens of microseconds.
    ///
    /// `owner` comes from the keystore by the envelope's key id, never from beside the envelope.
    pub fn derive(
        envelope: &Envelope<'_>,
        owner: &Owner,
        private_key: &PrivateKey,
    ) -> Result<Self, OpenError> {
        let id = envelope.schedule_id()?;
        let sealed = envelope.sealed()?;
        let recipient = private_key.public_key();
        if recipient.key_id() != id.key_id {
            return Err(OpenError::OtherKey);
        }
        let dh = private_key.agree(sealed.enc).ok_or(OpenError::LowOrder)?;
        let shared_secret = derive::shared_secret(&dh, sealed.enc, &recipient);
        let keys = KeySchedule::new(&shared_secret, &derive::info(sealed.bound, owner));
        let (key, single_nonce) = if id.batch {
            (keys.batch_key(), None)
        } else {
            (keys.key(), Some(keys.base_nonce()))
        };
        Ok(Schedule {
            id,
            cipher: Cipher::new(&key),
            single_nonce,
        })
    }

    /// Opens a value of this encapsulation.
    pub fn open(&self, envelope: &Envelope<'_>) -> Result<Plaintext, OpenError> {
        if envelope.schedule_id()? != self.id {
            return Err(OpenError::OtherSchedule);
        }
        let sealed = envelope.sealed()?;
        let nonce = self.single_nonce.as_deref().unwrap_or(sealed.nonce);
        self.cipher
            .open(nonce, sealed.ciphertext, sealed.tag)
            .map(Plaintext::new)
            .ok_or(OpenError::NotAuthentic)
    }
}

/// Opens one value, keeping nothing: [`Schedule::derive`] and [`Schedule::open`].
pub fn open(
    envelope: &Envelope<'_>,
    owner: &Owner,
    private_key: &PrivateKey,
) -> Result<Plaintext, OpenError> {
    Schedule::derive(envelope, owner, private_key)?.open(envelope)
}
