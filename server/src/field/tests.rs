//! Every way to write a value, with every way in which something sealed can stand in it.

use envelope::{Kind as OwnerKind, Owner, PrivateKey, Recipient, armor, open as open_envelope};

use super::*;
use crate::shape::Element;

mod bounds;
mod written;

use written::{BINARY, TEXT};

/// The clear value: it has to be quoted everywhere.
const CLEAR: &str = "4000 \"0012\\{é}";
/// Where a zone's value stands, its tag stands before it.
const ZONE: &str = "tenant-1";

fn owners() -> [(Owner, PrivateKey); 2] {
    let zone = Owner::new(OwnerKind::Zone, ZONE).unwrap();
    let client = Owner::new(OwnerKind::Client, "app").unwrap();
    [
        (client, PrivateKey::from_bytes([1; 32])),
        (zone, PrivateKey::from_bytes([2; 32])),
    ]
}

fn seal(owner: usize, clear: &str) -> Vec<u8> {
    let (owner, key) = &owners()[owner];
    let sealed = Recipient::new(owner.clone(), key.public_key()).seal(clear.as_bytes());
    sealed.unwrap()
}

/// Opens as a server that has both keys, and lets a zone's value open by a tag in its field.
fn judge(candidate: Candidate<'_>) -> Verdict {
    for (owner, key) in owners() {
        let tag = match &owner {
            Owner::Client(_) => None,
            Owner::Zone(zone) => Some(zone.clone()),
        };
        let is_tagged = tag
            .as_ref()
            .is_none_or(|zone| candidate.tagged_in_field(zone));
        let opened = open_envelope(&candidate.envelope, &owner, &key);
        if let (Ok(plaintext), true) = (opened, is_tagged) {
            return Verdict::Opened { plaintext, tag };
        }
    }
    Verdict::Refused
}

fn opened(value: &[u8], kind: Kind, format: Format, encoding: Encoding) -> Opened {
    open(value, kind, format, encoding, &mut judge)
}

/// What a field becomes in a session in UTF-8, and whether anything in it was refused.
fn becomes(value: &[u8], kind: Kind, format: Format) -> (Vec<u8>, bool) {
    let field = opened(value, kind, format, Encoding::Utf8);
    assert!(!field.too_long);
    let bytes = field.bytes.map(|bytes| bytes.to_vec());
    (bytes.unwrap_or_else(|| value.to_vec()), field.refused)
}

/// What stands in a value, as bytes: sealed or what only looks so; what it is to become; and whether
/// it is refused.
fn contents() -> Vec<(Vec<u8>, Vec<u8>, bool)> {
    let tag = format!("[{ZONE}]").into_bytes();
    let whole = seal(0, CLEAR);
    let untagged = seal(1, CLEAR);
    let cut = whole[..whole.len() - 1].to_vec();
    let clear = CLEAR.as_bytes();
    let mut foreign = whole.clone();
    foreign[8] ^= 1;
    vec![
        (whole.clone(), clear.to_vec(), false),
        (
            [b"<", &*whole, b">"].concat(),
            [b"<", clear, b">"].concat(),
            false,
        ),
        ([&*whole, &whole].concat(), [clear, clear].concat(), false),
        ([&*tag, &seal(1, CLEAR)].concat(), clear.to_vec(), false),
        ([b"a", &*tag, &seal(1, "")].concat(), b"a".to_vec(), false),
        (seal(0, ""), Vec::new(), false),
        (seal(0, "NULL"), b"NULL".to_vec(), false),
        (untagged.clone(), untagged, true),
        (
            [&*foreign, &whole].concat(),
            [&*foreign, clear].concat(),
            true,
        ),
        (cut.clone(), cut, false),
        (b"\xf5pgs\x01".to_vec(), b"\xf5pgs\x01".to_vec(), false),
        (Vec::new(), Vec::new(), false),
    ]
}

/// The contents as text: envelopes in armor. Their look-alikes are bytes, and left out.
fn texts() -> Vec<(String, String, bool)> {
    let tag = format!("[{ZONE}]");
    let [mine, zoned, empty] = [seal(0, CLEAR), seal(1, CLEAR), seal(0, "")].map(|it| armor(&it));
    let mut foreign = seal(0, CLEAR);
    foreign[8] ^= 1;
    let foreign = armor(&foreign);
    let same = |text: &str, refused| (text.to_owned(), text.to_owned(), refused);
    vec![
        (mine.clone(), CLEAR.into(), false),
        (
            format!("é {mine}, \"{mine}"),
            format!("é {CLEAR}, \"{CLEAR}"),
            false,
        ),
        (format!("{tag}{zoned}"), CLEAR.into(), false),
        (format!("a{tag}{zoned}"), format!("a{CLEAR}"), false),
        (empty, String::new(), false),
        (armor(&seal(0, "NULL")), "NULL".into(), false),
        (armor(&seal(0, "\\")), "\\".into(), false),
        (
            format!("{foreign}{mine}"),
            format!("{foreign}{CLEAR}"),
            true,
        ),
        same(&zoned, true),
        same(&mine[..mine.len() - 1], false),
        same("pgs1.", false),
        same("pgs", false),
        same("", false),
    ]
}

