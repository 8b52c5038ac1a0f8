//! Sealing: one encapsulation per value. Many values per encapsulation are `batch`'s.

use crate::batch::Batch;
use crate::cipher::{Cipher, NONCE};
use crate::derive::{self, KeySchedule};
use crate::envelope::{AROUND, HEADER, MAX_LENGTH, SINGLE_SHOT};
use crate::error::{KeyError, SealError};
use crate::key::{KeyId, PrivateKey, PublicKey};
use crate::owner::Owner;

/// The longest plaintext of a value: 2^28 − 60 bytes.
pub const MAX_PLAINTEXT: usize = MAX_LENGTH - AROUND;

/// Whom to seal to: an owner and one of its public keys.
///
/// Anyone with the public key can seal; only the owner's private key opens.
#[derive(Clone, Debug)]
pub struct Recipient {
    owner: Owner,
    public_key: PublicKey,
    key_id: KeyId,
}

impl Recipient {
    /// A recipient whose public key comes from a place that is trusted.
    pub fn new(owner: Owner, public_key: PublicKey) -> Self {
        Recipient {
            owner,
            public_key,
            key_id: public_key.key_id(),
        }
    }

    /// A recipient as it was handed out, with the key id that must follow from the public key.
    pub fn checked(owner: Owner, public_key: PublicKey, stated: KeyId) -> Result<Self, KeyError> {
        let recipient = Self::new(owner, public_key);
        if recipient.key_id != stated {
            return Err(KeyError::OtherKeyId {
                found: recipient.key_id,
                stated,
            });
        }
        Ok(recipient)
    }

    /// Whom it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The public key sealed to.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The key's id, as it stands in the envelopes.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Seals one value: its envelope is 80 bytes longer than `plaintext`.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(&PrivateKey::generate()?, plaintext)
    }

    /// Opens a batch: many values for the price of one X25519. See [`Batch`] for its limits.
    pub fn batch(&self) -> Result<Batch, SealError> {
        Batch::new(self, &PrivateKey::generate()?)
    }

    /// Seals with an ephemeral key that must never serve twice.
    pub(crate) fn seal_with(
        &self,
        ephemeral: &PrivateKey,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let keys = self.encapsulate(ephemeral)?;
        let encapsulation = Encapsulation::new(self, ephemeral, &keys.key());
        encapsulation.write(&SINGLE_SHOT, &keys.base_nonce(), plaintext)
    }

    /// RFC 9180 4.1 `Encap` and 5.1 `KeySchedule`, with the ephemeral key given.
    pub(crate) fn encapsulate(&self, ephemeral: &PrivateKey) -> Result<KeySchedule, SealError> {
        let dh = ephemeral
            .agree(self.public_key.as_bytes())
            .ok_or(SealError::LowOrder)?;
        let enc = ephemeral.public_key();
        let shared_secret = derive::shared_secret(&dh, enc.as_bytes(), &self.public_key);
        let info = derive::info(&bound(self.key_id), &self.owner);
        Ok(KeySchedule::new(&shared_secret, &info))
    }
}

/// What the envelopes of one encapsulation have in common, and the key that seals them.
pub(crate) struct Encapsulation {
    bound: [u8; 16],
    enc: PublicKey,
    cipher: Cipher,
}

impl Encapsulation {
    pub(crate) fn new(recipient: &Recipient, ephemeral: &PrivateKey, key: &[u8; 32]) -> Self {
        Encapsulation {
            bound: bound(recipient.key_id),
            enc: ephemeral.public_key(),
            cipher: Cipher::new(key),
        }
    }

    /// An envelope that states `stated` as its nonce and is sealed under `nonce`. The plaintext is
    /// copied once, to where its ciphertext will stand.
    pub(crate) fn write(
        &self,
        stated: &[u8; NONCE],
        nonce: &[u8; NONCE],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLong(plaintext.len()));
        }
        let length = u32::try_from(AROUND + plaintext.len()).expect("at most 2^28");

        let mut bytes = Vec::with_capacity(HEADER + AROUND + plaintext.len());
        bytes.extend(self.bound);
        bytes.extend(length.to_be_bytes());
        bytes.extend(stated);
        bytes.extend(self.enc.as_bytes());
        let value = bytes.len();
        bytes.extend(plaintext);
        let tag = self.cipher.seal(nonce, &mut bytes[value..]);
        bytes.extend(tag);
        Ok(bytes)
    }
}

/// Bytes 0 to 15 of an envelope of suite 01 sealed to this key.
fn bound(key_id: KeyId) -> [u8; 16] {
    const FIXED: [u8; 8] = *b"\xF5pgs\x01\x01\0\0";
    let mut bytes = [0; 16];
    let (fixed, key) = bytes.split_at_mut(FIXED.len());
    fixed.copy_from_slice(&FIXED);
    key.copy_from_slice(key_id.as_bytes());
    bytes
}
