//! The server's opener on rows that are made of sealed values, in every form and type that they may
//! stand in: what comes out is the same row made of what was sealed.

use bytes::BytesMut;
use control::OnRefused;
use envelope::{Form as Written, Owner, ZoneId, armor};
use pgseal_server::fuzzing::{Became, RowOpener};
use wire::Header;
use wire::bytea::TextForm;
use wire::description::{Column, Format};
use wire::row::{Fields, RowWriter};
use wire::value::{Form, Structure};

use super::values::{Shape, text_of};
use crate::input::Input;
use crate::sealed::{self, Sealed};

/// Whose session it is.
const CLIENT: &str = "app";

thread_local! {
    static OPENER: RowOpener = RowOpener::new(
        CLIENT.parse().expect("it is an id"),
        sealed::keys(),
    );
}

/// The bytes are what a row is made of.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let is_typed = input.any();
    let tag = input.any::<bool>().then(|| zone(&mut input));
    let mut columns = Vec::new();
    let (mut row, mut expected) = (Vec::new(), Vec::new());
    if let Some(tag) = &tag {
        let format = *input.one_of(&[Format::Text, Format::Binary]);
        let type_oid = *input.one_of(&[19, 25, 705, 1042, 1043]);
        columns.push(Column { type_oid, format });
        row.push(Some(tag.as_str().as_bytes().to_vec()));
        expected.push(row[0].clone());
    }
    for _ in 0..1 + input.below(3) {
        let format = *input.one_of(&[Format::Text, Format::Binary]);
        let type_oid = *input.one_of(&TYPES);
        columns.push(Column { type_oid, format });
        let kind = if is_typed { type_oid } else { 0 };
        let content = Content::of(kind, format, 3, &mut input);
        if !content.is_clear() {
            return;
        }
        row.push(content.render(&Seen::Sealed));
        expected.push(content.render(&Seen::Opened(tag.as_ref())));
    }
    let body = written(&row);
    let became = open(&body, &columns, is_typed, OnRefused::Ciphertext);
    match became {
        Became::Unchanged => assert_eq!(row, expected),
        Became::Changed(opened) => assert_eq!(
            opened.escape_ascii().to_string(),
            written(&expected).escape_ascii().to_string(),
            "of {}",
            body.escape_ascii()
        ),
        Became::Refused => panic!("nothing is refused so"),
    }

    let spoiled = input.spoiled(body);
    let Ok(fields) = Fields::parse(&spoiled) else {
        return;
    };
    let on_refused = [OnRefused::Ciphertext, OnRefused::Null, OnRefused::Error];
    let on_refused = *input.one_of(&on_refused);
    if let Became::Changed(body) = open(&spoiled, &columns, is_typed, on_refused) {
        let changed = Fields::parse(&body).expect("it is a DataRow's body");
        assert_eq!(changed.count(), fields.count());
        assert!(!changed.iter().eq(fields.iter()));
        let nulls = |fields: Fields<'_>| fields.iter().filter(Option::is_none).count();
        assert!(on_refused == OnRefused::Null || nulls(changed) == nulls(fields));
    }
}

/// Types whose values are looked into, one of which nothing is known, and one that holds nothing.
const TYPES: [u32; 11] = [17, 25, 114, 1001, 1009, 2249, 3802, 70_000, 2287, 1043, 23];

fn open(body: &[u8], columns: &[Column], is_typed: bool, on_refused: OnRefused) -> Became {
    let fields = Fields::parse(body).expect("it is a DataRow's body");
    OPENER.with(|opener| opener.open(fields, columns, is_typed, on_refused))
}

fn written(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut row = RowWriter::begin(&mut out, fields.len() as u16);
    for field in fields {
        row.field(field.as_deref()).expect("no field is so long");
    }
    row.finish().expect("no row is so long");
    out[Header::LEN..].to_vec()
}

