//! One field: its value taken out of the form it is written in, opened, and put back. Where a type
//! is known it says how a value is written; where none is, the value itself does. Values that are
//! made of values are opened leaf by leaf (`nested`); which fields are a zone's tag is said by `tag`.

mod nested;
mod tag;

use std::sync::LazyLock;

use envelope::{Candidate, Form, Verdict};
use memchr::memmem::Finder;
use wire::bytea::TextForm;
use wire::description::Format;
use zeroize::Zeroizing;

pub use self::tag::Tags;
use crate::encoding::Encoding;
use crate::shape::{Kind, Markers};

use wire::value::Form as Structured;
use wire::value::Form::{BinaryArray, BinaryComposite, BinaryJsonb, Composite, Json};

/// What a field may grow by beside its own length, when what opens in it has to be quoted: more than
/// once, where it stands in values that stand in others, and then twice as much each time.
const MAY_GROW: usize = 64 << 10;

/// How an envelope begins, in the three ways a `bytea` is written.
pub const IN_BINARY: &[u8] = b"\xf5pgs\x01";
const IN_HEX: &[u8] = b"f570677301";
const IN_ESCAPE: &[u8] = b"\\365pgs\\001";

static BINARY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(IN_BINARY));
static HEX: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(IN_HEX));
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(IN_ESCAPE));

/// The beginnings of envelopes as they are in whatever a value may stand in: in binary, in hex, in
/// escapes and in armor.
const IN_ANY: [&[u8]; 4] = [IN_BINARY, IN_HEX, b"365pgs", b"pgs1."];

/// Whether an envelope seems to begin in bytes that cannot be read: a closer look than that for
/// [`Markers`], which only says where to look at all.
pub fn seems_sealed(bytes: &[u8]) -> bool {
    IN_ANY
        .iter()
        .any(|start| memchr::memmem::find(bytes, start).is_some())
}

/// What became of a field.
pub struct Opened {
    /// The field anew, in the form it came in, where at least one envelope opened.
    pub bytes: Option<Zeroizing<Vec<u8>>>,
    /// An envelope in it was refused. One beside it may have opened.
    pub refused: bool,
    /// With what opened in it, it would be far longer than it came: nothing opens.
    pub too_long: bool,
}

/// Opens what `judge` lets open in one field.
pub fn open(
    value: &[u8],
    kind: Kind,
    format: Format,
    encoding: Encoding,
    judge: &mut dyn FnMut(Candidate<'_>) -> Verdict,
) -> Opened {
    let mut opening = Opening {
        encoding,
        judge,
        limit: value.len() * 2 + MAY_GROW,
        depth: 0,
        refused: false,
        too_long: false,
    };
    let bytes = opening.value(value, kind, format);
    let too_long = opening.too_long;
    Opened {
        bytes: bytes.filter(|_| !too_long),
        refused: opening.refused || too_long,
        too_long,
    }
}

/// A field on its way.
struct Opening<'j> {
    encoding: Encoding,
    judge: &'j mut dyn FnMut(Candidate<'_>) -> Verdict,
    /// Bytes that a value in it may take, quoted.
    limit: usize,
    /// How many values the one that is looked at stands in.
    depth: usize,
    refused: bool,
    too_long: bool,
}

/// The new bytes of a value in which something opened.
type Changed = Option<Zeroizing<Vec<u8>>>;

impl Opening<'_> {
    fn value(&mut self, value: &[u8], kind: Kind, format: Format) -> Changed {
        match (kind, format) {
            (Kind::Name | Kind::Uuid | Kind::Other, _) => None,
            (Kind::Bytea, Format::Binary) => self.binary(value),
            (Kind::Bytea, Format::Text) => self.bytea(value, TextForm::of(value)),
            (Kind::Text | Kind::Bpchar, _) => self.envelopes(value, Form::Text),
            _ if !Markers::ALL.may_stand_in(value) => None,
            (Kind::Json, _) | (Kind::Jsonb, Format::Text) => self.nested(value, Json, format),
            (Kind::Jsonb, Format::Binary) => self.nested(value, BinaryJsonb, format),
            (Kind::Array(element), Format::Text) => self.array(value, element),
            (Kind::Array(_), Format::Binary) => self.nested(value, BinaryArray, format),
            (Kind::Record, Format::Text) => self.nested(value, Composite, format),
            (Kind::Record, Format::Binary) => self.nested(value, BinaryComposite, format),
            (Kind::Untyped, Format::Text) => self.untyped_text(value, &Structured::IN_TEXT),
            (Kind::UserDefined, Format::Text) => self.untyped_text(value, &nested::OF_A_USER),
            (Kind::Untyped | Kind::UserDefined, Format::Binary) => self.untyped_binary(value),
        }
    }

    /// A value that only itself says what it is.
    fn untyped_text(&mut self, value: &[u8], forms: &[Structured]) -> Changed {
        if self.is_hidden(value) {
            return None;
        }
        if value.starts_with(b"\\x") && TextForm::Hex.is_form_of(value) {
            return self.bytea(value, TextForm::Hex);
        }
        if let Some(structure) = self.structure(value, forms) {
            return self.leaves(&structure, Kind::Untyped, Format::Text);
        }
        if ESCAPE.find(value).is_some() && TextForm::Escape.is_form_of(value) {
            return self.bytea(value, TextForm::Escape);
        }
        self.envelopes(value, Form::Text)
    }

    fn untyped_binary(&mut self, value: &[u8]) -> Changed {
        // What is none of text is what it is, whatever a part of it looks like in text.
        if let Some(structure) = self.structure(value, &Structured::IN_BINARY) {
            return self.leaves(&structure, Kind::Untyped, Format::Binary);
        }
        if BINARY.find(value).is_some() {
            return self.envelopes(value, Form::Bytes);
        }
        if self.is_hidden(value) {
            return None;
        }
        self.envelopes(value, Form::Text)
    }

    fn binary(&mut self, value: &[u8]) -> Changed {
        BINARY.find(value)?;
        self.envelopes(value, Form::Bytes)
    }

    fn bytea(&mut self, value: &[u8], form: TextForm) -> Changed {
        let start = match form {
            TextForm::Hex => &*HEX,
            TextForm::Escape => &*ESCAPE,
        };
        start.find(value)?;
        let decoded = form.decode(value).map(Zeroizing::new)?;
        let opened = self.envelopes(&decoded, Form::Bytes)?;
        let mut text = Zeroizing::new(Vec::new());
        form.encode(&opened, &mut text);
        Some(text)
    }

    fn envelopes(&mut self, value: &[u8], form: Form) -> Changed {
        let edit = envelope::open_field(value, form, &mut *self.judge);
        self.refused |= edit.refused > 0;
        edit.bytes
    }
}

#[cfg(test)]
mod tests;
