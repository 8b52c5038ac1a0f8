//! What a value of values is made of but its leaves, and how PostgreSQL writes it with them.

use std::fmt::Write;

use wire::value::Form;

use crate::input::Input;

/// A text, which stands in every form.
pub(in crate::targets) fn text_of(input: &mut Input<'_>) -> Vec<u8> {
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
pub(in crate::targets) struct Shape {
    form: Form,
    /// Of an array, the sizes of its dimensions; of all else one, how many leaves there are.
    sizes: Vec<usize>,
    /// With bounds before it, with spaces between, or with keys in the place of elements.
    variant: bool,
}

impl Shape {
    pub(in crate::targets) fn new(form: Form, input: &mut Input<'_>) -> Self {
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
    pub(in crate::targets) fn form(&self) -> Form {
        self.form
    }

    /// How many leaves there are.
    pub(in crate::targets) fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The type of each leaf, where the form says it.
    pub(in crate::targets) fn type_oid(&self) -> Option<u32> {
        match (self.form, self.variant) {
            (Form::BinaryArray, _) => Some(25),
            (Form::BinaryComposite, true) => Some(17),
            (Form::BinaryComposite, false) => Some(70_000),
            _ => None,
        }
    }

    /// Some values, and NULL where it may be.
    pub(in crate::targets) fn leaves(&self, input: &mut Input<'_>) -> Vec<Option<Vec<u8>>> {
        let is_null = |input: &mut Input<'_>| {
            // The ranges in a multirange are there.
            self.form != Form::BinaryMultirange && input.once_in(4)
        };
        let leaf = |_| (!is_null(input)).then(|| self.leaf(input));
        (0..self.count()).map(leaf).collect()
    }

    /// A value.
    pub(in crate::targets) fn leaf(&self, input: &mut Input<'_>) -> Vec<u8> {
        match self.form {
            Form::BinaryMultirange => binary_range(&[Some(text_of(input)), None]),
            _ => text_of(input),
        }
    }

    /// As PostgreSQL's output function writes it.
    pub(in crate::targets) fn render(&self, leaves: &[Option<Vec<u8>>]) -> Vec<u8> {
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
