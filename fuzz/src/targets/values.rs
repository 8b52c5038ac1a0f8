//! Values that are made of values: what is read of one is what a renderer of PostgreSQL's put there,
//! and with some leaves replaced it is what that renderer makes of the others.

use std::fmt::Write;

use serde::de::IgnoredAny;
use wire::value::{Form, Structure};

use crate::input::Input;

/// The bytes are a value in text; and, in another reading, what one is made of.
pub fn in_text(bytes: &[u8]) {
    for form in Form::IN_TEXT {
        any(form, bytes);
    }
    is_json(bytes);
    made(bytes, &Form::IN_TEXT);
}

/// The bytes are a value in binary; and, in another reading, what one is made of.
pub fn in_binary(bytes: &[u8]) {
    for form in Form::IN_BINARY {
        any(form, bytes);
    }
    made(bytes, &Form::IN_BINARY);
}

const LIMIT: usize = 1 << 20;

/// Whatever is read: nothing changes it, and its leaves written anew are the same leaves.
fn any(form: Form, bytes: &[u8]) {
    let Some(value) = Structure::parse(form, bytes) else {
        return;
    };
    assert_eq!(value.form(), form);
    let unchanged = value.rewrite(LIMIT, |_| None);
    assert_eq!(unchanged.map(|it| it.is_none()), Ok(true));
    let leaves = leaves(&value);
    let again = rewritten(&value, |leaf| leaf.map(<[u8]>::to_vec));
    let Some(again) = again else {
        return assert!(leaves.iter().all(Option::is_none));
    };
    let read = Structure::parse(form, &again).expect("it is still one");
    assert_eq!(self::leaves(&read), leaves);
    let third = rewritten(&read, |leaf| leaf.map(<[u8]>::to_vec));
    assert_eq!(third, Some(again));
    let too_little = value.rewrite(0, |leaf| leaf.value().map(|it| it.into_owned().into()));
    assert!(too_little.is_err());
}

fn leaves(value: &Structure<'_>) -> Vec<Option<Vec<u8>>> {
    let mut leaves = Vec::new();
    let unchanged = value.rewrite(LIMIT, |leaf| {
        leaves.push(leaf.value().map(|it| it.into_owned()));
        None
    });
    assert_eq!(unchanged.map(|it| it.is_none()), Ok(true));
    leaves
}

fn rewritten(
    value: &Structure<'_>,
    mut change: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let changed = value.rewrite(LIMIT, |leaf| {
        change(leaf.value().as_deref()).map(Into::into)
    });
    changed
        .expect("it does not grow so far")
        .map(|bytes| bytes.to_vec())
}

/// JSON is what another reader takes for it. That one ends at 128 levels.
fn is_json(bytes: &[u8]) {
    let theirs = serde_json::from_slice::<IgnoredAny>(bytes);
    let ours = Structure::parse(Form::Json, bytes).is_some();
    match theirs {
        Ok(_) => assert!(ours),
        Err(error) => assert!(!ours || error.to_string().contains("recursion limit")),
    }
}

/// A value is made of leaves, read, and written with others.
fn made(bytes: &[u8], forms: &[Form]) {
    let mut input = Input::new(bytes);
    let form = *input.one_of(forms);
    let shape = Shape::new(form, &mut input);
    let leaves = shape.leaves(&mut input);
    let text = shape.render(&leaves);
    let value = Structure::parse(form, &text).expect("it was made so");
    let shown = leaves.iter().filter(|it| it.is_some()).cloned();
    let shown: Vec<_> = shown.collect();
    assert_eq!(self::leaves(&value), shown, "of {}", text.escape_ascii());

    let mut changed = leaves.clone();
    for leaf in changed.iter_mut().flatten() {
        if input.any() {
            *leaf = shape.leaf(&mut input);
        }
    }
    let mut others = leaves
        .iter()
        .zip(&changed)
        .filter(|(leaf, _)| leaf.is_some());
    let written = rewritten(&value, |_| {
        let (leaf, other) = others.next().expect("there are no more leaves");
        (leaf != other).then(|| other.clone()).flatten()
    });
    assert_eq!(written.unwrap_or(text.clone()), shape.render(&changed));
    let spoiled = input.spoiled(text);
    for form in forms {
        any(*form, &spoiled);
    }
    if forms.contains(&Form::Json) {
        is_json(&spoiled);
    }
}

/// A text, which stands in every form.
pub(super) fn text_of(input: &mut Input<'_>) -> Vec<u8> {
    let bytes = match input.below(4) {
        0 => b"NULL nuLl,{}()[]\"\"\\ \t'=>;\x0b\x1f"[input.below(26)..].to_vec(),
        1 => "\u{e9}\u{20ac}\u{1f600}".as_bytes().to_vec(),
        _ => input.bytes(10).to_vec(),
    };
    String::from_utf8_lossy(&bytes)
        .replace('\0', "")
        .into_bytes()
}

