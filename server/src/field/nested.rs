//! Values that are made of values: which structure one has, and what kind its leaves are.
//!
//! A structure is read whole before anything in it is opened. What stands in a leaf may be one again,
//! to a bounded depth.

use wire::description::Format;
use wire::value::{Form, Leaf, Structure, TooLong};

use super::{Changed, Opening};
use crate::encoding::Encoding;
use crate::shape::{Element, Kind, Markers};

/// How many values that are made of values may stand in each other. JSON within JSON, as it nests by
/// itself, is one.
const MAX_DEPTH: usize = 32;

/// In which order a column of a user's own type is tried in text. It is no JSON, since a domain is
/// described as what it is over; but a range may look like an array of two strings.
pub(super) const OF_A_USER: [Form; 6] = [
    Form::Multirange,
    Form::Array,
    Form::Composite,
    Form::Range,
    Form::Hstore,
    Form::Json,
];

impl Opening<'_> {
    /// A value whose type says its form.
    pub(super) fn nested(&mut self, value: &[u8], form: Form, format: Format) -> Changed {
        let structure = self.structure(value, &[form])?;
        self.leaves(&structure, Kind::Untyped, format)
    }

    /// An array in text, whose elements have a type.
    pub(super) fn array(&mut self, value: &[u8], element: Element) -> Changed {
        let structure = self.structure(value, &[Form::Array])?;
        self.leaves(&structure, element.kind(), Format::Text)
    }

    /// The first of these forms that a value has, where one may be looked for.
    pub(super) fn structure<'v>(&self, value: &'v [u8], forms: &[Form]) -> Option<Structure<'v>> {
        let mut forms = forms.iter().filter(|form| self.may_be(**form));
        forms.find_map(|form| Structure::parse(*form, value))
    }

    fn may_be(&self, form: Form) -> bool {
        self.encoding.shows_structure() || !form.is_text()
    }

    /// Whether a value begins like one of the structures in text, and it cannot be known what it is:
    /// what opened in it could not be quoted.
    pub(super) fn is_hidden(&self, value: &[u8]) -> bool {
        let mut begins = value.iter().skip_while(|byte| **byte <= b' ');
        !self.encoding.shows_structure() && matches!(begins.next(), Some(b'{' | b'[' | b'(' | b'"'))
    }

    /// Opens a structure's leaves, which are of this kind unless the structure says another. One that
    /// stands in too many others passes.
    pub(super) fn leaves(
        &mut self,
        structure: &Structure<'_>,
        kind: Kind,
        format: Format,
    ) -> Changed {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        // JSON is text in either format.
        let format = match structure.form() {
            Form::Json | Form::BinaryJsonb => Format::Text,
            _ => format,
        };
        self.depth += 1;
        let written = structure.rewrite(self.limit, |leaf| {
            let kind = leaf.type_oid().map_or(kind, Kind::of);
            self.leaf(&leaf, structure.form(), kind, format)
        });
        self.depth -= 1;
        written.unwrap_or_else(|TooLong| {
            self.too_long = true;
            None
        })
    }

    fn leaf(&mut self, leaf: &Leaf<'_>, form: Form, kind: Kind, format: Format) -> Changed {
        if !Markers::ALL.may_stand_in(leaf.raw()) {
            return None;
        }
        // Elsewhere than in UTF-8 nobody here can say what bytes an escaped character is.
        let is_json = matches!(form, Form::Json | Form::BinaryJsonb);
        let escapes_are_known = self.encoding == Encoding::Utf8 || !is_json;
        if !escapes_are_known && memchr::memmem::find(leaf.raw(), b"\\u").is_some() {
            return None;
        }
        self.value(&leaf.value()?, kind, format)
    }
}
