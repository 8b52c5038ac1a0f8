//! The envelope's layout: what stands at which offset. Here it is read, `seal` writes it.
//!
//! [`Envelope::at_start`] alone decides what is an envelope and what is not; everything here is
//! judged from the header and no key is touched. Integers are big-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `F5 70 67 73` |
//! | 4 | 1 | version `01` |
//! | 5 | 1 | suite |
//! | 6 | 2 | flags, zero |
//! | 8 | 8 | key id |
//! | 16 | 4 | length of what follows |
//! | 20 | 12 | nonce: zero for a single-shot value, random for a value of a batch |
//! | 32 | 32 | enc, HPKE's encapsulated key |
//! | 64 | n | ciphertext |
//! | 64+n | 16 | tag |
//!
//! What follows the length belongs to the suite; this is suite 01's.

use crate::cipher::{NONCE, TAG};
use crate::derive::SUITE;
use crate::error::OpenError;
use crate::key::KeyId;

/// Magic and version: how every envelope begins. 0xF5 never occurs in UTF-8.
pub(crate) const START: [u8; 5] = *b"\xF5pgs\x01";
/// Bytes of the header, the same in every suite.
pub(crate) const HEADER: usize = 20;
/// Bytes that suite 01 puts around a plaintext after the header: nonce, enc and tag.
pub(crate) const AROUND: usize = NONCE + ENC + TAG;
/// The longest that may follow a header, in every suite.
pub(crate) const MAX_LENGTH: usize = 1 << 28;
/// The nonce that marks a single-shot value.
pub(crate) const SINGLE_SHOT: [u8; NONCE] = [0; NONCE];
/// The least that may follow the header of a suite not known here.
const MIN_LENGTH: usize = 16;

/// Bytes of an encapsulated key.
const ENC: usize = 32;

/// What the first 20 bytes say, the same in every suite.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    suite: u8,
    flags: u16,
    key_id: KeyId,
    /// Bytes of the whole envelope, these 20 included.
    pub(crate) total: usize,
}

impl Header {
    /// The header that `bytes` begins with, if an envelope may begin so.
    pub(crate) fn at_start(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&START)?;
        let (&[suite], rest) = rest.split_first_chunk()?;
        let (&flags, rest) = rest.split_first_chunk()?;
        let (&key_id, rest) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*rest.first_chunk()?);

        let shortest = if suite == SUITE { AROUND } else { MIN_LENGTH };
        let length = usize::try_from(length).ok()?;
        (shortest..=MAX_LENGTH).contains(&length).then_some(Header {
            suite,
            flags: u16::from_be_bytes(flags),
            key_id: KeyId::from_bytes(key_id),
            total: HEADER + length,
        })
    }
}

/// An envelope as found: complete by its header, but not yet opened, and perhaps of a suite that
/// this version does not know.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    bytes: &'a [u8],
    header: Header,
}

/// What of an envelope is suite 01's.
#[derive(Clone, Copy)]
pub(crate) struct Sealed<'a> {
    /// Bytes 0 to 15 as they stand, which the key schedule takes in.
    pub(crate) bound: &'a [u8; 16],
    pub(crate) nonce: &'a [u8; NONCE],
    pub(crate) enc: &'a [u8; ENC],
    pub(crate) ciphertext: &'a [u8],
    pub(crate) tag: &'a [u8; TAG],
}

impl<'a> Envelope<'a> {
    /// The envelope that `bytes` begins with, if it begins with one; more bytes may follow.
    pub fn at_start(bytes: &'a [u8]) -> Option<Self> {
        let header = Header::at_start(bytes)?;
        Some(Envelope {
            bytes: bytes.get(..header.total)?,
            header,
        })
    }

    /// All its bytes, header included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The suite's number; only 0x01 opens.
    pub fn suite(&self) -> u8 {
        self.header.suite
    }

    /// The flags; only zero opens.
    pub fn flags(&self) -> u16 {
        self.header.flags
    }

    /// Which key it says it was sealed to. Nothing is proved by that before it opens.
    pub fn key_id(&self) -> KeyId {
        self.header.key_id
    }

    /// The nonce: all zero for a single-shot value, anything else for a value of a batch.
    ///
    /// Fails as an envelope does that cannot open by its header alone: unknown suite, or flags.
    pub fn nonce(&self) -> Result<&'a [u8; NONCE], OpenError> {
        Ok(self.sealed()?.nonce)
    }

    /// HPKE's encapsulated key. Fails as [`Envelope::nonce`] does.
    pub fn enc(&self) -> Result<&'a [u8; ENC], OpenError> {
        Ok(self.sealed()?.enc)
    }

    /// The parts of suite 01, if it is of suite 01 and has no flags.
    pub(crate) fn sealed(&self) -> Result<Sealed<'a>, OpenError> {
        if self.suite() != SUITE {
            return Err(OpenError::UnknownSuite(self.suite()));
        }
        if self.flags() != 0 {
            return Err(OpenError::Flags(self.flags()));
        }
        Ok(self
            .split()
            .expect("suite 01's least length was checked where it was found"))
    }

    fn split(&self) -> Option<Sealed<'a>> {
        let (bound, rest) = self.bytes.split_first_chunk()?;
        let (_length, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (enc, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        Some(Sealed {
            bound,
            nonce,
            enc,
            ciphertext,
            tag,
        })
    }
}
