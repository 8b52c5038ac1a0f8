//! Fields that are made of sealed values, in every form and type that they may stand in, as the
//! database has them and as they leave a session.

use std::cell::Cell;

use control::ZoneMode;
use envelope::{Form as Written, Owner, ZoneId, armor};
use wire::bytea::TextForm;
use wire::description::Format;
use wire::value::{Form, Structure};

use super::values::{Shape, text_of};
use crate::input::Input;
use crate::sealed::{self, Fate, Sealed};

/// Types whose values are looked into, and at the end those of which nothing is known or that hold
/// nothing.
pub const TYPES: [u32; 20] = [
    17, 25, 114, 1001, 1009, 2249, 3802, 70_000, 2287, 1043, 23, 199, 1014, 1015, 1042, 3807, 19,
    2950, 705, 142,
];

/// What text is in a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    /// UTF-8.
    Utf8,
    /// Any bytes.
    Any,
    /// ASCII, and what nobody here can read.
    Ascii,
    /// The same, and bytes of ASCII may be halves of characters.
    Halves,
}

/// `client_encoding`, as PostgreSQL tells it and as SQL spells it.
pub const ENCODINGS: [(&str, &str, Text); 17] = [
    ("UTF8", "utf-8", Text::Utf8),
    ("UNICODE", "Unicode", Text::Utf8),
    ("SQL_ASCII", "sql_ascii", Text::Any),
    ("LATIN1", "iso-8859-1", Text::Ascii),
    ("EUC_JP", "euc_jp", Text::Ascii),
    ("KOI8R", "koi8r", Text::Ascii),
    ("SJIS", "Shift_JIS", Text::Halves),
    ("SJIS", "mskanji", Text::Halves),
    ("SHIFT_JIS_2004", "shift_jis_2004", Text::Halves),
    ("BIG5", "big5", Text::Halves),
    ("BIG5", "Windows-950", Text::Halves),
    ("GBK", "gbk", Text::Halves),
    ("GBK", "win936", Text::Halves),
    ("UHC", "uhc", Text::Halves),
    ("GB18030", "GB18030", Text::Halves),
    ("JOHAB", "johab", Text::Halves),
    ("EUC_KR", "", Text::Ascii),
];

/// What a value is opened under, and how many were refused.
pub struct Leaving<'a> {
    /// The zone whose tag stands before it in its row.
    pub tag: Option<&'a ZoneId>,
    /// Which kinds of owner are opened.
    pub zone_mode: ZoneMode,
    /// What text is.
    pub text: Text,
    /// Values that were refused, and how many of them for ever.
    pub refused: &'a Cell<(usize, usize)>,
}

/// What a value is made of.
pub enum Content {
    /// It is none.
    Null,
    /// Text without an envelope.
    Plain(Vec<u8>),
    /// A sealed value, and letters around it.
    Value(Value),
    /// One that is not looked for, whatever it is.
    Closed(Value),
    /// Values in another one.
    Nested(Shape, Vec<Content>),
}

/// One sealed value, with letters around it.
pub struct Value {
    sealed: &'static Sealed,
    is_tagged: bool,
    before: Vec<u8>,
    behind: Vec<u8>,
    how: How,
    /// Its field says itself what it is.
    is_untyped: bool,
}

/// How a sealed value stands in its field.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// As it is.
    Binary,
    /// In `bytea`'s text, in either form.
    Hex,
    Escape,
    /// In text armor.
    Armor,
}

