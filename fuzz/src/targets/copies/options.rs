//! Options of a COPY, and statements that say them.

use wire::copy::{Csv, ForceQuote, Form, Options, Text};

use crate::input::Input;

/// Options as PostgreSQL takes them.
pub(in crate::targets) fn any(input: &mut Input<'_>) -> Options {
    let form = match input.below(5) {
        0 => Form::Text(Text {
            delimiter: *input.one_of(b"\t|;A,"),
            null: null(input),
            header: input.any(),
        }),
        1 => {
            let [quote, escape] = **input.one_of(&[b"\"\"", b"\"\\", b"'\"", b"'a", b"b\\"]);
            let names = [b"c1".as_slice().into(), b"c3".as_slice().into()];
            Form::Csv(Csv {
                delimiter: *input.one_of(b",;|\t"),
                quote,
                escape,
                null: null(input),
                header: input.any(),
                force_quote: match input.below(4) {
                    0 => ForceQuote::None,
                    1 => ForceQuote::All,
                    2 => ForceQuote::Names(names.into()),
                    _ => ForceQuote::Columns([true, false, true].into()),
                },
            })
        }
        2 => Form::Binary,
        3 => Form::Text(Text::default()),
        _ => Form::Csv(Csv::default()),
    };
    let encoding = input.once_in(4).then(|| b"UTF8".as_slice().into());
    Options { form, encoding }
}

fn null(input: &mut Input<'_>) -> Box<[u8]> {
    (*input.one_of(&[b"\\N".as_slice(), b"", b"nil"])).into()
}

/// A COPY with these options, in one of the ways there are to write it.
pub(in crate::targets) fn statement(options: &Options, input: &mut Input<'_>) -> Vec<u8> {
    let what = match &options.form {
        // Which columns have the names, the statement says too.
        Form::Csv(Csv {
            force_quote: ForceQuote::Columns(_),
            ..
        }) => "t (c1, \"C1\", C3)",
        _ => *input.one_of(&[
            "t",
            "\"a \"\"b\".\"to\"",
            "(select $$)$$, ';' /* ) */, e'\\')')",
            "(select (1))",
        ]),
    };
    let mut said = Vec::new();
    let mut text = |name: &str, value: &[u8]| {
        let value = value.iter().map(|byte| match byte {
            b'\'' => "''".to_owned(),
            byte => char::from(*byte).to_string(),
        });
        said.push(format!("{name} '{}'", value.collect::<String>()));
    };
    let form = match &options.form {
        Form::Text(it) => {
            text("delimiter", &[it.delimiter]);
            text("null", &it.null);
            if it.header {
                said.push("header".to_owned());
            }
            "text"
        }
        Form::Csv(it) => {
            text("delimiter", &[it.delimiter]);
            text("null", &it.null);
            text("quote", &[it.quote]);
            text("escape", &[it.escape]);
            if it.header {
                said.push("header true".to_owned());
            }
            match &it.force_quote {
                ForceQuote::None => {}
                ForceQuote::All => said.push("force_quote *".to_owned()),
                _ => said.push("force_quote (C1, \"c3\")".to_owned()),
            }
            "csv"
        }
        Form::Binary => "binary",
    };
    if options.encoding.is_some() {
        said.push("encoding 'UTF8'".to_owned());
    }
    said.insert(input.below(said.len() + 1), format!("format {form}"));
    let space = *input.one_of(&[" ", "\n\t", " /* ( ' */ ", " -- )\n"]);
    let words = [
        "copy",
        what,
        "to",
        "stdout",
        &format!("({})", said.join(", ")),
        ";",
    ];
    let mut sql = words.join(space);
    if input.any() {
        sql = sql.replace("copy", "COPY").replace("stdout", "StdOut");
    }
    sql.into_bytes()
}
