//! The pgseal envelope, format version 1: sealing, opening and finding values.
//!
//! An envelope is one message of HPKE (RFC 9180, Base mode: X25519, HKDF-SHA256, AES-256-GCM)
//! behind a header of 20 bytes that says to which key it was sealed. What opens is what somebody
//! with the public key sealed to exactly this owner, unaltered; who that was, nobody knows.
//!
//! This crate has no input or output, no clock and no logging, and its only randomness is the
//! operating system's. Keys live in the keystore, permissions and policies in the server.
//!
//! ```
//! use pgseal_envelope::{Owner, PrivateKey, Recipient, find, open};
//!
//! let private_key = PrivateKey::generate()?;
//! let owner = Owner::Client("app".parse()?);
//!
//! let recipient = Recipient::new(owner.clone(), private_key.public_key());
//! let mut field = b"card: ".to_vec();
//! field.extend(recipient.seal(b"4000 0012 3456 7899")?);
//!
//! let (offset, envelope) = find(&field).expect("it was put there");
//! assert_eq!(offset, 6);
//! assert_eq!(envelope.key_id(), recipient.key_id());
//! let plaintext = open(&envelope, &owner, &private_key)?;
//! assert_eq!(plaintext.expose_secret(), b"4000 0012 3456 7899");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where to look: the layout in `envelope`, all derivations in `derive`, X25519 in `key`, AES-GCM
//! in `cipher`; sealing in `seal` and `batch`, opening in `schedule`; fields in `find`, `armor` and
//! `field`.

mod armor;
mod batch;
mod cipher;
mod derive;
mod envelope;
mod error;
mod field;
mod find;
mod key;
mod owner;
mod plaintext;
mod random;
mod schedule;
mod seal;
#[cfg(test)]
mod vectors;

pub use armor::armor;
pub use batch::{Batch, MAX_BATCH_BYTES, MAX_BATCH_VALUES};
pub use envelope::Envelope;
pub use error::{IdError, KeyError, OpenError, RandomFailed, SealError};
pub use field::{Candidate, FieldEdit, Form, Verdict, open_field};
pub use find::{envelopes, find};
pub use key::{KeyId, PrivateKey, PublicKey};
pub use owner::{ClientId, Kind, Owner, ZoneId};
pub use plaintext::Plaintext;
pub use schedule::{Schedule, ScheduleId, open};
pub use seal::{MAX_PLAINTEXT, Recipient};

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    #[test]
    fn the_libraries_wipe_what_they_hold_of_a_secret() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<x25519_dalek::StaticSecret>();
        wiped::<x25519_dalek::SharedSecret>();
        wiped::<aes_gcm::Aes256Gcm>();
        wiped::<sha2::Sha256>();
    }
}
