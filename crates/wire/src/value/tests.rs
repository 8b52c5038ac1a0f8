//! The forms against values written by an encoder of the tests' own, which follows PostgreSQL's
//! output functions and shares nothing with the walkers.

use proptest::prelude::*;

use super::*;

mod encoder;

use encoder::{Value, write};

fn forms() -> impl Strategy<Value = Form> {
    prop::sample::select([Form::IN_TEXT.as_slice(), &Form::IN_BINARY].concat())
}

/// Values that are written in different ways, and some that are nothing special.
fn contents() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("NULL".to_owned()),
        Just("null".to_owned()),
        "[a-z0-9]{1,8}",
        r#"[a\\"{}(),\[\] \n\t:=>]{0,6}"#,
        "[\u{1}-\u{1f}\"\\\\/é世😀]{0,4}",
    ]
}

fn values() -> impl Strategy<Value = Vec<Option<String>>> {
    prop::collection::vec(prop::option::weighted(0.8, contents()), 1..6)
}

/// A value of this form around the given ones, NULLs where the form has room for them.
fn value(form: Form, contents: &[Option<String>]) -> Value {
    Value::of(form, contents)
}

/// [`Structure::rewrite`], but that of a binary multirange the bounds of its ranges are shown.
fn rewrite(
    form: Form,
    bytes: &[u8],
    limit: usize,
    change: &mut dyn FnMut(Vec<u8>) -> Option<Vec<u8>>,
) -> Option<Result<Option<Zeroizing<Vec<u8>>>, TooLong>> {
    let structure = Structure::parse(form, bytes)?;
    Some(structure.rewrite(limit, |leaf| {
        let value = leaf.value().unwrap().into_owned();
        if form == Form::BinaryMultirange {
            return rewrite(Form::BinaryRange, &value, usize::MAX, change)
                .unwrap()
                .unwrap();
        }
        change(value).map(Zeroizing::new)
    }))
}

/// The leaves of a value, as they read.
fn leaves(form: Form, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut leaves = Vec::new();
    let unchanged = rewrite(form, bytes, usize::MAX, &mut |leaf| {
        leaves.push(leaf);
        None
    })?;
    assert!(unchanged.unwrap().is_none());
    Some(leaves)
}

fn utf8(leaves: &[&str]) -> Vec<Vec<u8>> {
    leaves.iter().map(|leaf| leaf.as_bytes().to_vec()).collect()
}

