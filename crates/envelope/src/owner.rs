//! Owners of keys: clients and zones, and the rules for their ids.
//!
//! An id that exists as a [`ClientId`] or [`ZoneId`] has been checked. Which key belongs to which
//! owner, and who may open for a zone, is the keystore's business.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{IdError, RandomFailed};
use crate::random;

/// What a key was made for: it stands in every key derivation (one byte of HPKE's `info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Sealed to a client: the identity of a certificate.
    Client,
    /// Sealed to a zone: a group of rows whose tag must stand beside the value.
    Zone,
}

impl Kind {
    /// The byte of the key derivation: `c` (0x63) or `z` (0x7A).
    pub const fn byte(self) -> u8 {
        match self {
            Kind::Client => b'c',
            Kind::Zone => b'z',
        }
    }

    /// Shortest and longest id, in characters.
    pub(crate) const fn length(self) -> (usize, usize) {
        match self {
            Kind::Client => (1, 128),
            Kind::Zone => (8, 64),
        }
    }

    fn check(self, id: &str) -> Result<Arc<str>, IdError> {
        let allowed = |c: char| match c {
            '@' => self == Kind::Client,
            '_' | '.' | ':' | '-' => true,
            c => c.is_ascii_alphanumeric(),
        };
        if let Some(found) = id.chars().find(|&c| !allowed(c)) {
            return Err(IdError::Character { kind: self, found });
        }
        let (shortest, longest) = self.length();
        if !(shortest..=longest).contains(&id.len()) {
            return Err(IdError::Length {
                kind: self,
                found: id.len(),
            });
        }
        if self == Kind::Zone && !id.contains(|c: char| c.is_ascii_alphabetic()) {
            return Err(IdError::NoLetter);
        }
        Ok(id.into())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Client => "client",
            Kind::Zone => "zone",
        })
    }
}

/// A client's id: 1 to 128 characters of `A-Z a-z 0-9 _ . : @ -`.
///
/// Compared byte for byte, never case-folded. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

/// A zone's id: 8 to 64 characters of `A-Z a-z 0-9 _ . : -`, at least one of them a letter.
///
/// Compared byte for byte, never case-folded. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(Arc<str>);

impl ZoneId {
    /// A new id, `DDDDDDDD` and 16 random letters, from the operating system's generator.
    pub fn generate() -> Result<Self, RandomFailed> {
        let letters: String = (0..16)
            .map(|_| random::letter())
            .collect::<Result<_, _>>()?;
        Ok(ZoneId(format!("DDDDDDDD{letters}").into()))
    }
}

/// What both ids have in common.
macro_rules! id {
    ($id:ident, $kind:expr) => {
        impl $id {
            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $id {
            type Error = IdError;

            fn try_from(id: &str) -> Result<Self, IdError> {
                $kind.check(id).map($id)
            }
        }

        impl FromStr for $id {
            type Err = IdError;

            fn from_str(id: &str) -> Result<Self, IdError> {
                id.try_into()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($id), self.as_str())
            }
        }
    };
}

id!(ClientId, Kind::Client);
id!(ZoneId, Kind::Zone);

/// Whom a value is sealed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A client.
    Client(ClientId),
    /// A zone.
    Zone(ZoneId),
}

impl Owner {
    /// The owner of this kind and id, if the id is one for that kind.
    pub fn new(kind: Kind, id: &str) -> Result<Self, IdError> {
        Ok(match kind {
            Kind::Client => Owner::Client(id.try_into()?),
            Kind::Zone => Owner::Zone(id.try_into()?),
        })
    }

    /// Client or zone.
    pub const fn kind(&self) -> Kind {
        match self {
            Owner::Client(_) => Kind::Client,
            Owner::Zone(_) => Kind::Zone,
        }
    }

    /// The id's text.
    pub fn id(&self) -> &str {
        match self {
            Owner::Client(id) => id.as_str(),
            Owner::Zone(id) => id.as_str(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

impl From<ClientId> for Owner {
    fn from(id: ClientId) -> Self {
        Owner::Client(id)
    }
}

impl From<ZoneId> for Owner {
    fn from(id: ZoneId) -> Self {
        Owner::Zone(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_zone_ids_are_the_prefix_and_sixteen_letters_and_differ() {
        let one = ZoneId::generate().unwrap();
        let letters = one.as_str().strip_prefix("DDDDDDDD").unwrap();
        assert_eq!(letters.len(), 16);
        assert!(letters.chars().all(|c| c.is_ascii_alphabetic()));
        assert_eq!(ZoneId::try_from(one.as_str()).unwrap(), one);
        assert_ne!(ZoneId::generate().unwrap(), one);
    }

    #[test]
    fn an_owner_is_shown_by_kind_and_id() {
        let owner = Owner::new(Kind::Zone, "tenant-1").unwrap();
        assert_eq!(owner.to_string(), "zone tenant-1");
        assert_eq!(Kind::Client.to_string(), "client");
    }

    #[test]
    fn an_error_names_the_first_character_that_is_not_allowed() {
        let error = ZoneId::try_from("tenant@1").unwrap_err();
        assert_eq!(
            error,
            IdError::Character {
                kind: Kind::Zone,
                found: '@'
            }
        );
        assert!(ClientId::try_from("tenant@1").is_ok());
    }

    #[test]
    fn ids_are_as_long_as_their_kind_allows_and_no_longer() {
        for kind in [Kind::Client, Kind::Zone] {
            let (shortest, longest) = kind.length();
            for length in [shortest, longest] {
                assert!(Owner::new(kind, &"a".repeat(length)).is_ok());
            }
            for length in [shortest - 1, longest + 1] {
                let error = Owner::new(kind, &"a".repeat(length)).unwrap_err();
                assert_eq!(
                    error,
                    IdError::Length {
                        kind,
                        found: length
                    }
                );
            }
        }
    }

    #[test]
    fn a_zone_id_without_a_letter_is_refused() {
        assert_eq!(
            ZoneId::try_from("1234-5678").unwrap_err(),
            IdError::NoLetter
        );
    }
}
