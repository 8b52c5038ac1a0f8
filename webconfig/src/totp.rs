//! Codes that a telephone shows, another one every 30 seconds (TOTP, RFC 6238, with SHA-1 and 6 digits).
//! Which of them were used is `codes`'.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// As long as SHA-1's output (RFC 4226, section 4).
const LENGTH: usize = 20;

/// How long a code is shown, in seconds.
const PERIOD: u64 = 30;

/// How many steps a clock may be off, either way.
const SLACK: u64 = 1;

const DIGITS: usize = 6;

/// What a user's telephone and the users' file share; wiped when dropped. It is cloned with its user.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; LENGTH]>);

/// What is no secret.
#[derive(Debug, thiserror::Error)]
#[error("not a secret for codes: {LENGTH} bytes in base32")]
pub struct NoSecret;

/// A code, as somebody has typed it.
pub struct Code([u8; DIGITS]);

/// Counts periods from 1970 on: each has a code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u64);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl Secret {
    /// A new one.
    ///
    /// # Panics
    /// The operating system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        getrandom::fill(bytes.as_mut()).expect("Linux has randomness once it has booted");
        Self(bytes)
    }

    /// One that was written before.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, NoSecret> {
        let decoded = BASE32_NOPAD.decode(text.as_bytes());
        let decoded = Zeroizing::new(decoded.map_err(|_| NoSecret)?);
        let bytes = <[u8; LENGTH]>::try_from(decoded.as_slice()).map_err(|_| NoSecret)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// As it is written: base32 (RFC 4648, section 6).
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(self.0.as_slice()))
    }

    /// As telephones take it over.
    #[must_use]
    pub fn uri(&self, user: &str) -> Zeroizing<String> {
        let secret = self.expose_secret();
        let uri = format!(
            "otpauth://totp/pgseal:{user}?secret={}&issuer=pgseal",
            *secret
        );
        Zeroizing::new(uri)
    }

    /// Of which step a code is, of those around `now`. Takes as long whichever it is, or none.
    #[must_use]
    pub fn step(&self, code: &Code, now: SystemTime) -> Option<Step> {
        let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs() / PERIOD;
        let (mut found, mut is_found) = (0, Choice::from(0));
        for step in now.saturating_sub(SLACK)..=now.saturating_add(SLACK) {
            let is_it = self.code(step).ct_eq(&code.0);
            found.conditional_assign(&step, is_it);
            is_found |= is_it;
        }
        bool::from(is_found).then_some(Step(found))
    }

    /// HOTP(secret, step) = Truncate(HMAC-SHA-1(secret, step)) mod 10^6 (RFC 4226, section 5.3).
    fn code(&self, step: u64) -> [u8; DIGITS] {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes keys of every length");
        mac.update(&step.to_be_bytes());
        let hash: [u8; LENGTH] = mac.finalize().into_bytes().into();
        let offset = usize::from(hash[LENGTH - 1] & 0xf);
        let word = [0, 1, 2, 3].map(|byte| hash[offset + byte]);
        let mut number = u32::from_be_bytes(word) & 0x7fff_ffff;
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).expect("a digit is below 10");
            number /= 10;
        }
        digits
    }
}

/// Of nobody: what is looked at where there is no user, or one without codes.
pub static NOBODYS: LazyLock<Secret> = LazyLock::new(Secret::new);

impl Code {
    /// What was typed, with blanks between its digits or none. What is no code is one that is wrong.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| *byte != b' ')
            .take(DIGITS + 1)
            .collect();
        Self(digits.try_into().unwrap_or([b'-'; DIGITS]))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const VECTORS: &str = include_str!("totp/rfc6238.txt");

    fn secret() -> Secret {
        Secret(Zeroizing::new(*b"12345678901234567890"))
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        let vectors = VECTORS.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in vectors {
            let (seconds, code) = line.split_once(' ').unwrap();
            let seconds: u64 = seconds.parse().unwrap();
            // Six digits are the last ones of eight.
            let found = secret().step(&Code::typed(&code[2..]), at(seconds));
            assert_eq!(found, Some(Step(seconds / 30)), "{line}");
            count += 1;
        }
        assert_eq!(count, 6);
    }

    #[test]
    fn a_code_is_right_in_its_own_period_and_the_two_beside_it() {
        let code = Code::typed("287 082");
        for (seconds, is_right) in [(0, true), (29, true), (59, true), (89, true), (90, false)] {
            let found = secret().step(&code, at(seconds));
            assert_eq!(found, is_right.then_some(Step(1)), "{seconds}");
        }
        assert_eq!(secret().step(&code, at(1_111_111_109)), None);
    }

    #[test]
    fn what_is_no_code_is_wrong() {
        for text in ["", "28708", "2870820", "94287082", "28708x", "２８７０８２"] {
            assert_eq!(secret().step(&Code::typed(text), at(59)), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_read_as_it_was_written_and_nothing_else_is_one() {
        let text = secret().expose_secret();
        assert_eq!(*text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(Secret::read(&text).is_ok_and(|it| it == secret()));
        assert!(Secret::new() != Secret::new());
        for text in [
            "",
            "GEZDGNBV",
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1",
        ] {
            assert!(Secret::read(text).is_err(), "{text}");
        }
        let uri = secret().uri("alice");
        assert_eq!(
            *uri,
            format!("otpauth://totp/pgseal:alice?secret={}&issuer=pgseal", *text)
        );
    }
}