proptest! {
    #[test]
    fn leaves_read_as_they_were_written(form in forms(), contents in values()) {
        let value = value(form, &contents);
        let expected: Vec<&str> = value.leaves();
        prop_assert_eq!(leaves(form, &write(&value)).unwrap(), utf8(&expected));
    }

    #[test]
    fn what_changes_is_written_as_postgresql_would_and_the_rest_stays(
        form in forms(),
        before in values(),
        after in values(),
        which in any::<u8>(),
    ) {
        let mut value = value(form, &before);
        let bytes = write(&value);
        let mut changed = after.iter().flatten().cycle();
        let mut index = 0;
        let written = rewrite(form, &bytes, usize::MAX, &mut |_| {
            index += 1;
            let new = changed.next().filter(|_| which >> (index % 8) & 1 == 1)?;
            value.replace(index - 1, new);
            Some(new.clone().into_bytes())
        });
        match written.unwrap().unwrap() {
            Some(written) => {
                prop_assert_eq!(written.len(), written.capacity());
                prop_assert_eq!(&*written, &write(&value));
            }
            None => prop_assert_eq!(bytes, write(&value)),
        }
    }

    #[test]
    fn no_part_of_a_value_and_nothing_longer_is_one(form in forms(), contents in values()) {
        let bytes = write(&value(form, &contents));
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            // Of an hstore's text some beginnings are hstores, with fewer pairs.
            if let Some(cut) = leaves(form, cut) {
                prop_assert!(form == Form::Hstore && cut.len() < bytes.len());
            }
        }
        for more in [b"x".as_slice(), b",", b"\0", b"\"", b"}"] {
            prop_assert!(leaves(form, &[&bytes, more].concat()).is_none());
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_panic(
        form in forms(),
        contents in values(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = write(&value(form, &contents));
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(structure) = Structure::parse(form, &bytes) {
            // What is read is written so that it reads the same again.
            let mut read = Vec::new();
            let written = structure.rewrite(usize::MAX, |leaf| {
                let value = leaf.value()?.into_owned();
                read.push(value.clone());
                Some(Zeroizing::new(value))
            });
            let written = written.unwrap().map_or(bytes.clone(), |it| it.to_vec());
            let mut again = Vec::new();
            let _ = Structure::parse(form, &written).unwrap().rewrite(usize::MAX, |leaf| {
                again.extend(leaf.value().map(Cow::into_owned));
                None
            });
            prop_assert_eq!(again, read);
        }
    }

    #[test]
    fn a_value_that_would_be_too_long_is_not_written(form in forms(), contents in values()) {
        let value = value(form, &contents);
        let bytes = write(&value);
        let long = |limit| rewrite(form, &bytes, limit, &mut |_| Some(vec![b'x'; 1000])).unwrap();
        if !value.leaves().is_empty() {
            let length = long(usize::MAX).unwrap().unwrap().len();
            prop_assert!(long(length).is_ok());
            prop_assert!(long(length - 1).is_err());
        }
    }
}

#[test]
fn every_character_is_written_as_postgresql_would_and_read_again() {
    let forms = Form::IN_TEXT.into_iter().chain(Form::IN_BINARY);
    for (form, character) in forms.flat_map(|form| ('\u{1}'..='\u{80}').map(move |it| (form, it))) {
        let around = |text: &str| write(&value(form, &[text, "x"].map(|it| Some(it.to_owned()))));
        let text = String::from(character);
        let mut after = Some(text.clone().into_bytes());
        let written = rewrite(form, &around("a"), usize::MAX, &mut |_| after.take());
        let written = written.unwrap().unwrap().unwrap();
        assert_eq!(*written, around(&text), "{form:?} {character:?}");
        assert_eq!(leaves(form, &written), Some(utf8(&[&text, "x"])));
    }
}

#[test]
fn text_that_postgresql_writes_is_read() {
    let cases: [(Form, &str, &[&str]); 26] = [
        (Form::Array, "{}", &[]),
        (
            Form::Array,
            "{a,\"b \\\\\\\"\",NULL,null}",
            &["a", "b \\\""],
        ),
        (Form::Array, "{{1,2},{3,4}}", &["1", "2", "3", "4"]),
        (Form::Array, "[0:1]={a,b}", &["a", "b"]),
        (Form::Array, "[-1:-1][2:3]={{a,b}}", &["a", "b"]),
        (Form::Array, "{{{{{{x}}}}}}", &["x"]),
        (
            Form::Array,
            "[0:0][0:0][0:0][0:0][0:0][0:0]={{{{{{x}}}}}}",
            &["x"],
        ),
        (Form::Array, "{\"NULL\",\"\"}", &["NULL", ""]),
        (Form::Composite, "()", &[]),
        (Form::Composite, "(,)", &[]),
        (
            Form::Composite,
            "(a,,\"b \"\"\\\\\",\"\")",
            &["a", "b \"\\", ""],
        ),
        (Form::Composite, "({1},[2)", &["{1}", "[2"]),
        (Form::Range, "[a,\"b c\")", &["a", "b c"]),
        (Form::Range, "(,\"]\"]", &["]"]),
        (Form::Multirange, "{[a,b),(c,]}", &["a", "b", "c"]),
        (
            Form::Hstore,
            "\"k\"=>\"v\", \"l\"=>NULL, \"\"=>\"\\\"\"",
            &["v", "\""],
        ),
        (
            Form::Json,
            " {\"k\" : [ \"v\", {} , [] ,1.5e-3, true,null ] } ",
            &["v"],
        ),
        (
            Form::Json,
            "\"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\"",
            &["é😀/\u{8}\u{c}\n\r\t"],
        ),
        (Form::Json, "[\"\\u0000\",-0,0.0,10E+2]", &["\0"]),
        (Form::Json, "false", &[]),
        (Form::Json, "{\"a\":\"b\",\"a\":\"c\"}", &["b", "c"]),
        (Form::BinaryJsonb, "\u{1}[\"a\"]", &["a"]),
        (Form::BinaryArray, "\0\0\0\0\0\0\0\0\0\0\0\x19", &[]),
        (Form::BinaryRange, "\u{1}", &[]),
        (Form::BinaryHstore, "\0\0\0\0", &[]),
        (Form::BinaryComposite, "\0\0\0\0", &[]),
    ];
    for (form, text, expected) in cases {
        assert_eq!(
            leaves(form, text.as_bytes()),
            Some(utf8(expected)),
            "{form:?} {text}"
        );
    }
}

#[test]
fn what_postgresql_would_not_write_is_no_value() {
    for (form, texts) in [
        (
            Form::Array,
            &[
                "",
                "{",
                "}",
                "{,}",
                "{a,}",
                "{a b}",
                "{a\\b}",
                "{a}b",
                "{{a},b}",
                "{a,{b}}",
                "{{a},{b,c}}",
                "{{},{}}",
                "{\"a\"b}",
                "{\"a\\n\"}",
                "[1:2]={a}",
                "[1:1]={{a}}",
                "[1:1][1:1]={a}",
                "[1]={a}",
                "[1:1]{a}",
                "[1:1]={}",
                "{{{{{{{x}}}}}}}",
                "{\"a\":1}",
                "[1:9999999999]={a}",
                "{a},",
            ][..],
        ),
        (
            Form::Composite,
            &[
                "",
                "(",
                "(a",
                "a,b",
                "(a b)",
                "(a\"b)",
                "(\"a\\b\")",
                "((a))",
                "(\"a\"b)",
                "(a))",
            ],
        ),
        (
            Form::Range,
            &[
                "", "empty", "[a]", "[a,b,c]", "[a,b", "{a,b}", "[a[,b]", "[a b,c]", "[a,b)]",
            ],
        ),
        (
            Form::Multirange,
            &["", "{}", "{[a,b)", "{[a,b),}", "{a,b}", "{[a,b)(c,d)}"],
        ),
        (
            Form::Hstore,
            &[
                "",
                "\"a\"",
                "\"a\"=>",
                "\"a\"=>b",
                "a=>\"b\"",
                "\"a\"=>\"b\",\"c\"=>\"d\"",
                "\"a\"=>\"b\", ",
            ],
        ),
        (
            Form::Json,
            &[
                "",
                " ",
                "{",
                "[",
                "\"",
                "{\"a\"}",
                "{\"a\":}",
                "{\"a\":1,}",
                "[1,]",
                "[1}",
                "{\"a\":1]",
                "{1:2}",
                "01",
                "-",
                "1.",
                "1e",
                ".5",
                "+1",
                "tru",
                "nul",
                "'a'",
                "\"\\x\"",
                "\"\\u12g4\"",
                "\"\n\"",
                "1 2",
                "[1] ]",
                "\u{feff}1",
            ],
        ),
        (Form::BinaryJsonb, &["", "\u{1}", "[\"a\"]", "\u{2}[\"a\"]"]),
    ] {
        for text in texts {
            assert!(leaves(form, text.as_bytes()).is_none(), "{form:?} {text}");
        }
    }
}

#[test]
fn half_a_character_in_json_has_no_value() {
    for text in [
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800x\"",
        "\"\\ud800\\u0041\"",
    ] {
        let structure = Structure::parse(Form::Json, text.as_bytes()).unwrap();
        let written = structure.rewrite(usize::MAX, |leaf| {
            assert!(leaf.value().is_none(), "{text}");
            None
        });
        assert!(written.unwrap().is_none());
    }
}

#[test]
fn json_goes_as_deep_as_it_likes() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":[", "]}]")] {
        for depth in [1, 31, 32, 63, 64, 65, 127, 128, 129, 100_000] {
            let text = [&open.repeat(depth), "\"x\"", &close.repeat(depth)].concat();
            assert_eq!(
                leaves(Form::Json, text.as_bytes()),
                Some(utf8(&["x"])),
                "{depth}"
            );
            let other = text.replace(']', "}");
            assert_eq!(
                leaves(Form::Json, other.as_bytes()).is_some(),
                other == text
            );
        }
    }
}

