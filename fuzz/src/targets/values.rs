//! Values that are made of values: what is read of one is what a renderer of PostgreSQL's put there,
//! and with some leaves replaced it is what that renderer makes of the others.

mod shape;

use serde::de::IgnoredAny;
use wire::value::{Form, Structure};

use crate::input::Input;

pub(super) use self::shape::{Shape, text_of};

/// The bytes are a value in text; and, in another reading, what one is made of.
pub fn in_text(bytes: &[u8]) {
    any(bytes);
    is_json(bytes);
    made(bytes, &Form::IN_TEXT);
}

/// The bytes are a value in binary; and, in another reading, what one is made of.
pub fn in_binary(bytes: &[u8]) {
    any(bytes);
    made(bytes, &Form::IN_BINARY);
}

const LIMIT: usize = 1 << 20;

/// Whatever it is taken for.
fn any(bytes: &[u8]) {
    for form in Form::IN_TEXT.into_iter().chain(Form::IN_BINARY) {
        any_of(form, bytes);
    }
}

/// Whatever is read: nothing changes it, and its leaves written anew are the same leaves.
fn any_of(form: Form, bytes: &[u8]) {
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
    let is_text = Form::IN_TEXT.contains(&form) || form == Form::BinaryJsonb;
    assert_eq!(form.is_text(), is_text);
    let unchanged = value.rewrite(LIMIT, |leaf| {
        assert_eq!(leaf.type_oid(), shape.type_oid());
        let raw = leaf.raw();
        assert!(text.windows(raw.len()).any(|it| it == raw));
        None
    });
    assert_eq!(unchanged.map(|it| it.is_none()), Ok(true));

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
    any(&spoiled);
    if forms.contains(&Form::Json) {
        is_json(&spoiled);
    }
}
