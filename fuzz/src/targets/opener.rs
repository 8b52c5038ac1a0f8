//! The server's opener on rows that are made of sealed values, in every form and type that they may
//! stand in: what comes out is the same row made of what was sealed, as far as the session may see it.

use std::cell::Cell;

use bytes::BytesMut;
use control::{OnRefused, ZoneMode};
use envelope::ZoneId;
use pgseal_server::fuzzing::{Became, RowOpener, Setting};
use wire::Header;
use wire::bytea::TextForm;
use wire::description::{Column, Format};
use wire::row::{Fields, RowWriter};

use super::content::{Content, ENCODINGS, Leaving, TYPES};
use crate::input::Input;
use crate::sealed::{self, CLIENT};

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
    let mut columns = Vec::new();
    let tag = input.any::<bool>().then(|| Tag::new(is_typed, &mut input));
    let place = input.below(2);
    let mut contents = Vec::new();
    for _ in 0..1 + input.below(3) {
        let format = format(&mut input);
        let type_oid = *input.one_of(&TYPES);
        columns.push(Column { type_oid, format });
        let kind = if is_typed { type_oid } else { 0 };
        let content = Content::of(kind, format, 3, &mut input);
        if !content.is_clear() {
            return;
        }
        contents.push(content);
    }
    let (told, spelled, text) = *input.one_of(&ENCODINGS);
    let is_named_by_sql = input.any();
    let zone_mode = *input.one_of(&[ZoneMode::Mixed, ZoneMode::Off, ZoneMode::On]);
    let on_refused = *input.one_of(&POLICIES);

    let refused = Cell::default();
    let seen = contents.iter().enumerate().map(|(index, content)| {
        let before = tag.as_ref().filter(|it| it.counts && place <= index);
        let (refused_before, _) = refused.get();
        let opened = content.opened(&Leaving {
            tag: before.map(|it| &it.zone),
            zone_mode,
            text,
            refused: &refused,
        });
        match on_refused {
            OnRefused::Null if refused.get().0 > refused_before => None,
            _ => opened,
        }
    });
    let mut expected: Vec<_> = seen.collect();
    let mut row: Vec<_> = contents.iter().map(Content::stored).collect();
    if let Some(tag) = &tag {
        columns.insert(place, tag.column);
        row.insert(place, Some(tag.value.clone()));
        expected.insert(place, Some(tag.value.clone()));
    }
    let formats: Vec<_> = columns.iter().map(|column| column.format).collect();
    // One that is described with other columns than there are has no types, either.
    let others = [&columns[..], &columns[..1]].concat();
    let setting = Setting {
        described: match (is_typed, input.any()) {
            (true, _) => Some(&columns),
            (false, true) => Some(&others),
            (false, false) => None,
        },
        formats: &formats,
        encoding: if is_named_by_sql { spelled } else { told }.as_bytes(),
        is_named_by_sql,
        zone_mode,
        on_refused,
    };
    let body = written(&row);
    let expected = match refused.get() {
        (1.., _) if on_refused == OnRefused::Error => {
            let (refused, for_ever) = refused.get();
            let shredded = refused == for_ever;
            Became::Refused { shredded }
        }
        _ if expected == row => Became::Unchanged,
        _ => Became::Changed(written(&expected)),
    };
    let became = open(&body, &setting);
    assert!(
        became == expected,
        "{setting:?}\n of {}\n is {}\nnot {}",
        body.escape_ascii(),
        shown(&became),
        shown(&expected)
    );
    spoiled(&input.spoiled(body), &setting);
}

const POLICIES: [OnRefused; 3] = [OnRefused::Ciphertext, OnRefused::Null, OnRefused::Error];

/// Whatever a row is: as many fields leave as came.
fn spoiled(body: &[u8], setting: &Setting<'_>) {
    let Ok(fields) = Fields::parse(body) else {
        return;
    };
    if let Became::Changed(body) = open(body, setting) {
        let changed = Fields::parse(&body).expect("it is a DataRow's body");
        assert_eq!(changed.count(), fields.count());
        assert!(!changed.iter().eq(fields.iter()));
        let nulls = |fields: Fields<'_>| fields.iter().filter(Option::is_none).count();
        assert!(setting.on_refused == OnRefused::Null || nulls(changed) == nulls(fields));
    }
}

fn open(body: &[u8], setting: &Setting<'_>) -> Became {
    OPENER.with(|opener| opener.open(body, setting))
}

fn shown(became: &Became) -> String {
    match became {
        Became::Changed(body) => body.escape_ascii().to_string(),
        other => format!("{other:?}"),
    }
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

fn format(input: &mut Input<'_>) -> Format {
    *input.one_of(&[Format::Text, Format::Binary])
}

/// A field that is a zone's tag, or resembles one.
struct Tag {
    zone: ZoneId,
    column: Column,
    value: Vec<u8>,
    counts: bool,
}

#[derive(Clone, Copy)]
enum Spelling {
    Itself,
    Padded,
    Hex,
    /// The bytes of a `uuid`.
    Uuid,
    /// Of no type.
    Upper,
}

impl Tag {
    fn new(is_typed: bool, input: &mut Input<'_>) -> Self {
        use Spelling::{Hex, Itself, Padded, Upper, Uuid};
        let zone = zone(input);
        let format = format(input);
        let types = [25, 19, 705, 1042, 1043, 17, 2950, 23, 114, 2249, 70_000];
        let type_oid = *input.one_of(&types);
        let spelling = *input.one_of(&[Itself, Padded, Hex, Uuid, Upper]);
        let id = zone.as_str();
        let value = match spelling {
            Itself => id.as_bytes().to_vec(),
            Padded => format!("{id}  ").into_bytes(),
            Upper => id.to_ascii_uppercase().into_bytes(),
            Uuid => uuid(id).unwrap_or_default(),
            Hex => {
                let mut text = Vec::new();
                TextForm::Hex.encode(id.as_bytes(), &mut text);
                text
            }
        };
        let counts = match (if is_typed { type_oid } else { 0 }, format) {
            (0, Format::Text) => matches!(spelling, Itself | Padded | Hex),
            (0, Format::Binary) => matches!(spelling, Itself | Uuid),
            (1042, _) => matches!(spelling, Itself | Padded),
            (17, Format::Text) => matches!(spelling, Itself | Hex),
            (2950, Format::Binary) => matches!(spelling, Uuid),
            (19 | 25 | 705 | 1043, _) | (17 | 2950, _) => matches!(spelling, Itself),
            _ => false,
        };
        Self {
            counts: counts && !value.is_empty(),
            column: Column { type_oid, format },
            zone,
            value,
        }
    }
}

fn zone(input: &mut Input<'_>) -> ZoneId {
    loop {
        if let Some(zone) = sealed::any(input).zone() {
            return zone.clone();
        }
        // Where the bytes have come to their end, it would be the same one for ever.
        if input.is_at_end() {
            return "tenant-1".parse().expect("it is an id");
        }
    }
}

/// The bytes of a `uuid` of this text.
fn uuid(text: &str) -> Option<Vec<u8>> {
    let digits = text.replace('-', "");
    let is_one = text.len() == 36 && digits.len() == 32;
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..32).step_by(2).filter(|_| is_one).map(byte).collect()
}
