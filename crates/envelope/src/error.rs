//! What can go wrong, as facts. None of these texts holds a key, a plaintext or bytes of a field.

use crate::{KeyId, Kind, MAX_PLAINTEXT};

/// An id that breaks the rules for ids of its kind; the writer's or operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Too short or too long.
    #[error("a {kind} id has {} to {} characters, this one has {found}", .kind.length().0, .kind.length().1)]
    Length {
        /// The kind of id asked for.
        kind: Kind,
        /// The length found, in characters.
        found: usize,
    },
    /// A character outside the alphabet.
    #[error("a {kind} id holds only A-Z a-z 0-9 _ . : -{}, not {found:?}", if *.kind == Kind::Client { " @" } else { "" })]
    Character {
        /// The kind of id asked for.
        kind: Kind,
        /// The first character that is not allowed.
        found: char,
    },
    /// A zone id of digits and punctuation only: too easily a value of its own.
    #[error("a zone id needs at least one letter, this one has none")]
    NoLetter,
}

/// Bytes or text that are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A public key that is not 32 bytes long.
    #[error("a public key has 32 bytes, this one has {0}")]
    Length(usize),
    /// A public key with its top bit set, or not below 2^255 − 19.
    #[error("the public key is not in canonical form; copy it again from where it was handed out")]
    NotCanonical,
    /// A public key of low order, with which every shared secret is zero.
    #[error("the public key has low order and belongs to nobody; do not use it")]
    LowOrder,
    /// A key id that is not 16 hexadecimal digits.
    #[error("a key id is written as 16 hexadecimal digits")]
    KeyIdText,
    /// A public key that came with another key's id.
    #[error("the public key has key id {found}, but was handed out as {stated}; fetch it again")]
    OtherKeyId {
        /// The id that follows from the public key.
        found: KeyId,
        /// The id it was handed out with.
        stated: KeyId,
    },
}

/// The operating system gave no random bytes; nothing can be sealed until it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomFailed(#[source] pub(crate) getrandom::Error);

/// Why a value was not sealed. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The plaintext, of this many bytes, is longer than an envelope holds.
    #[error("the value has {0} bytes, an envelope holds at most {MAX_PLAINTEXT}")]
    TooLong(usize),
    /// X25519 with the recipient's public key gave zero.
    #[error("the recipient's public key has low order and belongs to nobody; do not use it")]
    LowOrder,
    /// The batch holds as many values or bytes as one key may seal.
    #[error("the batch is full; open another one for this value")]
    BatchFull,
    /// The process forked since the batch was opened: a copy of it may be in use elsewhere.
    #[error("the batch was opened in another process; open one after the fork")]
    Forked,
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
}

/// Why an envelope is refused. A session never learns which of these it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A suite of a later format.
    #[error("suite {0:#04x} is not known here; a newer version may open it")]
    UnknownSuite(u8),
    /// Flags of a later format.
    #[error("flags {0:#06x} are not known here; a newer version may open it")]
    Flags(u16),
    /// The private key given is not the one whose id the envelope states.
    #[error("the envelope states another key's id than the one given to open it")]
    OtherKey,
    /// X25519 gave zero: `enc` has low order, so nobody's key is in it. A private key was used.
    #[error("the encapsulated key has low order; the envelope was forged")]
    LowOrder,
    /// The schedule given is another encapsulation's.
    #[error("the envelope belongs to another encapsulation than the schedule given to open it")]
    OtherSchedule,
    /// Altered, or sealed to another owner. A private key, or its schedule, was used.
    #[error("the envelope was altered or sealed to another owner")]
    NotAuthentic,
}
