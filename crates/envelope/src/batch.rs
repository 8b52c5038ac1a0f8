//! Sealing many values with one encapsulation, under one key that HPKE exports for it.
//!
//! The key must never meet the same nonce twice. Nonces are random, so what keeps that unlikely is
//! counted here: the values and bytes of a batch, and the processes that share it.

use std::process;

use crate::cipher::NONCE;
use crate::envelope::SINGLE_SHOT;
use crate::error::{RandomFailed, SealError};
use crate::key::PrivateKey;
use crate::random;
use crate::seal::{Encapsulation, Recipient};

/// The most values of one batch: 2^24.
pub const MAX_BATCH_VALUES: u32 = 1 << 24;
/// The most plaintext bytes of one batch: 2^40.
pub const MAX_BATCH_BYTES: u64 = 1 << 40;

/// One encapsulation for many values of one owner: after the first, a value costs under a
/// microsecond instead of tens.
///
/// Open one for one piece of work and drop it after: whoever reads the values can tell that they
/// were written together. It holds [`MAX_BATCH_VALUES`] values and [`MAX_BATCH_BYTES`] bytes, and
/// ends when the process forks. Its key is wiped when it is dropped.
pub struct Batch {
    encapsulation: Encapsulation,
    values_left: u32,
    bytes_left: u64,
    /// The process that opened the batch. A child's id differs from its living parent's, and one
    /// that comes round again after that is within what random nonces bear.
    process: u32,
}

impl Batch {
    /// A batch with an ephemeral key that must never serve twice.
    pub(crate) fn new(recipient: &Recipient, ephemeral: &PrivateKey) -> Result<Self, SealError> {
        let keys = recipient.encapsulate(ephemeral)?;
        Ok(Batch {
            encapsulation: Encapsulation::new(recipient, ephemeral, &keys.batch_key()),
            values_left: MAX_BATCH_VALUES,
            bytes_left: MAX_BATCH_BYTES,
            process: process::id(),
        })
    }

    /// Seals one value: its envelope is 80 bytes longer than `plaintext`.
    ///
    /// After [`SealError::BatchFull`] and [`SealError::Forked`] open another batch.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(nonce, plaintext)
    }

    /// Seals under a nonce that is drawn only once the batch may take the value.
    pub(crate) fn seal_with(
        &mut self,
        nonce: impl FnOnce() -> Result<[u8; NONCE], RandomFailed>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        if process::id() != self.process {
            return Err(SealError::Forked);
        }
        let bytes = u64::try_from(plaintext.len()).map_err(|_| SealError::BatchFull)?;
        let values_left = self
            .values_left
            .checked_sub(1)
            .ok_or(SealError::BatchFull)?;
        let bytes_left = self
            .bytes_left
            .checked_sub(bytes)
            .ok_or(SealError::BatchFull)?;

        let nonce = nonce()?;
        let envelope = self.encapsulation.write(&nonce, &nonce, plaintext)?;
        (self.values_left, self.bytes_left) = (values_left, bytes_left);
        Ok(envelope)
    }
}

/// 96 random bits that are not all zero, which would mark a single-shot value.
fn nonce() -> Result<[u8; NONCE], RandomFailed> {
    let mut nonce = SINGLE_SHOT;
    while nonce == SINGLE_SHOT {
        random::fill(&mut nonce)?;
    }
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;

    fn batch() -> Batch {
        let owner = Owner::Client("app".parse().unwrap());
        let private_key = PrivateKey::from_bytes([3; 32]);
        Recipient::new(owner, private_key.public_key())
            .batch()
            .unwrap()
    }

    #[test]
    fn a_batch_takes_its_last_value_and_no_more() {
        let mut batch = batch();
        batch.values_left = 1;
        assert!(batch.seal(b"last").is_ok());
        assert_eq!(batch.seal(b"one too many"), Err(SealError::BatchFull));
    }

    #[test]
    fn a_batch_takes_its_last_bytes_and_no_more() {
        let mut batch = batch();
        batch.bytes_left = 8;
        assert_eq!(batch.seal(b"nine byte"), Err(SealError::BatchFull));
        assert!(batch.seal(b"12345678").is_ok());
        assert!(batch.seal(b"").is_ok());
        assert_eq!(batch.seal(b"1"), Err(SealError::BatchFull));
    }

    #[test]
    fn a_batch_opened_in_another_process_seals_nothing() {
        let mut batch = batch();
        batch.process = batch.process.wrapping_add(1);
        assert_eq!(batch.seal(b"value"), Err(SealError::Forked));
    }

    #[test]
    fn a_value_that_was_not_sealed_does_not_count() {
        let mut batch = batch();
        batch.values_left = 1;
        let unavailable = RandomFailed(getrandom::Error::UNSUPPORTED);
        let error = batch.seal_with(|| Err(unavailable), b"value").unwrap_err();
        assert_eq!(error, SealError::Random(unavailable));
        assert!(batch.seal(b"value").is_ok());
    }
}
