//! The format's test vectors, one named test each, in a module per section of the files; those of
//! HPKE itself are in `derive::vectors`.
//!
//! `envelope-v1.json` belongs to the format and is frozen with it. `envelope-v1-more.json` is ours,
//! written by `tests/vectors/more.py`, which shares no code with this crate.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::{
    Candidate, Form, KeyId, Kind, Owner, PrivateKey, Verdict, ZoneId, derive, open as open_envelope,
};

mod find;
mod open;
mod refuse;
mod writer_refuses;

pub(crate) static FORMAT: LazyLock<Vectors> =
    LazyLock::new(|| read(include_str!("../tests/vectors/envelope-v1.json")));
static MORE: LazyLock<Vectors> =
    LazyLock::new(|| read(include_str!("../tests/vectors/envelope-v1-more.json")));

/// One file of vectors.
#[derive(Deserialize)]
pub(crate) struct Vectors {
    keys: Vec<Key>,
    pub(crate) hpke: Option<derive::vectors::Vector>,
    open: Vec<open::Vector>,
    refuse: Vec<refuse::Vector>,
    find: Vec<find::Vector>,
    writer_refuses: Vec<writer_refuses::Vector>,
}

fn read(file: &str) -> Vectors {
    serde_json::from_str(file).unwrap()
}

#[derive(Deserialize)]
struct Key {
    name: String,
    #[serde(deserialize_with = "kind")]
    kind: Kind,
    owner: String,
    private_key: Hex,
    public_key: Hex,
    key_id: String,
}

impl Key {
    fn owner(&self) -> Owner {
        Owner::new(self.kind, &self.owner).unwrap()
    }

    fn private_key(&self) -> PrivateKey {
        PrivateKey::from_bytes(self.private_key.array())
    }
}

/// Bytes, written in hexadecimal.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    pub(crate) fn array<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        self.0.as_slice().try_into().unwrap()
    }
}

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
        });
        digits.collect::<Result<_, _>>().map(Hex)
    }
}

fn kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    match <&str>::deserialize(deserializer)? {
        "c" => Ok(Kind::Client),
        "z" => Ok(Kind::Zone),
        other => Err(serde::de::Error::custom(format!("kind {other:?}"))),
    }
}

impl Vectors {
    /// The judge of a server that holds the file's keys: `tagged` says of a zone whether its tag
    /// is there, and of clients only `client` may open.
    fn judge(
        &self,
        client: &str,
        tagged: impl Fn(&ZoneId, &Candidate<'_>) -> bool,
    ) -> impl FnMut(Candidate<'_>) -> Verdict {
        let keys: HashMap<KeyId, &Key> = self
            .keys
            .iter()
            .map(|key| (key.key_id.parse().unwrap(), key))
            .collect();
        move |candidate| {
            let Some(key) = keys.get(&candidate.envelope.key_id()) else {
                return Verdict::Refused;
            };
            let owner = key.owner();
            let (permitted, tag) = match &owner {
                Owner::Client(id) => (id.as_str() == client, None),
                Owner::Zone(id) => (tagged(id, &candidate), Some(id.clone())),
            };
            if !permitted {
                return Verdict::Refused;
            }
            match open_envelope(&candidate.envelope, &owner, &key.private_key()) {
                Ok(plaintext) if admits(candidate.form, plaintext.expose_secret()) => {
                    Verdict::Opened { plaintext, tag }
                }
                _ => Verdict::Refused,
            }
        }
    }
}

/// Whether an opened value may stand in such a field, where text is UTF-8.
fn admits(form: Form, plaintext: &[u8]) -> bool {
    form == Form::Bytes || !plaintext.contains(&0) && str::from_utf8(plaintext).is_ok()
}

/// A named test for each vector of a section, and one more that none of the section is left out.
macro_rules! a_test_for_each {
    ($check:ident, $file:ident . $section:ident: $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                let vector = $file.$section.iter().find(|vector| vector.name == stringify!($name));
                $check(&$file, vector.expect("a vector of this name"));
            }
        )+

        #[test]
        fn every_vector_has_its_test() {
            let names: Vec<&str> = $file.$section.iter().map(|vector| &*vector.name).collect();
            assert_eq!(names, [$(stringify!($name)),+]);
        }
    };
}
use a_test_for_each;

#[test]
fn key_ids_and_public_keys_follow_from_the_private_keys() {
    for key in FORMAT.keys.iter().chain(&MORE.keys) {
        let public_key = key.private_key().public_key();
        assert_eq!(
            public_key.as_bytes(),
            key.public_key.0.as_slice(),
            "{}",
            key.name
        );
        assert_eq!(public_key.key_id().to_string(), key.key_id, "{}", key.name);
    }
}