impl Content {
    /// Of a type, or of none (0).
    pub fn of(type_oid: u32, format: Format, depth: usize, input: &mut Input<'_>) -> Self {
        let text = format == Format::Text;
        match type_oid {
            17 if text => Self::leaf(&[How::Hex, How::Escape], input),
            17 => Self::leaf(&[How::Binary], input),
            25 | 1042 | 1043 => Self::leaf(&[How::Armor], input),
            114 => Self::nested(Form::Json, 0, Format::Text, depth, input),
            3802 if text => Self::nested(Form::Json, 0, Format::Text, depth, input),
            3802 => Self::nested(Form::BinaryJsonb, 0, Format::Text, depth, input),
            199 | 3807 if text => Self::nested(Form::Array, 114, format, depth, input),
            1001 if text => Self::nested(Form::Array, 17, format, depth, input),
            1009 | 1014 | 1015 if text => Self::nested(Form::Array, 25, format, depth, input),
            2249 if text => Self::nested(Form::Composite, 0, format, depth, input),
            2287 if text => Self::nested(Form::Array, 2249, format, depth, input),
            // What it holds is said there.
            199 | 3807 | 1001 | 1009 | 1014 | 1015 | 2287 => {
                Self::nested(Form::BinaryArray, 0, format, depth, input)
            }
            2249 => Self::nested(Form::BinaryComposite, 0, format, depth, input),
            19 | 23 | 142 | 705 | 2950 => match Self::leaf(&[How::Armor, How::Hex], input) {
                Self::Value(value) => Self::Closed(value),
                content => content,
            },
            _ if depth == 0 || input.any() => {
                let ways: &[How] = match format {
                    Format::Text => &[How::Hex, How::Escape, How::Armor],
                    Format::Binary => &[How::Binary, How::Armor],
                };
                match Self::leaf(ways, input) {
                    Self::Value(value) => Self::Value(Value {
                        is_untyped: true,
                        ..value
                    }),
                    content => content,
                }
            }
            _ => {
                let form = match format {
                    Format::Text => *input.one_of(&Form::IN_TEXT),
                    Format::Binary => *input.one_of(&Form::IN_BINARY),
                };
                Self::nested(form, 0, format, depth, input)
            }
        }
    }

    fn nested(
        form: Form,
        type_oid: u32,
        format: Format,
        depth: usize,
        input: &mut Input<'_>,
    ) -> Self {
        let shape = Shape::new(form, input);
        // What they hold is text in binary, too.
        let format = match form {
            Form::Json | Form::BinaryJsonb | Form::BinaryHstore => Format::Text,
            _ => format,
        };
        let type_oid = shape.type_oid().unwrap_or(type_oid);
        let depth = depth.saturating_sub(1);
        let inner = (0..shape.count()).map(|_| match form {
            Form::BinaryMultirange => Self::nested(Form::BinaryRange, 0, format, depth, input),
            _ => Self::of(type_oid, format, depth, input),
        });
        let inner = inner.collect();
        Self::Nested(shape, inner)
    }

    fn leaf(ways: &[How], input: &mut Input<'_>) -> Self {
        let letters = |input: &mut Input<'_>| {
            let bytes = input.bytes(6).iter();
            bytes.map(|byte| b'a' + byte % 26).collect::<Vec<_>>()
        };
        match input.below(6) {
            0 => Self::Null,
            1 => Self::Plain(text_of(input)),
            _ => Self::Value(Value {
                sealed: sealed::any(input),
                is_tagged: input.any(),
                before: letters(input),
                behind: letters(input),
                how: *input.one_of(ways),
                is_untyped: false,
            }),
        }
    }

    /// False where nobody could tell what becomes of it: a value can be taken for one of another form,
    /// or would be no text in JSON, which is not written here.
    pub fn is_clear(&self) -> bool {
        let Self::Nested(shape, inner) = self else {
            return true;
        };
        let value = self.stored().unwrap_or_default();
        let others = Form::IN_TEXT.iter().chain(&Form::IN_BINARY);
        let mut others = others.filter(|form| **form != shape.form());
        !others.any(|form| Structure::parse(*form, &value).is_some())
            && inner.iter().all(Self::is_clear)
            && (!is_json(shape.form()) || inner.iter().all(Self::opens_to_unicode))
    }

    /// Whether a value stands in it that is looked for.
    pub fn has_value(&self) -> bool {
        match self {
            Self::Null | Self::Plain(_) | Self::Closed(_) => false,
            Self::Value(_) => true,
            Self::Nested(_, inner) => inner.iter().any(Self::has_value),
        }
    }

    fn opens_to_unicode(&self) -> bool {
        match self {
            Self::Null | Self::Plain(_) | Self::Closed(_) => true,
            Self::Value(value) => {
                value.how != How::Armor || str::from_utf8(&value.sealed.plaintext).is_ok()
            }
            Self::Nested(_, inner) => inner.iter().all(Self::opens_to_unicode),
        }
    }

    /// As the database has it.
    pub fn stored(&self) -> Option<Vec<u8>> {
        self.render(None)
    }

    /// As it leaves where what is refused stays.
    pub fn opened(&self, leaving: &Leaving<'_>) -> Option<Vec<u8>> {
        self.render(Some(leaving))
    }

    fn render(&self, leaving: Option<&Leaving<'_>>) -> Option<Vec<u8>> {
        match self {
            Self::Null => None,
            Self::Plain(text) => Some(text.clone()),
            Self::Value(value) => Some(value.render(leaving)),
            Self::Closed(value) => Some(value.render(None)),
            Self::Nested(shape, inner) => {
                let form = shape.form();
                let leaving = leaving.filter(|it| it.text != Text::Halves || !form.is_text());
                let leaves = inner.iter().map(|leaf| {
                    let is_known = leaving.is_some_and(|it| it.text == Text::Utf8)
                        || !is_json(form)
                        || !leaf.stored().is_some_and(|it| has_escape(&it));
                    leaf.render(leaving.filter(|_| is_known))
                });
                Some(shape.render(&leaves.collect::<Vec<_>>()))
            }
        }
    }
}

