//! Values whose form lies: each passes to the application as it came, although an envelope is in it
//! that would open.

use envelope::armor;
use harness::Keys;
use harness::raw::message;
use memchr::memmem;

use super::database::login;
use crate::scripted::{Script, Stand};

// Object ids from PostgreSQL's pg_type.dat.
const BYTEA: u32 = 17;
const TEXT: u32 = 25;
const JSON: u32 = 114;
const BYTEAS: u32 = 1001;
const TEXTS: u32 = 1009;
const RECORD: u32 = 2249;
const JSONB: u32 = 3802;

/// How deep is deep.
const DEEP: usize = 10_000;

/// A field of a result: its type, its format, what is in it, and whether a value opens there.
struct Field {
    name: &'static str,
    type_oid: u32,
    format: u16,
    value: Vec<u8>,
    opens: bool,
}

/// Lets an application in, whose text is in UTF-8.
pub fn in_utf8() -> Vec<u8> {
    [login(), message::tagged(b'S', b"client_encoding\0UTF8\0")].concat()
}

impl Field {
    /// A whole session with this field alone in one row.
    fn script(&self) -> Script {
        let mut described = b"\0\x01c\0\0\0\0\0\0\0".to_vec();
        described.extend(self.type_oid.to_be_bytes());
        described.extend([0xff; 6]);
        described.extend(self.format.to_be_bytes());
        let row = [&[0, 1], element(&self.value).as_slice()].concat();
        let says = [
            in_utf8(),
            message::tagged(b'T', &described),
            message::tagged(b'D', &row),
            message::tagged(b'C', b"SELECT 1\0"),
            message::tagged(b'Z', b"I"),
        ];
        Script::new(self.name, &says.concat()).then_closes()
    }
}

/// A value behind its length.
fn element(value: &[u8]) -> Vec<u8> {
    let length = i32::try_from(value.len()).unwrap();
    [&length.to_be_bytes(), value].concat()
}

