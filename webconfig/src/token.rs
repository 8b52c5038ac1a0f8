//! Random secrets that browsers hold: what is kept of them here is a hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 256 random bits, as text.
pub struct Token(Zeroizing<String>);

/// What is kept of one. It finds the token's session, and does not give the token back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl Token {
    /// A new one.
    ///
    /// # Panics
    /// The operating system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).expect("Linux has randomness once it has booted");
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
    }

    /// As it goes to the browser.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// Whether somebody sent this one. Takes as long for each that is of its length.
    #[must_use]
    pub fn is(&self, sent: &str) -> bool {
        self.0.as_bytes().ct_eq(sent.as_bytes()).into()
    }
}

impl TokenHash {
    /// Of a token as it came.
    #[must_use]
    pub fn of(sent: &str) -> Self {
        Self(Sha256::digest(sent).into())
    }

    /// As text: of the cookie that a form was made for, what the form says.
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether somebody sent this text.
    #[must_use]
    pub fn is(&self, sent: &str) -> bool {
        self.text().as_bytes().ct_eq(sent.as_bytes()).into()
    }
}
