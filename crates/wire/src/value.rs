//! Values that are made of values: arrays, composites, ranges, `hstore`, `json`. Each is read whole
//! before anything is done with it, and written anew only where a value in it changes; all else
//! stays byte for byte.
//!
//! Every form is walked once from its front, without recursion, and what it shows is the places of
//! its *leaves*, in order: the values in it that are not NULL. What PostgreSQL would not write is
//! none of the forms. Of what stands in a leaf nothing is known here, but its type where the form
//! says it; a leaf that is itself such a value is the caller's to read. Text is walked byte by byte:
//! it must be in an encoding in which a byte below 0x80 is never a part of another character.
//!
//! Text forms are in `array`, `composite`, `range`, `hstore` and `json`, what they have in common in
//! `scan`, and the binary ones in `binary`; how a leaf is quoted stands in `quoting`.

mod array;
mod binary;
mod composite;
mod hstore;
mod json;
mod quoting;
mod range;
mod scan;

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use self::quoting::Quoting;

pub(crate) use self::scan::is_space;

/// How a value that is made of values is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"a": "b"}`: JSON (RFC 8259), as `json` and `jsonb` are written in text, and `json` in binary.
    Json,
    /// A version byte, 1, and JSON: `jsonb_send`.
    BinaryJsonb,
    /// `{a,"b c",NULL}`, with bounds before it where they are not 1: `array_out`.
    Array,
    /// `(a,"b c",)`: `record_out`.
    Composite,
    /// `[a,"b c")`: `range_out`.
    Range,
    /// `{[a,b),[c,d)}`: `multirange_out`.
    Multirange,
    /// `"a"=>"b", "c"=>NULL`: `hstore_out`.
    Hstore,
    /// Dimensions, type and elements: `array_send`.
    BinaryArray,
    /// Fields with their types: `record_send`.
    BinaryComposite,
    /// Flags and bounds: `range_send`.
    BinaryRange,
    /// Ranges, each with its length: `multirange_send`.
    BinaryMultirange,
    /// Keys and values: `hstore_send`.
    BinaryHstore,
}

impl Form {
    /// In which order a value in text of which nothing is known is tried: what begins alike stands
    /// in the order in which the one cannot be taken for the other, or is hardly ever.
    pub const IN_TEXT: [Self; 6] = [
        Self::Json,
        Self::Multirange,
        Self::Array,
        Self::Composite,
        Self::Range,
        Self::Hstore,
    ];

    /// The same of a value in binary, where `json` is text too.
    pub const IN_BINARY: [Self; 7] = [
        Self::BinaryArray,
        Self::BinaryComposite,
        // A multirange of one range may look like a range, and hardly ever the other way round.
        Self::BinaryMultirange,
        Self::BinaryRange,
        Self::BinaryHstore,
        Self::BinaryJsonb,
        Self::Json,
    ];

    /// Whether it is text, or holds some, that has to be walked byte by byte.
    #[must_use]
    pub fn is_text(self) -> bool {
        self.quoting() != Quoting::Length
    }

    /// Walks over `bytes` and shows its leaves. `None` where it is no value of this form, which may
    /// be found only after some leaves were shown.
    fn walk(self, bytes: &[u8], show: &mut dyn FnMut(Place)) -> Option<()> {
        match self {
            Self::Json => json::walk(bytes, 0, show),
            Self::BinaryJsonb => {
                bytes.starts_with(&[binary::JSONB_VERSION]).then_some(())?;
                json::walk(bytes, 1, show)
            }
            Self::Array => array::walk(bytes, show),
            Self::Composite => composite::walk(bytes, show),
            Self::Range => range::walk(bytes, show),
            Self::Multirange => range::walk_multi(bytes, show),
            Self::Hstore => hstore::walk(bytes, show),
            Self::BinaryArray => binary::array(bytes, show),
            Self::BinaryComposite => binary::composite(bytes, show),
            Self::BinaryRange => binary::range(bytes, show),
            Self::BinaryMultirange => binary::multirange(bytes, show),
            Self::BinaryHstore => binary::hstore(bytes, show),
        }
    }