/// Everything of a value but its leaves.
pub(super) struct Shape {
    form: Form,
    /// Of an array, the sizes of its dimensions; of all else one, how many leaves there are.
    sizes: Vec<usize>,
    /// With bounds before it, with spaces between, or with keys in the place of elements.
    variant: bool,
}

impl Shape {
    pub(super) fn new(form: Form, input: &mut Input<'_>) -> Self {
        let sizes = match form {
            Form::Array | Form::BinaryArray if input.any() => {
                vec![1 + input.below(2), 1 + input.below(3)]
            }
            Form::Array | Form::BinaryArray | Form::Hstore => vec![1 + input.below(4)],
            Form::Range | Form::BinaryRange => vec![2],
            Form::Multirange => vec![2 + 2 * input.below(2)],
            _ => vec![1 + input.below(4)],
        };
        Self {
            form,
            sizes,
            variant: input.any(),
        }
    }

    /// How it is written.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// How many leaves there are.
    pub(super) fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The type of each leaf, where the form says it.
    pub(super) fn type_oid(&self) -> Option<u32> {
        match (self.form, self.variant) {
            (Form::BinaryArray, _) => Some(25),
            (Form::BinaryComposite, true) => Some(17),
            (Form::BinaryComposite, false) => Some(70_000),
            _ => None,
        }
    }

    fn leaves(&self, input: &mut Input<'_>) -> Vec<Option<Vec<u8>>> {
        let is_null = |input: &mut Input<'_>| {
            // The ranges in a multirange are there.
            self.form != Form::BinaryMultirange && input.once_in(4)
        };
        let leaf = |_| (!is_null(input)).then(|| self.leaf(input));
        (0..self.count()).map(leaf).collect()
    }

    fn leaf(&self, input: &mut Input<'_>) -> Vec<u8> {
        match self.form {
            Form::BinaryMultirange => binary_range(&[Some(text_of(input)), None]),
            _ => text_of(input),
        }
    }

    /// As PostgreSQL's output function writes it.
    pub(super) fn render(&self, leaves: &[Option<Vec<u8>>]) -> Vec<u8> {
        match self.form {
            Form::Json => self.json(leaves),
            Form::BinaryJsonb => [vec![1], self.json(leaves)].concat(),
            Form::Array => self.array(leaves),
            Form::Composite => around(b"(", &leaves.iter().map(record).collect::<Vec<_>>(), b")"),
            Form::Range => range(leaves),
            Form::Multirange => {
                let ranges: Vec<_> = leaves.chunks(2).map(range).collect();
                around(b"{", &ranges, b"}")
            }
            Form::Hstore => {
                let pairs = leaves.iter().enumerate().map(|(at, leaf)| {
                    let value = leaf
                        .as_ref()
                        .map_or(b"NULL".to_vec(), |leaf| quoted(leaf, Escape::Backslash));
                    [format!("\"k\\\"{at}\"=>").into_bytes(), value].concat()
                });
                pairs.collect::<Vec<_>>().join(b", ".as_slice())
            }
            Form::BinaryArray => {
                let mut bytes = Vec::new();
                let nulls = u32::from(leaves.iter().any(Option::is_none));
                let oid = self.type_oid().unwrap_or_default();
                for word in [self.sizes.len() as u32, nulls, oid] {
                    bytes.extend(word.to_be_bytes());
                }
                for size in &self.sizes {
                    bytes.extend((*size as u32).to_be_bytes());
                    bytes.extend(u32::from(self.variant).to_be_bytes());
                }
                bytes.extend(leaves.iter().flat_map(lengthy));
                bytes
            }
            Form::BinaryComposite => {
                let mut bytes = (leaves.len() as u32).to_be_bytes().to_vec();
                for leaf in leaves {
                    bytes.extend(self.type_oid().unwrap_or_default().to_be_bytes());
                    bytes.extend(lengthy(leaf));
                }
                bytes
            }
            Form::BinaryRange => binary_range(leaves),
            Form::BinaryMultirange => {
                let mut bytes = (leaves.len() as u32).to_be_bytes().to_vec();
                bytes.extend(leaves.iter().flat_map(lengthy));
                bytes
            }
            Form::BinaryHstore => {
                let mut bytes = (leaves.len() as u32).to_be_bytes().to_vec();
                for (at, leaf) in leaves.iter().enumerate() {
                    bytes.extend(lengthy(&Some(format!("key {at}").into_bytes())));
                    bytes.extend(lengthy(leaf));
                }
                bytes
            }
        }
    }

    fn json(&self, leaves: &[Option<Vec<u8>>]) -> Vec<u8> {
        let texts = leaves.iter().map(|leaf| match leaf {
            // What is no text is no leaf.
            None => "[null, -1.5e+3, true, {}, []]".to_owned(),
            Some(leaf) => escaped(leaf),
        });
        let joined = match self.variant {
            true => texts.collect::<Vec<_>>().join(" ,\t"),
            false => texts.rev().fold(String::from("0"), |inner, text| {
                format!("{{\"k\\\"\": {text}, \"n\":{inner}}}")
            }),
        };
        match self.variant {
            true => format!("[{joined}]").into_bytes(),
            false => joined.into_bytes(),
        }
    }

    fn array(&self, leaves: &[Option<Vec<u8>>]) -> Vec<u8> {
        let elements: Vec<_> = leaves.iter().map(element).collect();
        let mut array = match self.sizes[..] {
            [_, inner] => {
                let rows = elements.chunks(inner).map(|row| around(b"{", row, b"}"));
                around(b"{", &rows.collect::<Vec<_>>(), b"}")
            }
            _ => around(b"{", &elements, b"}"),
        };
        if self.variant {
            let bounds = self
                .sizes
                .iter()
                .map(|size| format!("[-1:{}]", *size as i64 - 2));
            let bounds = bounds.collect::<String>() + "=";
            array.splice(0..0, bounds.into_bytes());
        }
        array
    }
}

