//! What came out of an envelope.

use zeroize::Zeroizing;

/// An opened value; wiped when dropped, and never shown by accident.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Plaintext(bytes)
    }

    /// The value's bytes.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// The value's bytes, not copied; still wiped when dropped.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}