    fn quoting(self) -> Quoting {
        match self {
            Self::Json | Self::BinaryJsonb => Quoting::Json,
            Self::Array => Quoting::Array,
            Self::Composite => Quoting::Composite,
            Self::Range | Self::Multirange => Quoting::Range,
            Self::Hstore => Quoting::Hstore,
            Self::BinaryArray
            | Self::BinaryComposite
            | Self::BinaryRange
            | Self::BinaryMultirange
            | Self::BinaryHstore => Quoting::Length,
        }
    }
}

/// Where a leaf stands, quotes or length included.
struct Place {
    range: Range<usize>,
    type_oid: Option<u32>,
}

/// A value that is made of values, known to be one from its first byte to its last.
#[derive(Debug, Clone, Copy)]
pub struct Structure<'a> {
    bytes: &'a [u8],
    form: Form,
}

/// A value in another one.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    raw: &'a [u8],
    quoting: Quoting,
    type_oid: Option<u32>,
}

/// A value would be longer than was asked for, once its leaves are written into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is longer than it may become")]
pub struct TooLong;

impl<'a> Leaf<'a> {
    /// As it stands there, quotes or length included.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The value itself; JSON's escapes become UTF-8. `None` for a JSON string that is no text: an
    /// escape in it is half a character.
    #[must_use]
    pub fn value(&self) -> Option<Cow<'a, [u8]>> {
        self.quoting.unquote(self.raw)
    }

    /// Object id of its type, where the form says it.
    #[must_use]
    pub fn type_oid(&self) -> Option<u32> {
        self.type_oid
    }
}

impl<'a> Structure<'a> {
    /// Reads a value of this form, whole; `None` where it is none.
    #[must_use]
    pub fn parse(form: Form, bytes: &'a [u8]) -> Option<Self> {
        form.walk(bytes, &mut |_| ())?;
        Some(Self { bytes, form })
    }

    /// How it is written.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Shows every leaf to `change`, in order, and writes the value with those that it changes.
    /// `None` where it changes none.
    ///
    /// # Errors
    /// The value would be longer than `limit` bytes; nothing of that length is allocated.
    pub fn rewrite(
        &self,
        limit: usize,
        mut change: impl FnMut(Leaf<'a>) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, TooLong> {
        let quoting = self.form.quoting();
        let mut changes: Vec<(Range<usize>, Zeroizing<Vec<u8>>)> = Vec::new();
        let mut length = self.bytes.len();
        let mut too_long = false;
        self.form.walk(self.bytes, &mut |place| {
            let Some(raw) = self.bytes.get(place.range.clone()).filter(|_| !too_long) else {
                return;
            };
            let leaf = Leaf {
                raw,
                quoting,
                type_oid: place.type_oid,
            };
            let Some(value) = change(leaf) else { return };
            // What stays outside of leaves is never more than there was.
            let written = quoting.quoted_length(&value);
            length = (length - raw.len()).saturating_add(written);
            too_long = length > limit;
            if !too_long {
                changes.push((place.range, quoting.quote(&value, written)));
            }
        });
        match (too_long, changes.is_empty()) {
            (true, _) => Err(TooLong),
            (false, true) => Ok(None),
            (false, false) => Ok(Some(self.write(length, &changes))),
        }
    }

    /// The value with its changes. It has room for all of it, so that it never moves and leaves no
    /// unwiped copy.
    fn write(
        &self,
        length: usize,
        changes: &[(Range<usize>, Zeroizing<Vec<u8>>)],
    ) -> Zeroizing<Vec<u8>> {
        let mut written = Zeroizing::new(Vec::with_capacity(length));
        let mut done = 0;
        for (place, bytes) in changes {
            written.extend_from_slice(self.bytes.get(done..place.start).unwrap_or_default());
            written.extend_from_slice(bytes);
            done = place.end;
        }
        written.extend_from_slice(self.bytes.get(done..).unwrap_or_default());
        written
    }
}

#[cfg(test)]
mod tests;
