//! X25519 key pairs and their ids.
//!
//! A [`PublicKey`] that exists is canonical and not of low order; a [`PrivateKey`] knows its public
//! half. Where keys are kept, and whose they are, is the keystore's business.

use std::fmt;
use std::str::FromStr;

use x25519_dalek::{SharedSecret, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{KeyError, RandomFailed};
use crate::{derive, random};

/// Names a key pair: the first 8 bytes of SHA-256(`"pgseal key id v1"` ‖ suite ‖ public key).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        KeyId(bytes)
    }

    /// The id's bytes, as they stand in an envelope.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    /// As 16 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    /// From 16 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        // `from_str_radix` alone would take a sign too.
        if text.len() != 16 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(KeyError::KeyIdText);
        }
        let id = u64::from_str_radix(text, 16).map_err(|_| KeyError::KeyIdText)?;
        Ok(KeyId(id.to_be_bytes()))
    }
}

/// An X25519 public key (RFC 7748): canonical and not of low order.
///
/// A writer must refuse any other, because what it sealed to it would never open.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key's id in suite 01.
    pub fn key_id(&self) -> KeyId {
        derive::key_id(&self.0)
    }
}

impl TryFrom<[u8; 32]> for PublicKey {
    type Error = KeyError;

    fn try_from(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if !is_canonical(&bytes) {
            return Err(KeyError::NotCanonical);
        }
        if LOW_ORDER.contains(&bytes) {
            return Err(KeyError::LowOrder);
        }
        Ok(PublicKey(bytes))
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = KeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Length(bytes.len()))?;
        bytes.try_into()
    }
}

impl fmt::Debug for PublicKey {
    /// By its id; the key itself says no more to a reader.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

/// An X25519 private key with its public half; wiped when dropped.
///
/// It lies on the heap, so that moving it leaves no copy behind.
pub struct PrivateKey {
    secret: Box<StaticSecret>,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key from the operating system's generator.
    pub fn generate() -> Result<Self, RandomFailed> {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(bytes.as_mut_slice())?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The key with these bytes; every 32 bytes are one. The caller wipes its own copy.
    ///
    /// The public half is computed here, once.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let secret = Box::new(StaticSecret::from(bytes));
        bytes.zeroize();
        let public = PublicKey(x25519_dalek::PublicKey::from(&*secret).to_bytes());
        PrivateKey { secret, public }
    }

    /// The public half.
    pub const fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The key's bytes, for the keystore that seals them.
    pub fn expose_secret(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// X25519 with a peer's public key; `None` when the result is all zero (RFC 9180 7.1.4).
    pub(crate) fn agree(&self, public: &[u8; 32]) -> Option<SharedSecret> {
        let shared = self.secret.diffie_hellman(&(*public).into());
        shared.was_contributory().then_some(shared)
    }
}

/// Whether these bytes, read little-endian, are below p = 2^255 − 19.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    match highest {
        0x80.. => false,
        0x7f => *lowest < 0xed || middle.iter().any(|&byte| byte != 0xff),
        _ => true,
    }
}

/// The canonical points of low order on Curve25519 and its twist, in the order 0, 1, two of order 8,
/// p − 1.
const LOW_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    {
        let mut p_minus_1 = [0xff; 32];
        p_minus_1[0] = 0xec;
        p_minus_1[31] = 0x7f;
        p_minus_1
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// p − 1, p, p + 1, …, by their lowest byte.
    fn near_p(lowest: u8) -> [u8; 32] {
        let mut bytes = [0xff; 32];
        bytes[0] = lowest;
        bytes[31] = 0x7f;
        bytes
    }

    #[test]
    fn public_keys_from_p_on_or_with_the_top_bit_are_not_canonical() {
        for bytes in [near_p(0xed), near_p(0xee), near_p(0xff)] {
            assert_eq!(PublicKey::try_from(bytes), Err(KeyError::NotCanonical));
        }
        let mut top_bit = *PrivateKey::from_bytes([7; 32]).public_key().as_bytes();
        assert!(PublicKey::try_from(top_bit).is_ok());
        top_bit[31] |= 0x80;
        assert_eq!(PublicKey::try_from(top_bit), Err(KeyError::NotCanonical));
    }

    #[test]
    fn public_keys_just_below_p_are_canonical() {
        assert!(PublicKey::try_from(near_p(0xeb)).is_ok());
    }

    #[test]
    fn every_listed_point_of_low_order_gives_a_zero_secret_and_is_refused() {
        let private = PrivateKey::from_bytes([7; 32]);
        for bytes in LOW_ORDER {
            assert!(private.agree(&bytes).is_none());
            assert_eq!(PublicKey::try_from(bytes), Err(KeyError::LowOrder));
        }
    }

    #[test]
    fn a_public_key_of_another_length_is_refused() {
        for length in [0, 31, 33] {
            let error = PublicKey::try_from(vec![9; length].as_slice()).unwrap_err();
            assert_eq!(error, KeyError::Length(length));
        }
    }

    #[test]
    fn a_private_key_comes_back_as_it_was_given() {
        // Not clamped: HPKE clamps when it uses a key, not when it stores one.
        let private = PrivateKey::from_bytes([0xff; 32]);
        assert_eq!(private.expose_secret(), &[0xff; 32]);
    }

    #[test]
    fn generated_keys_differ() {
        let [one, other] = [(); 2].map(|()| PrivateKey::generate().unwrap());
        assert_ne!(one.public_key(), other.public_key());
    }

    #[test]
    fn keys_are_shown_to_developers_by_their_ids() {
        let key = PrivateKey::from_bytes([7; 32]).public_key();
        let id = key.key_id();
        assert_eq!(format!("{id:?}"), format!("KeyId({id})"));
        assert_eq!(format!("{key:?}"), format!("PublicKey({id})"));
    }

    #[test]
    fn key_ids_round_trip_as_sixteen_hexadecimal_digits() {
        let id = KeyId::from_bytes([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(id.to_string(), "00010203fcfdfeff");
        assert_eq!("00010203fcfdfeff".parse(), Ok(id));
        assert_eq!("00010203FCFDFEFF".parse(), Ok(id));
        for text in [
            "",
            "00010203fcfdfef",
            "00010203fcfdfeff0",
            "+0010203fcfdfeff",
            "0001020 fcfdfeff",
        ] {
            assert_eq!(text.parse::<KeyId>(), Err(KeyError::KeyIdText));
        }
    }
}
