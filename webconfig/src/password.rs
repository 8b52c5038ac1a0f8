//! Passwords: what is kept of them, and whether one is right.
//!
//! Argon2id (RFC 9106) with the parameters that OWASP names for it: 19 MiB, two passes, one lane. What
//! is kept is a PHC string, which says the parameters itself.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use zeroize::Zeroizing;

/// The longest password, in bytes: hashing takes longer the longer it is.
pub const MAX_PASSWORD: usize = 1024;

/// The shortest, in characters (NIST SP 800-63B, section 3.1.1.2, asks for 15 where nothing else is).
pub const MIN_PASSWORD: usize = 12;

/// A password in clear; wiped when dropped.
pub struct Password(Zeroizing<String>);

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept(String);

/// A password cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is guessed too easily.
    #[error("the password is too short: {MIN_PASSWORD} characters at least")]
    TooShort,
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// It takes too long to hash.
    #[error("the password is too long: {MAX_PASSWORD} bytes at most")]
    TooLong,
    /// Memory or randomness is lacking.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    /// It is not one that was kept here.
    #[error("not an argon2id hash")]
    NoHash,
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Password {
    /// What to keep of it.
    ///
    /// # Errors
    /// It is too short or too long; memory or randomness is lacking.
    pub fn keep(&self) -> Result<Kept, PasswordError> {
        if self.0.chars().count() < MIN_PASSWORD {
            return Err(PasswordError::TooShort);
        }
        self.keep_weak()
    }

    /// What to keep of it, however easily it is guessed: for demonstrations.
    ///
    /// # Errors
    /// It is empty or too long; memory or randomness is lacking.
    pub fn keep_weak(&self) -> Result<Kept, PasswordError> {
        if self.0.is_empty() {
            return Err(PasswordError::Empty);
        }
        if self.0.len() > MAX_PASSWORD {
            return Err(PasswordError::TooLong);
        }
        hash(self.0.as_bytes()).map_err(PasswordError::Hash)
    }

    /// Whether it is the one that was kept; where none was, as slowly that it is not. Takes a processor
    /// for tens of milliseconds.
    #[must_use]
    pub fn is(&self, kept: Option<&Kept>) -> bool {
        if self.0.len() > MAX_PASSWORD {
            return false;
        }
        let hash = kept.unwrap_or(&NOBODYS).0.as_str();
        let is_right = Argon2::default().verify_password(self.0.as_bytes(), hash);
        is_right.is_ok() && kept.is_some()
    }
}

/// Of no password that anybody has.
static NOBODYS: LazyLock<Kept> =
    LazyLock::new(|| hash(b"of nobody").expect("19 MiB and 16 random bytes are to be had"));

fn hash(password: &[u8]) -> Result<Kept, argon2::password_hash::Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| argon2::password_hash::Error::RngFailure)?;
    let hash = Argon2::default().hash_password_with_salt(password, &salt)?;
    Ok(Kept(hash.to_string()))
}

impl Kept {
    /// One that was written before.
    ///
    /// # Errors
    /// It is no hash by argon2id.
    pub fn read(text: &str) -> Result<Self, PasswordError> {
        let hash = PasswordHash::new(text).map_err(|_| PasswordError::NoHash)?;
        match hash.algorithm.as_str() == "argon2id" && hash.hash.is_some() {
            true => Ok(Self(text.to_owned())),
            false => Err(PasswordError::NoHash),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        text.to_owned().into()
    }

    #[test]
    fn a_password_is_right_where_it_is_the_one_that_was_kept() {
        let kept = password("correct horse").keep().unwrap();
        assert!(kept.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let kept = Kept::read(kept.as_str()).unwrap();
        assert!(password("correct horse").is(Some(&kept)));
        assert!(!password("correct horsf").is(Some(&kept)));
        assert!(!password("of nobody").is(None));
        let again = password("correct horse").keep().unwrap();
        assert!(again != kept, "each has a salt of its own");
    }

    #[test]
    fn short_and_long_ones_are_not_kept_and_what_is_no_hash_is_not_read() {
        for (text, why) in [
            ("elevenchars".to_owned(), "too short"),
            ("x".repeat(MAX_PASSWORD + 1), "too long"),
        ] {
            let error = password(&text).keep().err().unwrap();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert!(password("test").keep_weak().is_ok());
        assert!(password("").keep_weak().is_err());
        for text in [
            "",
            "secret",
            "$argon2id$",
            "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$Q2hhbmdlbWVDaGFuZ2VtZQ",
        ] {
            assert!(Kept::read(text).is_err(), "{text}");
        }
    }
}
