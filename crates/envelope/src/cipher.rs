//! AES-256-GCM with its key schedule kept: the one place where values are encrypted.
//!
//! Which key and which nonce is decided by `schedule`, `seal` and `batch`. Associated data is
//! always empty: all that a value is bound to stands in HPKE's `info`.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of an authentication tag.
pub(crate) const TAG: usize = 16;

/// A key ready for use; wiped when dropped.
///
/// It lies on the heap, so that moving it, as a cache does, leaves no copy behind.
pub(crate) struct Cipher(Box<Aes256Gcm>);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Cipher(Box::new(Aes256Gcm::new(key.into())))
    }

    /// Encrypts `value` in its place and gives the tag.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE], value: &mut [u8]) -> [u8; TAG] {
        self.0
            .encrypt_inout_detached(nonce.into(), b"", value.into())
            .expect("a value is under 2^28 bytes, AES-GCM takes 2^36")
            .into()
    }

    /// The plaintext, or nothing if the tag does not fit. The tag is checked first, in constant
    /// time, so that no unauthentic plaintext ever exists.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE],
        ciphertext: &[u8],
        tag: &[u8; TAG],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
        let buffers = InOutBuf::new(ciphertext, plaintext.as_mut_slice())
            .expect("both have the ciphertext's length");
        match self
            .0
            .decrypt_inout_detached(nonce.into(), b"", buffers, tag.into())
        {
            Ok(()) => Some(plaintext),
            Err(aes_gcm::Error) => None,
        }
    }
}
