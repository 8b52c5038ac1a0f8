//! Values written as PostgreSQL's output and send functions write them, in the plainest way.

use super::Form;

/// The type that binary forms state.
pub const TYPE: u32 = 25;

/// A value of some form: which form, and its leaves and NULLs in order.
pub struct Value {
    form: Form,
    contents: Vec<Option<String>>,
}

impl Value {
    /// With the given contents, as far as the form has room for them.
    pub fn of(form: Form, contents: &[Option<String>]) -> Self {
        let mut contents = contents.to_vec();
        match form {
            Form::Range | Form::BinaryRange => contents.resize(2, None),
            Form::Multirange | Form::BinaryMultirange => {
                contents.truncate(contents.len().next_multiple_of(2));
                contents.resize(contents.len().next_multiple_of(2), None);
            }
            _ => {}
        }
        Self { form, contents }
    }

    /// What is to be shown.
    pub fn leaves(&self) -> Vec<&str> {
        self.contents.iter().flatten().map(String::as_str).collect()
    }

    pub fn replace(&mut self, leaf: usize, new: &str) {
        let leaf = self.contents.iter_mut().flatten().nth(leaf).unwrap();
        new.clone_into(leaf);
    }
}

pub fn write(value: &Value) -> Vec<u8> {
    let contents = &value.contents;
    let joined = |quote: fn(Option<&str>) -> String| {
        let written: Vec<String> = contents.iter().map(|it| quote(it.as_deref())).collect();
        written.join(",")
    };
    match value.form {
        Form::Json => format!("{{\"k\": [{}]}}", joined(json)).into_bytes(),
        Form::BinaryJsonb => format!("\u{1}[{}]", joined(json)).into_bytes(),
        Form::Array => format!("{{{}}}", joined(array)).into_bytes(),
        Form::Composite => format!("({})", joined(composite)).into_bytes(),
        Form::Range => format!("[{})", joined(range)).into_bytes(),
        Form::Multirange => {
            let ranges = contents.chunks(2).map(|bounds| {
                let [lower, upper] = [0, 1].map(|at| range(bounds[at].as_deref()));
                format!("({lower},{upper}]")
            });
            let ranges: Vec<String> = ranges.collect();
            format!("{{{}}}", ranges.join(",")).into_bytes()
        }
        Form::Hstore => {
            let pairs = contents.iter().enumerate().map(|(key, value)| match value {
                None => format!("\"{key} \\\"\"=>NULL"),
                Some(value) => format!("\"{key}\"=>\"{}\"", backslashed(value)),
            });
            let pairs: Vec<String> = pairs.collect();
            pairs.join(", ").into_bytes()
        }
        Form::BinaryArray => {
            let has_null = u32::from(contents.iter().any(Option::is_none));
            let count = u32::try_from(contents.len()).unwrap();
            let head = words(&[1, has_null, TYPE, count, 1]);
            [
                head,
                contents
                    .iter()
                    .flat_map(|it| sized(it.as_deref()))
                    .collect(),
            ]
            .concat()
        }
        Form::BinaryComposite => {
            let count = u32::try_from(contents.len()).unwrap();
            let mut bytes = words(&[count]);
            for value in contents {
                bytes.extend(words(&[TYPE]));
                bytes.extend(sized(value.as_deref()));
            }
            bytes
        }
        Form::BinaryRange => binary_range(contents),
        Form::BinaryMultirange => {
            let ranges: Vec<Vec<u8>> = contents.chunks(2).map(binary_range).collect();
            let mut bytes = words(&[u32::try_from(ranges.len()).unwrap()]);
            for range in ranges {
                bytes.extend(words(&[u32::try_from(range.len()).unwrap()]));
                bytes.extend(range);
            }
            bytes
        }
        Form::BinaryHstore => {
            let mut bytes = words(&[u32::try_from(contents.len()).unwrap()]);
            for value in contents {
                bytes.extend(sized(Some("key")));
                bytes.extend(sized(value.as_deref()));
            }
            bytes
        }
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn sized(value: Option<&str>) -> Vec<u8> {
    match value {
        None => words(&[u32::MAX]),
        Some(value) => {
            let length = words(&[u32::try_from(value.len()).unwrap()]);
            [length, value.as_bytes().to_vec()].concat()
        }
    }
}

fn binary_range(bounds: &[Option<String>]) -> Vec<u8> {
    let mut flags = 0x02;
    flags |= if bounds[0].is_none() { 0x08 } else { 0 };
    flags |= if bounds[1].is_none() { 0x10 } else { 0 };
    let bounds = bounds.iter().flatten();
    [vec![flags], bounds.flat_map(|it| sized(Some(it))).collect()].concat()
}

fn json(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "null".to_owned();
    };
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..' ' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => text.push(other),
        }
    }
    text + "\""
}

fn backslashed(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

fn doubled(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\"\"")
}

fn needs_quotes(value: &str, special: &str) -> bool {
    value.is_empty()
        || value.contains(|it| special.contains(it) || " \t\n\r\u{b}\u{c}".contains(it))
}

fn array(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(value) if needs_quotes(value, "{}\"\\,") || value.to_uppercase() == "NULL" => {
            format!("\"{}\"", backslashed(value))
        }
        Some(value) => value.to_owned(),
    }
}

fn composite(value: Option<&str>) -> String {
    match value {
        None => String::new(),
        Some(value) if needs_quotes(value, "()\"\\,") => format!("\"{}\"", doubled(value)),
        Some(value) => value.to_owned(),
    }
}

fn range(value: Option<&str>) -> String {
    match value {
        None => String::new(),
        Some(value) if needs_quotes(value, "()[]\"\\,") => format!("\"{}\"", doubled(value)),
        Some(value) => value.to_owned(),
    }
}
