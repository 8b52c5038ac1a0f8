//! RowDescription: as a reader that asks for all of it at once sees it.

use wire::description::{Column, Format, Formats, columns};

use crate::input::Input;

/// The bytes are a body; and, in another reading, columns.
pub fn run(bytes: &[u8]) {
    assert_eq!(columns(bytes).ok(), expected(bytes));
    let mut input = Input::new(bytes);
    let (mut body, mut made) = (Vec::new(), Vec::new());
    for _ in 0..input.below(8) {
        let name = input.bytes(20).split(|byte| *byte == 0).next();
        let (fixed, type_oid): ([u8; 12], u32) = (input.any(), input.any());
        let format = *input.one_of(&[Format::Text, Format::Binary]);
        body.extend(name.unwrap_or_default());
        body.extend([&[0], &fixed[..6], &type_oid.to_be_bytes(), &fixed[6..]].concat());
        body.extend([0, u8::from(format == Format::Binary)]);
        made.push(Column { type_oid, format });
    }
    let count = u16::try_from(made.len()).expect("there are few");
    let formats: Vec<_> = made.iter().map(|column| column.format).collect();
    let each = Formats::Each(formats.clone().into());
    assert!((0..formats.len()).all(|at| each.of(at) == formats[at]));
    assert_eq!(each.of(formats.len()), Format::Text);
    assert!(
        formats
            .iter()
            .all(|format| Formats::All(*format).of(7) == *format)
    );
    let body = [count.to_be_bytes().as_slice(), &body].concat();
    assert_eq!(columns(&body), Ok(made));
    let spoiled = input.spoiled(body);
    assert_eq!(columns(&spoiled).ok(), expected(&spoiled));
}

/// From the end of each name its 18 bytes.
fn expected(body: &[u8]) -> Option<Vec<Column>> {
    let (count, mut rest) = body.split_first_chunk()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let name = rest.iter().position(|byte| *byte == 0)?;
        let (fixed, behind) = rest[name + 1..].split_first_chunk::<18>()?;
        let type_oid = u32::from_be_bytes(*fixed[6..].first_chunk()?);
        let format = match fixed[16..] {
            [0, 0] => Format::Text,
            [0, 1] => Format::Binary,
            _ => return None,
        };
        columns.push(Column { type_oid, format });
        rest = behind;
    }
    rest.is_empty().then_some(columns)
}