impl Value {
    fn render(&self, leaving: Option<&Leaving<'_>>) -> Vec<u8> {
        let stored = self.written(false);
        // In text it looks like a structure, and might be one.
        let begins = stored.iter().find(|byte| **byte > b' ');
        let is_hidden = self.is_untyped
            && self.how != How::Binary
            && begins.is_some_and(|byte| b"{[(\"".contains(byte));
        let Some(leaving) = leaving.filter(|it| it.text != Text::Halves || !is_hidden) else {
            return stored;
        };
        match self.fate(leaving) {
            Fate::Opens => self.written(true),
            fate => {
                let (refused, for_ever) = leaving.refused.get();
                let destroyed = usize::from(fate == Fate::Destroyed);
                leaving.refused.set((refused + 1, for_ever + destroyed));
                stored
            }
        }
    }

    fn fate(&self, leaving: &Leaving<'_>) -> Fate {
        let is_tagged = |zone| self.is_tagged || leaving.tag == Some(zone);
        let mode_opens = match (&self.sealed.owner, leaving.zone_mode) {
            (_, ZoneMode::Mixed) => true,
            (Owner::Client(_), mode) => mode == ZoneMode::Off,
            (Owner::Zone(_), mode) => mode == ZoneMode::On,
        };
        let plaintext = &self.sealed.plaintext;
        let stands = match (self.how, leaving.text) {
            (How::Armor, Text::Utf8) => sealed::admits(Written::Text, plaintext),
            (How::Armor, Text::Any) => !plaintext.contains(&0),
            (How::Armor, _) => plaintext.iter().all(|byte| (1..0x80).contains(byte)),
            _ => true,
        };
        match self.sealed.fate {
            Fate::Opens | Fate::Destroyed if !mode_opens => Fate::NotPermitted,
            Fate::Opens if !self.sealed.zone().is_none_or(is_tagged) || !stands => {
                Fate::NotPermitted
            }
            fate => fate,
        }
    }

    fn written(&self, opens: bool) -> Vec<u8> {
        let tag = self.sealed.zone().filter(|_| self.is_tagged);
        let tag = tag.map(|zone| format!("[{zone}]")).unwrap_or_default();
        let tag = tag.into_bytes();
        let middle = match (opens, self.how) {
            (true, _) => self.sealed.plaintext.clone(),
            (false, How::Armor) => [tag, armor(&self.sealed.envelope).into_bytes()].concat(),
            (false, _) => [tag, self.sealed.envelope.clone()].concat(),
        };
        let bytes = [self.before.as_slice(), &middle, &self.behind].concat();
        let mut text = Vec::new();
        match self.how {
            How::Binary | How::Armor => return bytes,
            How::Hex => TextForm::Hex.encode(&bytes, &mut text),
            How::Escape => TextForm::Escape.encode(&bytes, &mut text),
        }
        text
    }
}

fn is_json(form: Form) -> bool {
    matches!(form, Form::Json | Form::BinaryJsonb)
}

/// Whether a string is written with a `\u` in JSON.
fn has_escape(text: &[u8]) -> bool {
    let short = b"\x08\x0c\n\r\t";
    let mut bytes = text.iter();
    bytes.any(|byte| *byte < b' ' && !short.contains(byte))
        || text.windows(2).any(|pair| pair == b"\\u")
}