/// Big-endian integers in a row.
fn integers(values: &[i32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

fn oid(type_oid: u32) -> i32 {
    i32::try_from(type_oid).unwrap()
}

/// Binary forms: an array has dimensions, flags, its elements' type, and for each dimension length
/// and lower bound; a composite has a count, and for each field a type.
fn in_binary(sealed: &[u8]) -> Vec<Field> {
    let (whole, bytea, rest) = (element(sealed), oid(BYTEA), sealed.len());
    let array = |head: &[i32], elements: &[&[u8]]| [integers(head), elements.concat()].concat();
    let field = [integers(&[bytea]), whole.clone()].concat();
    let composite = |count: i32, fields: &[&[u8]]| [integers(&[count]), fields.concat()].concat();
    let short = [
        integers(&[i32::try_from(rest).unwrap() + 1]),
        sealed.to_vec(),
    ]
    .concat();
    let negative = [integers(&[-2]), sealed.to_vec()].concat();
    let lies = [
        (
            "an array of five with one",
            BYTEAS,
            array(&[1, 0, bytea, 5, 1], &[&whole]),
        ),
        (
            "an array of one with two",
            BYTEAS,
            array(&[1, 0, bytea, 1, 1], &[&whole, &whole]),
        ),
        (
            "an element that goes on",
            BYTEAS,
            array(&[1, 0, bytea, 1, 1], &[&short]),
        ),
        (
            "an element of -2 bytes",
            BYTEAS,
            array(&[1, 0, bytea, 1, 1], &[&negative]),
        ),
        (
            "a byte too many",
            BYTEAS,
            array(&[1, 0, bytea, 1, 1], &[&whole, b"x"]),
        ),
        (
            "2^62 elements",
            BYTEAS,
            array(&[2, 0, bytea, i32::MAX, 1, i32::MAX, 1], &[&whole]),
        ),
        (
            "a negative dimension",
            BYTEAS,
            array(&[1, 0, bytea, -1, 1], &[&whole]),
        ),
        (
            "-1 dimensions",
            BYTEAS,
            array(&[-1, 0, bytea, 1, 1], &[&whole]),
        ),
        (
            "seven dimensions",
            BYTEAS,
            array(
                &[7, 0, bytea, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
                &[&whole],
            ),
        ),
        ("an array cut in its head", BYTEAS, integers(&[1, 0, bytea])),
        (
            "a composite of three with two",
            RECORD,
            composite(3, &[&field, &field]),
        ),
        (
            "a composite of one with two",
            RECORD,
            composite(1, &[&field, &field]),
        ),
        ("a composite of -1", RECORD, composite(-1, &[&field])),
        (
            "a composite of 2^31 - 1",
            RECORD,
            composite(i32::MAX, &[&field]),
        ),
        (
            "a field that goes on",
            RECORD,
            composite(1, &[&integers(&[bytea]), &short]),
        ),
        (
            "jsonb of another version",
            JSONB,
            [b"\x02\"", armor(sealed).as_bytes(), b"\""].concat(),
        ),
    ];
    let fine = [
        ("an array", BYTEAS, array(&[1, 0, bytea, 1, 1], &[&whole])),
        ("a composite", RECORD, composite(2, &[&field, &field])),
        (
            "jsonb",
            JSONB,
            [b"\x01\"", armor(sealed).as_bytes(), b"\""].concat(),
        ),
    ];
    fields(1, lies, fine)
}

/// Text forms.
fn in_text(armored: &str) -> Vec<Field> {
    let (open, close) = ("[".repeat(DEEP), "]".repeat(DEEP));
    let (objects, ends) = (r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    let (braces, unbraces) = ("{".repeat(DEEP), "}".repeat(DEEP));
    let text = |parts: &[&str]| parts.concat().into_bytes();
    let lies = [
        ("a string without an end", JSON, text(&["[\"", armored])),
        (
            "arrays without an end",
            JSON,
            text(&[&open, "\"", armored, "\""]),
        ),
        (
            "objects without an end",
            JSON,
            text(&[&objects, "\"", armored, "\""]),
        ),
        ("more behind json", JSON, text(&["\"", armored, "\" x"])),
        (
            "half an escape",
            JSON,
            text(&[r#"["\u12", ""#, armored, "\"]"]),
        ),
        (
            "a control character",
            JSON,
            text(&["[\"\n\", \"", armored, "\"]"]),
        ),
        ("an array without an end", TEXTS, text(&["{a,", armored])),
        (
            "a quote without an end",
            TEXTS,
            text(&["{\"", armored, "}"]),
        ),
        ("more behind an array", TEXTS, text(&["{", armored, "}}"])),
        ("braces without an end", TEXTS, text(&[&braces, armored])),
        ("no array", TEXTS, text(&["(", armored, ")"])),
        (
            "a composite without an end",
            RECORD,
            text(&["(a,", armored]),
        ),
        (
            "a quoted field without an end",
            RECORD,
            text(&["(\"", armored, ")"]),
        ),
        (
            "more behind a composite",
            RECORD,
            text(&["(", armored, ")x"]),
        ),
    ];
    let fine = [
        (
            "deep arrays",
            JSON,
            text(&[&open, "\"", armored, "\"", &close]),
        ),
        (
            "deep objects",
            JSON,
            text(&[&objects, "\"", armored, "\"", &ends]),
        ),
        ("an array in text", TEXTS, text(&["{a,", armored, "}"])),
        ("a composite in text", RECORD, text(&["(a,", armored, ")"])),
        ("text", TEXT, text(&[&braces, armored, &unbraces])),
    ];
    fields(0, lies, fine)
}

fn fields<const LIES: usize, const FINE: usize>(
    format: u16,
    lies: [(&'static str, u32, Vec<u8>); LIES],
    fine: [(&'static str, u32, Vec<u8>); FINE],
) -> Vec<Field> {
    let field = |opens| {
        move |(name, type_oid, value)| Field {
            name,
            type_oid,
            format,
            value,
            opens,
        }
    };
    let lies = lies.into_iter().map(field(false));
    lies.chain(fine.into_iter().map(field(true))).collect()
}

#[test]
fn a_value_whose_form_lies_passes_as_it_came() {
    let keys = Keys::new();
    let sealed = keys.add_client("app").seal(b"opened").unwrap();
    let fields = in_binary(&sealed)
        .into_iter()
        .chain(in_text(&armor(&sealed)));
    let fields: Vec<_> = fields.collect();
    let scripts: Vec<_> = fields.iter().map(Field::script).collect();
    let stand = Stand::with_keys(keys, scripts.clone(), &[]);
    for (field, script) in fields.iter().zip(&scripts) {
        let heard = stand.ask_and_leave(field.name);
        let (name, passed) = (field.name, heard == script.says());
        assert_eq!(passed, !field.opens, "{name}: {}", heard.escape_ascii());
        let opened = memmem::find(&heard, b"opened").is_some();
        assert_eq!(opened, field.opens, "{name}: {}", heard.escape_ascii());
    }
    stand.ends_unharmed();
}