fn zone(input: &mut Input<'_>) -> ZoneId {
    loop {
        if let Owner::Zone(zone) = &sealed::any(input).owner {
            return zone.clone();
        }
        // Where the bytes have come to their end, it would be the same one for ever.
        if input.is_at_end() {
            return "tenant-1".parse().expect("it is an id");
        }
    }
}

/// How a row is seen: as it is stored, or with what opens, where there may be an earlier tag.
enum Seen<'a> {
    Sealed,
    Opened(Option<&'a ZoneId>),
}

/// What a value is made of.
enum Content {
    Null,
    Plain(Vec<u8>),
    Value(Value),
    Nested(Shape, Vec<Content>),
}

/// One sealed value, with letters around it.
struct Value {
    sealed: &'static Sealed,
    is_tagged: bool,
    before: Vec<u8>,
    behind: Vec<u8>,
    how: How,
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
    fn of(type_oid: u32, format: Format, depth: usize, input: &mut Input<'_>) -> Self {
        let text = format == Format::Text;
        match type_oid {
            17 if text => Self::leaf(&[How::Hex, How::Escape], input),
            17 => Self::leaf(&[How::Binary], input),
            25 | 1043 => Self::leaf(&[How::Armor], input),
            114 => Self::nested(Form::Json, 0, Format::Text, depth, input),
            3802 if text => Self::nested(Form::Json, 0, Format::Text, depth, input),
            3802 => Self::nested(Form::BinaryJsonb, 0, Format::Text, depth, input),
            1001 if text => Self::nested(Form::Array, 17, format, depth, input),
            1009 if text => Self::nested(Form::Array, 25, format, depth, input),
            2249 if text => Self::nested(Form::Composite, 0, format, depth, input),
            2287 if text => Self::nested(Form::Array, 2249, format, depth, input),
            // What it holds is said there.
            1001 | 1009 | 2287 => Self::nested(Form::BinaryArray, 0, format, depth, input),
            2249 => Self::nested(Form::BinaryComposite, 0, format, depth, input),
            23 => Self::Plain(text_of(input)),
            _ if depth == 0 || input.any() => {
                let ways: &[How] = match format {
                    Format::Text => &[How::Hex, How::Escape, How::Armor],
                    Format::Binary => &[How::Binary, How::Armor],
                };
                Self::leaf(ways, input)
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
            }),
        }
    }

    /// False where a value can be taken for one of another form: without types nobody could tell.
    fn is_clear(&self) -> bool {
        let Self::Nested(shape, inner) = self else {
            return true;
        };
        let value = self.render(&Seen::Sealed).unwrap_or_default();
        let others = Form::IN_TEXT.iter().chain(&Form::IN_BINARY);
        let mut others = others.filter(|form| **form != shape.form());
        !others.any(|form| Structure::parse(*form, &value).is_some())
            && inner.iter().all(Self::is_clear)
    }

    fn render(&self, seen: &Seen<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Null => None,
            Self::Plain(text) => Some(text.clone()),
            Self::Value(value) => Some(value.render(seen)),
            Self::Nested(shape, inner) => {
                let leaves: Vec<_> = inner.iter().map(|it| it.render(seen)).collect();
                Some(shape.render(&leaves))
            }
        }
    }
}

impl Value {
    fn render(&self, seen: &Seen<'_>) -> Vec<u8> {
        let zone = match &self.sealed.owner {
            Owner::Zone(zone) => Some(zone),
            Owner::Client(_) => None,
        };
        let opens = match (seen, zone) {
            (Seen::Sealed, _) => false,
            (Seen::Opened(tag), Some(zone)) => self.is_tagged || *tag == Some(zone),
            (Seen::Opened(_), None) => self.sealed.owner.id() == CLIENT,
        };
        let form = match self.how {
            How::Armor => Written::Text,
            _ => Written::Bytes,
        };
        let tag = zone
            .filter(|_| self.is_tagged)
            .map(|zone| format!("[{zone}]"));
        let tag = tag.unwrap_or_default().into_bytes();
        let middle = match (
            opens && sealed::admits(form, &self.sealed.plaintext),
            self.how,
        ) {
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