#[test]
fn lying_lengths_counts_and_types_are_no_value() {
    let array = write(&value(
        Form::BinaryArray,
        &[Some("abc".into()), Some("d".into())],
    ));
    let composite = write(&value(Form::BinaryComposite, &[Some("abc".into())]));
    for (form, whole, place, bytes) in [
        (Form::BinaryArray, &array, 0, [0, 0, 0, 7]),
        (Form::BinaryArray, &array, 0, [0xff; 4]),
        (Form::BinaryArray, &array, 4, [0, 0, 0, 2]),
        (Form::BinaryArray, &array, 8, [0, 0, 0, 0]),
        (Form::BinaryArray, &array, 12, [0x7f, 0xff, 0xff, 0xff]),
        (Form::BinaryArray, &array, 12, [0, 0, 0, 1]),
        (Form::BinaryArray, &array, 20, [0xff; 4]),
        (Form::BinaryArray, &array, 20, [0xff, 0xff, 0xff, 0xfe]),
        (Form::BinaryArray, &array, 20, [0x7f, 0xff, 0xff, 0xff]),
        (Form::BinaryComposite, &composite, 0, [0, 0, 0, 2]),
        (Form::BinaryComposite, &composite, 0, [0xff; 4]),
        (Form::BinaryComposite, &composite, 4, [0, 0, 0, 1]),
        (Form::BinaryComposite, &composite, 8, [0x80, 0, 0, 0]),
    ] {
        let mut lying = whole.clone();
        lying[place..place + 4].copy_from_slice(&bytes);
        assert!(leaves(form, whole).is_some());
        assert!(leaves(form, &lying).is_none(), "{form:?} {place} {bytes:?}");
    }
    for (form, bytes) in [
        // NULL where there is said to be none.
        (
            Form::BinaryArray,
            "\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01NULL",
        ),
        // Flags that no range has on the wire.
        (Form::BinaryRange, "\x21"),
        (Form::BinaryRange, "\x40\0\0\0\0\0\0\0\0"),
        // A range that is none, and NULL, in a multirange.
        (Form::BinaryMultirange, "\0\0\0\x01\0\0\0\x01x"),
        (Form::BinaryMultirange, "\0\0\0\x01NULL"),
        (Form::BinaryHstore, "\0\0\0\x01NULLNULL"),
    ] {
        let bytes = bytes.replace("NULL", "\u{ff}\u{ff}\u{ff}\u{ff}");
        let bytes: Vec<u8> = bytes.chars().map(|it| u8::try_from(it).unwrap()).collect();
        assert!(leaves(form, &bytes).is_none(), "{form:?} {bytes:?}");
    }
    // A great many elements of no bytes are not counted before they are seen.
    let mut empty = vec![0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 25];
    empty.extend([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1].repeat(6));
    assert!(leaves(Form::BinaryArray, &empty).is_none());
}