fn escaped(bytes: &[u8], form: TextForm) -> String {
    let mut text = Vec::new();
    form.encode(bytes, &mut text);
    String::from_utf8(text).unwrap()
}

/// Texts and what they become where nothing says what they are: armor, and `bytea` in both forms.
fn untyped() -> Vec<(String, String, bool)> {
    let mut all = texts();
    for form in [TextForm::Hex, TextForm::Escape] {
        all.extend(contents().iter().map(|(sealed, clear, refused)| {
            (escaped(sealed, form), escaped(clear, form), *refused)
        }));
    }
    all
}

#[test]
fn a_typed_value_opens_in_the_form_of_its_type_alone() {
    for (sealed, clear, refused) in contents() {
        let field = becomes(&sealed, Kind::Bytea, Format::Binary);
        assert_eq!(field, (clear.clone(), refused));
        for form in [TextForm::Hex, TextForm::Escape] {
            let [sealed, clear] = [&sealed, &clear].map(|it| escaped(it, form).into_bytes());
            assert_eq!(
                becomes(&sealed, Kind::Bytea, Format::Text),
                (clear, refused)
            );
            assert_eq!(becomes(&sealed, Kind::Text, Format::Text), (sealed, false));
        }
        let field = becomes(&sealed, Kind::Text, Format::Binary);
        assert_eq!(field, (sealed, false));
    }
    for (sealed, clear, refused) in texts() {
        for (kind, format) in [
            (Kind::Text, Format::Text),
            (Kind::Text, Format::Binary),
            (Kind::Bpchar, Format::Text),
        ] {
            let field = becomes(sealed.as_bytes(), kind, format);
            assert_eq!(field, (clear.clone().into_bytes(), refused));
        }
        for kind in [Kind::Name, Kind::Uuid, Kind::Other] {
            let field = becomes(sealed.as_bytes(), kind, Format::Text);
            assert_eq!(field, (sealed.clone().into_bytes(), false), "{kind:?}");
        }
        // In typed text no structure is looked for: what opens there is not quoted.
        let [sealed, clear] = [sealed, clear].map(|it| format!("{{\"a\": \"{it}\"}}").into_bytes());
        assert_eq!(becomes(&sealed, Kind::Text, Format::Text), (clear, refused));
    }
}

#[test]
fn an_untyped_value_says_itself_what_it_is() {
    for (sealed, clear, refused) in untyped() {
        for kind in [Kind::Untyped, Kind::UserDefined] {
            let field = becomes(sealed.as_bytes(), kind, Format::Text);
            assert_eq!(field, (clear.clone().into_bytes(), refused), "{sealed}");
        }
    }
    for (sealed, clear, refused) in contents() {
        let field = becomes(&sealed, Kind::Untyped, Format::Binary);
        assert_eq!(field, (clear, refused));
    }
    for (sealed, clear, refused) in texts() {
        let field = becomes(sealed.as_bytes(), Kind::Untyped, Format::Binary);
        assert_eq!(field, (clear.clone().into_bytes(), refused));
        let [json, clear] = [&sealed, &clear].map(|it| written::json(it));
        for version in ["", "\u{1}"] {
            let [json, clear] = [&json, &clear].map(|it| format!("{version}[{it}]").into_bytes());
            let field = becomes(&json, Kind::Untyped, Format::Binary);
            assert_eq!(field, (clear, refused));
        }
    }
}

#[test]
fn a_text_that_only_begins_like_hex_is_text() {
    let field = |it: &str| format!("\\xzz {it}").into_bytes();
    let sealed = field(&armor(&seal(0, CLEAR)));
    for kind in [Kind::Untyped, Kind::UserDefined] {
        let opened = becomes(&sealed, kind, Format::Text);
        assert_eq!(opened, (field(CLEAR), false), "{kind:?}");
    }
}

