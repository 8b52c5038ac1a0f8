//! Sealed values and who opens them: those of the format's own vectors, so that an input means the
//! same on every machine.

use std::collections::HashMap;
use std::sync::LazyLock;

use envelope::{
    Candidate, Envelope, Form, KeyId, Kind, OpenError, Owner, Plaintext, PrivateKey, Schedule,
    Verdict, open,
};
use serde::Deserialize;

use crate::input::Input;

/// A value in its envelope.
pub struct Sealed {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// What it opens to.
    pub plaintext: Vec<u8>,
    /// Whom it is sealed to.
    pub owner: Owner,
}

struct Opened {
    sealed: Sealed,
    key: PrivateKey,
    key_id: KeyId,
}

/// Those up to this many bytes: a fuzzer's inputs are short, and what is in them should be.
const LONGEST: usize = 400;

static VALUES: LazyLock<Vec<Opened>> = LazyLock::new(|| {
    let file = include_str!("../../crates/envelope/tests/vectors/envelope-v1.json");
    let vectors: Vectors = serde_json::from_str(file).expect("the format's vectors can be read");
    let values = vectors.open.into_iter().map(|vector| {
        let kind = if vector.kind == "z" {
            Kind::Zone
        } else {
            Kind::Client
        };
        let key = hex(&vector.private_key)
            .try_into()
            .expect("a key has 32 bytes");
        let key = PrivateKey::from_bytes(key);
        Opened {
            key_id: key.public_key().key_id(),
            key,
            sealed: Sealed {
                envelope: hex(&vector.envelope),
                plaintext: hex(&vector.plaintext),
                owner: Owner::new(kind, &vector.owner).expect("the vector's owner is one"),
            },
        }
    });
    values
        .filter(|it| it.sealed.envelope.len() <= LONGEST)
        .collect()
});

#[derive(Deserialize)]
struct Vectors {
    open: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    kind: String,
    owner: String,
    private_key: String,
    plaintext: String,
    envelope: String,
}

fn hex(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
    let bytes = (0..digits.len()).step_by(2).map(byte);
    bytes
        .collect::<Result<_, _>>()
        .expect("it is written in hexadecimal")
}

/// One of the sealed values.
pub fn any(input: &mut Input<'_>) -> &'static Sealed {
    &input.one_of(&VALUES).sealed
}

/// Every key that something is sealed to, and whose it is.
pub fn keys() -> Vec<(Owner, PrivateKey)> {
    let mut keys = HashMap::new();
    for value in VALUES.iter() {
        let key = PrivateKey::from_bytes(*value.key.expose_secret());
        keys.insert(value.key_id, (value.sealed.owner.clone(), key));
    }
    keys.into_values().collect()
}

fn of_key(id: KeyId) -> Option<&'static Opened> {
    VALUES.iter().find(|it| it.key_id == id)
}

/// What an envelope opens to, if it is sealed to a key of the vectors, whole and unaltered.
pub fn opened(envelope: &Envelope<'_>) -> Option<Plaintext> {
    let it = of_key(envelope.key_id())?;
    open(envelope, &it.sealed.owner, &it.key).ok()
}

/// What the private-key work for an envelope leaves, by the key that it states: no other does any.
pub fn schedule(envelope: &Envelope<'_>) -> Option<Schedule> {
    let derive = |it: &Opened| Schedule::derive(envelope, &it.sealed.owner, &it.key);
    let stated = envelope.key_id();
    let other = VALUES.iter().find(|it| it.key_id != stated);
    let refused = other.and_then(|it| derive(it).err());
    let expected = envelope.schedule_id().err().unwrap_or(OpenError::OtherKey);
    assert_eq!(refused, Some(expected));
    derive(of_key(stated)?).ok()
}

/// Opens what there is a key for; a zone's without asking for its tag, which is removed where it
/// stands before the envelope.
pub fn judge(candidate: &Candidate<'_>) -> Verdict {
    let opened =
        opened(&candidate.envelope).filter(|it| admits(candidate.form, it.expose_secret()));
    let Some((plaintext, it)) = opened.zip(of_key(candidate.envelope.key_id())) else {
        return Verdict::Refused;
    };
    let tag = match &it.sealed.owner {
        Owner::Client(_) => None,
        Owner::Zone(zone) => Some(zone.clone()),
    };
    Verdict::Opened { plaintext, tag }
}

/// Whether a value may stand where it is found in this form.
pub fn admits(form: Form, plaintext: &[u8]) -> bool {
    form == Form::Bytes || str::from_utf8(plaintext).is_ok_and(|text| !text.contains('\0'))
}