#[test]
fn as_many_dimensions_and_fields_as_postgresql_has_are_read_of_its_first_type() {
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|it| it.to_be_bytes()).collect() };
    let array = |dimensions: u32| {
        let bounds = [1, 1].repeat(dimensions as usize);
        words(&[&[dimensions, 0, 16], &bounds[..], &[0]].concat())
    };
    let composite = |fields: u32| {
        let nulls = [16, u32::MAX].repeat(fields as usize);
        words(&[&[fields], &nulls[..]].concat())
    };
    assert_eq!(leaves(Form::BinaryArray, &array(6)), Some(utf8(&[""])));
    assert_eq!(leaves(Form::BinaryArray, &array(7)), None);
    assert_eq!(
        leaves(Form::BinaryComposite, &composite(1664)),
        Some(vec![])
    );
    assert_eq!(leaves(Form::BinaryComposite, &composite(1665)), None);
}

#[test]
fn types_are_those_that_stand_there() {
    for form in [Form::BinaryArray, Form::BinaryComposite] {
        let bytes = write(&value(form, &[Some("a".into())]));
        let structure = Structure::parse(form, &bytes).unwrap();
        let _ = structure.rewrite(usize::MAX, |leaf| {
            assert_eq!(leaf.type_oid(), Some(encoder::TYPE), "{form:?}");
            None
        });
    }
}

#[test]
fn a_leaf_is_shown_as_it_stands_too() {
    for (form, bytes, raw) in [
        (
            Form::Array,
            br#"{"a b"}"#.as_slice(),
            br#""a b""#.as_slice(),
        ),
        (Form::BinaryJsonb, b"\x01[\"\\u0061\"]", br#""\u0061""#),
        (Form::BinaryRange, b"\x08\0\0\0\x01a", b"\0\0\0\x01a"),
    ] {
        let structure = Structure::parse(form, bytes).unwrap();
        let mut seen = Vec::new();
        let _ = structure.rewrite(usize::MAX, |leaf| {
            seen.push(leaf.raw().to_vec());
            None
        });
        assert_eq!(seen, [raw], "{form:?}");
    }
}

#[test]
fn json_is_text_in_binary_too_and_lengths_are_not() {
    let is_text = |form: &Form| form.is_text();
    assert!(Form::IN_TEXT.iter().all(is_text));
    let text: Vec<_> = Form::IN_BINARY.into_iter().filter(is_text).collect();
    assert_eq!(text, [Form::BinaryJsonb, Form::Json]);
}
