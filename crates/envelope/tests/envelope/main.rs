//! The crate from outside: every alteration refused, hostile fields, properties, and the `hpke`
//! crate in both directions. The format's vectors are unit tests, in `src/vectors.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alterations;
mod hostile_fields;
mod hpke_crate;
mod properties;
mod recipients;

use pgseal_envelope::{Candidate, Kind, Owner, PrivateKey, Recipient, Verdict, open};

/// An owner with its key, the same each time.
fn owner(kind: Kind, id: &str) -> (Owner, PrivateKey, Recipient) {
    let owner = Owner::new(kind, id).unwrap();
    let private_key = PrivateKey::from_bytes([0x42; 32]);
    let recipient = Recipient::new(owner.clone(), private_key.public_key());
    (owner, private_key, recipient)
}

/// A judge with one key, who lets everything open.
fn judge(owner: &Owner, private_key: &PrivateKey) -> impl Fn(Candidate<'_>) -> Verdict {
    |candidate| match open(&candidate.envelope, owner, private_key) {
        Ok(plaintext) => Verdict::Opened {
            plaintext,
            tag: match owner {
                Owner::Client(_) => None,
                Owner::Zone(id) => Some(id.clone()),
            },
        },
        Err(_) => Verdict::Refused,
    }
}