fn around(open: &[u8], parts: &[Vec<u8>], close: &[u8]) -> Vec<u8> {
    [open, &parts.join(b",".as_slice()), close].concat()
}

/// What stands before a quote or a backslash between quotes.
enum Escape {
    Backslash,
    Itself,
}

fn quoted(bytes: &[u8], escape: Escape) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in bytes {
        match (byte, &escape) {
            (b'"' | b'\\', Escape::Backslash) => quoted.extend([b'\\', *byte]),
            (b'"' | b'\\', Escape::Itself) => quoted.extend([*byte; 2]),
            _ => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    quoted
}

fn is_space(byte: &u8) -> bool {
    b" \t\n\r\x0b\x0c".contains(byte)
}

fn element(leaf: &Option<Vec<u8>>) -> Vec<u8> {
    let Some(leaf) = leaf else {
        return b"NULL".to_vec();
    };
    let special = |byte: &u8| b"\"\\{},".contains(byte) || is_space(byte);
    match leaf.is_empty() || leaf.eq_ignore_ascii_case(b"null") || leaf.iter().any(special) {
        true => quoted(leaf, Escape::Backslash),
        false => leaf.clone(),
    }
}

fn record(leaf: &Option<Vec<u8>>) -> Vec<u8> {
    let Some(leaf) = leaf else {
        return Vec::new();
    };
    let special = |byte: &u8| b"\"\\(),".contains(byte) || is_space(byte);
    match leaf.is_empty() || leaf.iter().any(special) {
        true => quoted(leaf, Escape::Itself),
        false => leaf.clone(),
    }
}

fn bound(leaf: &Option<Vec<u8>>) -> Vec<u8> {
    let Some(leaf) = leaf else {
        return Vec::new();
    };
    let special = |byte: &u8| b"\"\\()[],".contains(byte) || is_space(byte);
    match leaf.is_empty() || leaf.iter().any(special) {
        true => quoted(leaf, Escape::Itself),
        false => leaf.clone(),
    }
}

fn range(bounds: &[Option<Vec<u8>>]) -> Vec<u8> {
    around(b"[", &bounds.iter().map(bound).collect::<Vec<_>>(), b")")
}

/// Flags of `rangetypes.h`: inclusive lower bound, infinite bounds.
fn binary_range(bounds: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = vec![0x02];
    for (bound, infinite) in bounds.iter().zip([0x08, 0x10]) {
        match bound {
            None => bytes[0] |= infinite,
            bound => bytes.extend(lengthy(bound)),
        }
    }
    if bounds[0].is_none() {
        bytes[0] &= !0x02;
    }
    bytes
}

fn lengthy(leaf: &Option<Vec<u8>>) -> Vec<u8> {
    let length = leaf.as_ref().map_or(-1, |leaf| leaf.len() as i32);
    [
        length.to_be_bytes().as_slice(),
        leaf.as_deref().unwrap_or_default(),
    ]
    .concat()
}

/// `escape_json`.
fn escaped(leaf: &[u8]) -> String {
    let mut text = String::from("\"");
    for letter in String::from_utf8_lossy(leaf).chars() {
        match letter {
            '\x08' => text.push_str("\\b"),
            '\x0c' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '"' | '\\' => text.extend(['\\', letter]),
            '\0'..' ' => {
                write!(text, "\\u{:04x}", u32::from(letter)).expect("memory can be written")
            }
            _ => text.push(letter),
        }
    }
    text + "\""
}