#[test]
fn what_stands_in_text_opens_at_every_depth() {
    for (sealed, clear, refused) in untyped() {
        for outer in TEXT {
            for inner in TEXT {
                for deep in [false, true] {
                    let within = |it: &str| match deep {
                        false => (outer.write)(it),
                        true => (outer.write)(&(inner.write)(it)),
                    };
                    let [sealed, clear] = [&sealed, &clear].map(|it| within(it).into_bytes());
                    let case = sealed.escape_ascii();
                    for kind in [Kind::Untyped, Kind::UserDefined]
                        .into_iter()
                        .chain(outer.kind)
                    {
                        let field = becomes(&sealed, kind, Format::Text);
                        assert_eq!(field, (clear.clone(), refused), "{kind:?} {case}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_stands_in_binary_opens_by_its_type_at_every_depth() {
    // Types, and what is written in them.
    let (bytea, text, user_defined) = (17, 25, 16_500);
    let mut leaves: Vec<(u32, Vec<u8>, Vec<u8>, bool)> = Vec::new();
    for (sealed, clear, refused) in contents() {
        leaves.push((bytea, sealed.clone(), clear.clone(), refused));
        leaves.push((user_defined, sealed, clear, refused));
    }
    for (sealed, clear, refused) in texts() {
        let [json, clear_json] = [&sealed, &clear].map(|it| written::json(it).into_bytes());
        let [jsonb, clear_jsonb] = [&json, &clear_json].map(|it| [b"\x01", it.as_slice()].concat());
        leaves.push((114, json, clear_json, refused));
        leaves.push((3802, jsonb, clear_jsonb, refused));
        leaves.push((text, sealed.into_bytes(), clear.into_bytes(), refused));
    }
    for (type_oid, sealed, clear, refused) in leaves {
        for outer in BINARY {
            let [one, one_clear] = [&sealed, &clear].map(|it| (outer.write)(it, type_oid));
            for kind in [Kind::Untyped, Kind::UserDefined]
                .into_iter()
                .chain(outer.kind)
            {
                if outer.says_types || type_oid != text && type_oid != 114 {
                    let field = becomes(&one, kind, Format::Binary);
                    assert_eq!(
                        field,
                        (one_clear.clone(), refused),
                        "{kind:?} {}",
                        outer.name
                    );
                }
            }
            for inner in BINARY.iter().filter(|inner| inner.says_types) {
                let [two, two_clear] = [&sealed, &clear].map(|it| {
                    let within = (inner.write)(it, type_oid);
                    (outer.write)(&within, inner.type_oid)
                });
                let field = becomes(&two, Kind::Untyped, Format::Binary);
                assert_eq!(field, (two_clear, refused), "{} {}", outer.name, inner.name);
            }
        }
    }
}

#[test]
fn what_an_hstore_holds_in_binary_is_text() {
    for (sealed, clear, refused) in untyped() {
        for form in TEXT {
            for [value, expected] in [
                [sealed.clone(), clear.clone()],
                [&sealed, &clear].map(|it| (form.write)(it)),
            ] {
                let [value, expected] = [value, expected].map(|it| written::hstore(it.as_bytes()));
                for kind in [Kind::Untyped, Kind::UserDefined] {
                    let field = becomes(&value, kind, Format::Binary);
                    assert_eq!(field, (expected.clone(), refused), "{kind:?}");
                }
            }
        }
    }
}

#[test]
fn a_multirange_whose_lengths_fit_a_range_is_none() {
    let sealed = armor(&seal(0, CLEAR));
    // Read as a range, it has no flags, and a lower bound of 256 bytes.
    let [padding, bound] = [" ".repeat(248 - sealed.len()), format!("{sealed:248}")];
    let clear = format!("{CLEAR}{padding}");
    let between = |it: &str| written::multirange(it.as_bytes(), it.as_bytes());
    let field = becomes(&between(&bound), Kind::UserDefined, Format::Binary);
    assert_eq!(field, (between(&clear), false));
}

#[test]
fn a_range_of_a_users_type_is_none_of_two_json_strings() {
    let sealed = armor(&seal(0, "a \"b\""));
    let between = |it: &str| format!("[\"{it}\",\"c d\"]").into_bytes();
    for (kind, clear) in [
        (Kind::UserDefined, "a \"\"b\"\""),
        (Kind::Untyped, "a \\\"b\\\""),
    ] {
        let field = becomes(&between(&sealed), kind, Format::Text);
        assert_eq!(field, (between(clear), false), "{kind:?}");
    }
}

#[test]
fn elements_of_a_typed_array_are_read_by_its_type() {
    let array = |element: &str| written::array(element).into_bytes();
    for (sealed, clear, refused) in texts() {
        let field = |kind| becomes(&array(&sealed), Kind::Array(kind), Format::Text);
        assert_eq!(field(Element::Text), (array(&clear), refused));
        assert_eq!(field(Element::Bytea), (array(&sealed), false));
        let [json, clear_json] = [&sealed, &clear].map(|it| array(&written::json(it)));
        let field = |kind| becomes(&json, Kind::Array(kind), Format::Text);
        assert_eq!(field(Element::Json), (clear_json, refused));
    }
    for (sealed, clear, refused) in contents() {
        let [sealed, clear] = [&sealed, &clear].map(|it| array(&escaped(it, TextForm::Hex)));
        let field = |kind| becomes(&sealed, Kind::Array(kind), Format::Text);
        assert_eq!(field(Element::Bytea), (clear, refused));
        assert_eq!(field(Element::Text), (sealed.clone(), false));
    }
}

#[test]
fn what_is_no_value_passes_whatever_stands_in_it() {
    let sealed = armor(&seal(0, CLEAR));
    for (kind, text) in [
        (Kind::Json, format!("{{\"a\": \"{sealed}\"")),
        (Kind::Jsonb, format!("[\"{sealed}\"]]")),
        (Kind::Array(Element::Text), format!("{{{sealed}}},")),
        (Kind::Record, format!("({sealed}")),
        // Names are no values.
        (Kind::Json, format!("{{\"{sealed}\": 1}}")),
    ] {
        let field = becomes(text.as_bytes(), kind, Format::Text);
        assert_eq!(field, (text.clone().into_bytes(), false), "{kind:?} {text}");
    }
    // Where no type says that it should have been one, it is text.
    let field = becomes(format!("({sealed}").as_bytes(), Kind::Untyped, Format::Text);
    assert_eq!(field, (format!("({CLEAR}").into_bytes(), false));
}

#[test]
fn where_a_quote_may_be_half_a_character_no_structure_is_looked_for() {
    let sealed = armor(&seal(0, "clear"));
    let field = |text: &str, kind, encoding| {
        let bytes = opened(text.as_bytes(), kind, Format::Text, encoding).bytes;
        bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    let json = |value: &str| format!("{{\"a\": \"{value}\"}}");
    for (encoding, opens) in [
        (Encoding::Utf8, true),
        (Encoding::Other, true),
        (Encoding::SqlAscii, true),
        (Encoding::Mixed, false),
    ] {
        let field = |text: &str, kind| field(text, kind, encoding);
        let expected = opens.then(|| json("clear"));
        assert_eq!(field(&json(&sealed), Kind::Json), expected, "{encoding:?}");
        for kind in [Kind::Text, Kind::Untyped, Kind::UserDefined] {
            assert_eq!(field(&sealed, kind), Some("clear".into()));
        }
        // Blanks before it make it no text without structure.
        for blank in ["", " ", "\n\t "] {
            let [came, clear] = [&*sealed, "clear"].map(|it| format!("{blank}{}", json(it)));
            assert_eq!(field(&came, Kind::Untyped), opens.then_some(clear));
        }
        for form in TEXT {
            let written = (form.write)(&sealed);
            let expected = opens.then(|| (form.write)("clear"));
            assert_eq!(field(&written, Kind::Untyped), expected, "{written}");
        }
        for version in ["", "\u{1}"] {
            let json = format!("{version}[\"{sealed}\"]").into_bytes();
            let json = opened(&json, Kind::Untyped, Format::Binary, encoding);
            assert_eq!(json.bytes.is_some(), opens);
        }
        // What an escaped character is in bytes is known in UTF-8 alone.
        let escaped = field(&json(&format!("\\u00e9{sealed}")), Kind::Json);
        let expected = (encoding == Encoding::Utf8).then(|| json("éclear"));
        assert_eq!(escaped, expected, "{encoding:?}");
    }
}

#[test]
fn where_bytes_of_ascii_are_halves_of_characters_binary_values_are_what_they_are() {
    let armored = armor(&seal(0, "clear"));
    // Fields of a composite, whose first length is a brace, a bracket or a quote.
    for length in b"{[(\"" {
        let field = |text: &str| {
            let text = [text, &"x".repeat(usize::from(*length) - 5)].concat();
            [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
        };
        let type_oid = 25u32.to_be_bytes();
        let composite = |last: &str| {
            let last = [&(last.len() as u32).to_be_bytes(), last.as_bytes()].concat();
            [
                &[0, 0, 0, 2],
                &type_oid[..],
                &field("clear"),
                &type_oid,
                &last,
            ]
            .concat()
        };
        let came = composite(&armored);
        for kind in [Kind::Untyped, Kind::UserDefined] {
            let opened = opened(&came, kind, Format::Binary, Encoding::Mixed);
            let bytes = opened.bytes.map(|bytes| bytes.to_vec());
            assert_eq!(bytes, Some(composite("clear")));
        }
    }
    let tagged = [b"[tenant-1]".as_slice(), &seal(1, "clear")].concat();
    let opened = opened(&tagged, Kind::Untyped, Format::Binary, Encoding::Mixed);
    assert_eq!(
        opened.bytes.map(|bytes| bytes.to_vec()),
        Some(b"clear".to_vec())
    );
}

#[test]
fn the_start_of_an_envelope_reads_the_same_in_every_form() {
    for (form, start) in [(TextForm::Hex, IN_HEX), (TextForm::Escape, IN_ESCAPE)] {
        let mut text = Vec::new();
        form.encode(IN_BINARY, &mut text);
        assert!(text.ends_with(start));
    }
}
