//! How deep values may stand in each other, and what they may grow by.

use super::*;

#[test]
fn values_stand_in_each_other_to_a_bounded_depth() {
    // Nowhere but in binary do they get so deep: in text every level doubles its quotes.
    let [_, composite, ..] = BINARY;
    let sealed = seal(0, CLEAR);
    let clear = CLEAR.as_bytes();
    for type_oid in [composite.type_oid, 16_600] {
        let nested = |depth: usize, value: &[u8]| {
            let inner = (composite.write)(value, 17);
            (1..depth).fold(inner, |it, _| (composite.write)(&it, type_oid))
        };
        for (depth, expected) in [(1, clear), (32, clear), (33, &sealed)] {
            let field = becomes(&nested(depth, &sealed), Kind::Untyped, Format::Binary);
            assert_eq!(field, (nested(depth, expected), false), "{depth}");
        }
    }
    // How deep JSON is by itself does not count.
    let deep = |it: &str| format!("{}\"{it}\"{}", "[".repeat(9000), "]".repeat(9000));
    let field = becomes(
        deep(&armor(&seal(0, "clear"))).as_bytes(),
        Kind::Jsonb,
        Format::Text,
    );
    assert_eq!(field, (deep("clear").into_bytes(), false));
}

#[test]
fn as_many_values_open_side_by_side_as_there_are() {
    let [_, _, composite, ..] = TEXT;
    let of = |it: &str| {
        let record = written::json(&(composite.write)(it));
        format!("[{}]", vec![record; 40].join(",")).into_bytes()
    };
    let field = becomes(&of(&armor(&seal(0, CLEAR))), Kind::Untyped, Format::Text);
    assert_eq!(field, (of(CLEAR), false));
}

#[test]
fn a_value_that_grows_with_every_level_is_refused_before_it_fills_the_memory() {
    let [_, _, composite, ..] = TEXT;
    let sealed = armor(&seal(0, &"\\".repeat(100)));
    let nested = |depth| (0..depth).fold(sealed.clone(), |it, _| (composite.write)(&it));
    let field = |depth| {
        let value = nested(depth);
        opened(value.as_bytes(), Kind::Record, Format::Text, Encoding::Utf8)
    };
    assert!(field(3).bytes.is_some());
    for depth in [10, 12] {
        let field = field(depth);
        assert!(field.bytes.is_none(), "{depth}");
        assert!(field.refused && field.too_long, "{depth}");
    }
}

#[test]
fn a_value_may_become_twice_as_long_and_somewhat_more_and_no_byte_over_that() {
    let [_, _, composite, ..] = TEXT;
    let clear = "\\".repeat(1000);
    let nested = |it: &str| (0..8).fold(it.to_owned(), |it, _| (composite.write)(&it));
    let [came, clear] = [&armor(&seal(0, &clear)), &clear].map(|it| nested(it));
    // What stays as it is makes room for as much again.
    let with = |room: usize, it: &str| it.replacen('(', &format!("({}", "x".repeat(room)), 1);
    let room = clear.len() - (2 * came.len() + MAY_GROW);
    for (room, opens) in [(room, true), (room - 1, false)] {
        let value = with(room, &came);
        let field = opened(value.as_bytes(), Kind::Record, Format::Text, Encoding::Utf8);
        let bytes = field.bytes.map(|bytes| bytes.to_vec());
        assert_eq!(bytes, opens.then(|| with(room, &clear).into_bytes()));
        assert_eq!(field.too_long, !opens);
    }
}
