//! The forms that a field with a sealed value can have, as SQL over the columns `b` (`bytea`) and `t`
//! (`text`) of a table.

/// Types to nest values in, of which the wire does not say what they are.
pub const TYPES: &str = "
    create extension hstore;
    create extension citext;
    create domain secret as bytea;
    create domain phrase as text;
    create type pair as (b bytea, t text, n int);
    create type words as range (subtype = text);
    create type blobs as range (subtype = bytea);";

/// Columns that are asked for together.
pub struct Family {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

/// What opens.
pub const FAMILIES: [Family; 9] = [
    Family {
        name: "bytea",
        columns: &["b", "b::secret"],
    },
    Family {
        name: "text",
        columns: &["t", "t::varchar", "t::bpchar", "t::phrase", "t::citext"],
    },
    Family {
        name: "arrays",
        columns: &[
            "array[b]",
            "array[b, null, b]",
            "array[[b, b], [null, b]]",
            "array[t]",
            "array[t, 'x y', null, 'null']",
            "array[t::varchar]",
            "array[t::bpchar]",
            "array[[t, 'x'], [null, t]]",
            "array_fill(t, array[2, 1], array[2, -1])",
        ],
    },
    Family {
        name: "arrays of types of one's own",
        columns: &[
            "array[b::secret]",
            "array[t::phrase, null]",
            "array[t::citext]",
        ],
    },
    Family {
        name: "json",
        columns: &[
            "to_json(t)",
            "to_json(b)",
            "to_jsonb(t)",
            "to_jsonb(b)",
            "json_build_object('a', t, 'b', json_build_array(b, t, null, 1.50), 'c', '{}'::json)",
            "jsonb_build_object('a', t, 'b', jsonb_build_array(b, t, null, 1.50), 'c', '{}'::json)",
            r#"('{ "a" :  [' || to_json(t) || E' ,\n"\\u0041"] }')::json"#,
            "row_to_json(row(b, t, 1)::pair)",
            "array[to_json(b), null]",
            "array[to_jsonb(t), jsonb_build_array(b)]",
        ],
    },
    Family {
        name: "composites",
        columns: &[
            "row(b, t, 1)",
            "row(b, t, 1)::pair",
            "row(t)",
            "array[row(b, t)]",
            "array[row(b, t, 1)::pair, null]",
            "row(row(b, t, 1)::pair, array[t, null], to_jsonb(t), null)",
        ],
    },
    Family {
        name: "ranges",
        columns: &[
            "words(t, null)",
            "words(t, t || 'z')",
            "words(null, t, '(]')",
            "blobs(b, null)",
            "array[words(t, null)]",
            "row(words(t, t || 'z'), 1)",
            "words_multirange(words(t, t, '[]'))",
            "array[words_multirange(words(null, t), words(t || 'z', null))]",
        ],
    },
    Family {
        name: "hstore",
        columns: &[
            "hstore('k', t)",
            "hstore('k', b::text)",
            "hstore(array['a', 'b', 'c \"'], array[t, null, t])",
            "array[hstore('k', t)]",
        ],
    },
    Family {
        name: "forms in forms, as text",
        columns: &[
            "to_json(row(b, t, 1)::pair::text)",
            "jsonb_build_object('k', array[row(b, t, 1)::pair]::text)",
            "to_json(hstore('k', t)::text)",
            "hstore('k', json_build_object('j', array[t]::text)::text)",
        ],
    },
];

/// What stays as it is by its type, or by its place in a value.
pub const PASSED: Family = Family {
    name: "passed",
    columns: &[
        "b::text",
        "encode(b, 'base64')",
        "encode(b, 'hex')",
        "array[b]::text",
        "row(b)::text",
        "hstore('k', b::text)::text",
        "left(t, 60)::name",
        "json_object(array[coalesce(t, 'k')], array['v'])",
        "jsonb_build_object(coalesce(t, 'k'), 1)",
        "xmlelement(name x, t)",
        "to_tsvector('simple', t)",
        "sha256(b)",
        "array[]::text[]",
    ],
};

/// What a tag is in, and is no tag there.
pub const TAG_WITHIN: Family = Family {
    name: "a tag within",
    columns: &[
        "row(tag, b)",
        "array[tag, t]",
        "json_build_object(tag, tag, 't', t)",
        "hstore(tag, t)",
        "tag || t",
    ],
};
