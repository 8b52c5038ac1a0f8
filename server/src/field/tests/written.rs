//! Values around one leaf, written in the plainest way.

use crate::shape::{Element, Kind};

/// A form in text.
pub struct Text {
    pub write: fn(&str) -> String,
    /// The kind whose values are written so, and whose leaves have no types.
    pub kind: Option<Kind>,
}

/// A form in binary.
pub struct Binary {
    pub name: &'static str,
    pub write: fn(&[u8], u32) -> Vec<u8>,
    pub kind: Option<Kind>,
    /// Its type where it stands in another one.
    pub type_oid: u32,
    /// Whether it says what its leaves are.
    pub says_types: bool,
}

pub const TEXT: [Text; 7] = [
    Text {
        write: array,
        kind: None,
    },
    Text {
        write: |leaf| format!("[0:0][5:6]={{{{{},x}}}}", quoted(leaf, "{}\"\\,", "\\\"")),
        kind: None,
    },
    Text {
        write: |leaf| format!("(,{},\"\")", quoted(leaf, "()\"\\,", "\"\"")),
        kind: Some(Kind::Record),
    },
    Text {
        write: |leaf| format!("(\"a b\",{}]", quoted(leaf, "()[]\"\\,", "\"\"")),
        kind: None,
    },
    Text {
        write: |leaf| format!("{{(,b),[{},)}}", quoted(leaf, "()[]\"\\,", "\"\"")),
        kind: None,
    },
    Text {
        write: |leaf| format!("\"k\"=>NULL, \"\"=>\"{}\"", escaped(leaf, "\\\"")),
        kind: None,
    },
    Text {
        write: |leaf| format!("{{\"k\" : [1, {}, null]}}", json(leaf)),
        kind: Some(Kind::Json),
    },
];

pub const BINARY: [Binary; 5] = [
    Binary {
        name: "array",
        write: |leaf, type_oid| [words(&[1, 1, type_oid, 2, 1, u32::MAX]), sized(leaf)].concat(),
        kind: Some(Kind::Array(Element::Bytea)),
        type_oid: 16_501,
        says_types: true,
    },
    Binary {
        name: "composite",
        write: |leaf, type_oid| [words(&[2, 23, u32::MAX, type_oid]), sized(leaf)].concat(),
        kind: Some(Kind::Record),
        type_oid: 2249,
        says_types: true,
    },
    Binary {
        name: "range",
        write: |leaf, _| [vec![0x0a], sized(leaf)].concat(),
        kind: None,
        type_oid: 16_502,
        says_types: false,
    },
    Binary {
        name: "multirange",
        write: |leaf, _| [words(&[1]), sized(&[vec![0x0a], sized(leaf)].concat())].concat(),
        kind: None,
        type_oid: 16_503,
        says_types: false,
    },
    Binary {
        name: "hstore",
        write: |leaf, _| {
            let null = [words(&[2]), sized(b"null"), words(&[u32::MAX])].concat();
            [null, sized(b"key"), sized(leaf)].concat()
        },
        kind: None,
        type_oid: 16_504,
        says_types: false,
    },
];

pub fn array(leaf: &str) -> String {
    format!("{{NULL,{}}}", quoted(leaf, "{}\"\\,", "\\\""))
}

pub fn json(leaf: &str) -> String {
    format!("\"{}\"", escaped(leaf, "\\\""))
}

/// `quote` is how a quote is written between quotes.
fn quoted(leaf: &str, special: &str, quote: &str) -> String {
    let is_special = |it: char| it.is_ascii_whitespace() || special.contains(it);
    let is_null = special.contains('{') && leaf == "NULL";
    match leaf.is_empty() || is_null || leaf.contains(is_special) {
        true => format!("\"{}\"", escaped(leaf, quote)),
        false => leaf.to_owned(),
    }
}

fn escaped(leaf: &str, quote: &str) -> String {
    leaf.replace('\\', "\\\\").replace('"', quote)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn sized(value: &[u8]) -> Vec<u8> {
    [
        words(&[u32::try_from(value.len()).unwrap()]),
        value.to_vec(),
    ]
    .concat()
}
