//! Sealed values and who opens them: those of the format's own vectors, so that an input means the
//! same on every machine.

use std::collections::HashMap;
use std::sync::LazyLock;

use envelope::{
    Candidate, Envelope, Form, KeyId, Kind, OpenError, Owner, Plaintext, PrivateKey, Schedule,
    Verdict, ZoneId, open,
};
use keystore::fuzzing::open_key;
use keystore::{OpenKey, Permitted, Use, Withheld};
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
    /// What becomes of it in a session of [`CLIENT`].
    pub fate: Fate,
}

/// What becomes of a value, by its key alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It opens.
    Opens,
    /// It is sealed to somebody else, or to a zone that does not let the client open.
    NotPermitted,
    /// Its key is not in the store.
    Unknown,
    /// Its key has been destroyed.
    Destroyed,
}

/// The client for which values open.
pub const CLIENT: &str = "app";

/// A zone whose list of clients is empty.
const CLOSED: &str = "zone:eu-west.";

/// A client whose key no store has.
const UNKNOWN: &str = "a";

impl Sealed {
    /// The zone it is sealed to, if it is one.
    pub fn zone(&self) -> Option<&ZoneId> {
        match &self.owner {
            Owner::Zone(zone) => Some(zone),
            Owner::Client(_) => None,
        }
    }
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
                fate: match (kind, vector.owner.as_str()) {
                    _ if vector.name.contains("second_version") => Fate::Destroyed,
                    (Kind::Client, CLIENT) => Fate::Opens,
                    (Kind::Client, UNKNOWN) => Fate::Unknown,
                    (Kind::Zone, zone) if !zone.starts_with(CLOSED) => Fate::Opens,
                    _ => Fate::NotPermitted,
                },
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
    name: String,
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

/// The keys that a server has of those that something is sealed to.
pub fn keys() -> Vec<(KeyId, OpenKey)> {
    let mut keys = HashMap::new();
    for Opened {
        sealed,
        key,
        key_id,
    } in VALUES.iter()
    {
        let owner = sealed.owner.clone();
        let private = PrivateKey::from_bytes(*key.expose_secret());
        let clients = match (&owner, sealed.fate) {
            (_, Fate::Unknown) => continue,
            (Owner::Client(client), _) => Permitted::Only([client.clone()].into()),
            (Owner::Zone(_), Fate::NotPermitted) => Permitted::Only([].into()),
            (Owner::Zone(_), _) => Permitted::All,
        };
        let private = match sealed.fate {
            Fate::Destroyed => Use::Withheld(Withheld::Destroyed),
            _ => Use::Opens(private),
        };
        keys.insert(*key_id, open_key(owner, clients, private));
    }
    keys.into_iter().collect()
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

/// What is sealed to keys that open nothing in a session of [`CLIENT`].
pub fn strange() -> impl Iterator<Item = &'static [u8]> {
    let closed = VALUES.iter().filter(|it| it.sealed.fate != Fate::Opens);
    closed.map(|it| it.sealed.plaintext.as_slice())
}
