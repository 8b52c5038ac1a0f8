use proptest::prelude::*;

use super::*;

fn csv() -> Csv {
    Csv::default()
}

/// The only COPY to the application in `sql`; `None` where it cannot be read.
#[track_caller]
fn only(sql: &str) -> Option<Options> {
    let mut copies = Copies::of(sql.as_bytes(), true);
    assert_eq!(copies.0.len(), 1, "{sql}");
    copies.pop().map(Arc::unwrap_or_clone)
}

#[track_caller]
fn says(sql: &str, form: Form) {
    let encoding = None;
    assert_eq!(only(sql), Some(Options { form, encoding }), "{sql}");
}

fn names(names: &[&str]) -> ForceQuote {
    ForceQuote::Names(names.iter().map(|name| name.as_bytes().into()).collect())
}

#[test]
fn every_way_to_name_what_is_copied_leads_to_the_options() {
    for what in [
        "t",
        "s.t",
        "db.\"a \"\"b\".t",
        "\"to\"",
        "t (a, \"b)\", c)",
        "(select ')', 1)",
        "(select (1), ';' /* ) /* ; */ */ -- )\n from t)",
        "(select $$)$$, $a$ $b$ ) $a$)",
        "(select e'\\')', u&'\\0041', n'x)')",
        "(insert into t values (1) returning *)",
    ] {
        says(
            &format!("copy {what} to stdout"),
            Form::Text(Text::default()),
        );
        says(
            &format!("COPY {what} TO stdin;"),
            Form::Text(Text::default()),
        );
        says(
            &format!("/* a */ Copy {what} To StdOut With (Format Csv) ; select 1"),
            Form::Csv(csv()),
        );
    }
    says("copy binary t to stdout", Form::Binary);
}

#[test]
fn options_in_parentheses_are_read() {
    let text = Text {
        delimiter: b'|',
        null: (*b"").into(),
        header: true,
    };
    says(
        "copy t to stdout with (delimiter '|', null '', header)",
        Form::Text(text.clone()),
    );
    says(
        "copy t to stdout (format 'text', delimiter e'\\x7c', null $$$$, header on, freeze off)",
        Form::Text(text),
    );
    says("copy t to stdout (format binary)", Form::Binary);
    let full = Csv {
        delimiter: b';',
        quote: b'\'',
        escape: b'\\',
        null: (*b"NULL").into(),
        header: true,
        force_quote: ForceQuote::All,
    };
    says(
        "copy t to stdout (format \"csv\", delimiter ';', quote '''', escape '\\', null 'NULL', \
         header true, force_quote *, force_null (a))",
        Form::Csv(full),
    );
    for (header, is) in [
        ("false", false),
        ("off", false),
        ("0", false),
        ("'TRUE'", true),
        ("1", true),
    ] {
        let expected = Csv {
            header: is,
            ..csv()
        };
        says(
            &format!("copy t to stdout (header {header}, format csv)"),
            Form::Csv(expected),
        );
    }
    // The escape is the quote where nothing else is said.
    let expected = Csv {
        quote: b'|',
        escape: b'|',
        ..csv()
    };
    says(
        "copy t to stdout (format csv, quote '|')",
        Form::Csv(expected),
    );
}

#[test]
fn options_as_they_were_before_parentheses_are_read() {
    let full = Csv {
        delimiter: b';',
        quote: b'\'',
        escape: b'\\',
        null: (*b"N").into(),
        header: true,
        force_quote: names(&["a", "B c"]),
    };
    says(
        "copy t to stdout with csv header quote as '''' escape '\\' delimiter ';' null as 'N' \
         force quote a, \"B c\"",
        Form::Csv(full),
    );
    let all = Csv {
        force_quote: ForceQuote::All,
        ..csv()
    };
    says("copy t to stdout csv force quote *", Form::Csv(all));
    says("copy t to stdout binary", Form::Binary);
    let text = Text {
        delimiter: b'|',
        ..Text::default()
    };
    says("copy t to stdout delimiter '|'", Form::Text(text.clone()));
    says(
        "copy t to stdout using delimiters '|'",
        Form::Text(text.clone()),
    );
    says(
        "copy t to stdout delimiters '|' with null '\\N'",
        Form::Text(text),
    );
}

#[test]
fn quoted_columns_are_known_by_a_list_of_columns() {
    let expected = Csv {
        force_quote: ForceQuote::Columns([false, true, false, true].into()),
        ..csv()
    };
    says(
        "copy t (a, B, c, \"D\") to stdout (format csv, force_quote (\"D\", b))",
        Form::Csv(expected),
    );
    let expected = Csv {
        force_quote: names(&["d", "b"]),
        ..csv()
    };
    says(
        "copy t to stdout (format csv, force_quote (d, b))",
        Form::Csv(expected),
    );
}

#[test]
fn an_encoding_is_told() {
    let options = only("copy t to stdout (encoding 'LATIN1')").unwrap();
    assert_eq!(options.encoding.as_deref(), Some(&b"LATIN1"[..]));
    let options = only("copy t to stdout encoding 'LATIN1'").unwrap();
    assert_eq!(options.encoding.as_deref(), Some(&b"LATIN1"[..]));
}

#[test]
fn of_several_statements_those_that_copy_to_the_application_are_found_in_order() {
    let sql = "select 'copy x to stdout;'; copy a to stdout; copy b from stdin; -- copy c to stdout\n\
               copy d to '/tmp/d' csv; copy (select 1;) to program 'x'; ;\
               create rule r as on insert to t do also (select 1; select 2); COPY e TO STDOUT CSV;\
               copy f to stdout (format parquet); copy g to stdout (format binary)";
    let mut copies = Copies::of(sql.as_bytes(), true);
    let text = Form::Text(Text::default());
    assert_eq!(copies.0.len(), 4);
    assert_eq!(copies.pop().unwrap().form, text);
    assert_eq!(copies.pop().unwrap().form, Form::Csv(csv()));
    assert_eq!(copies.pop(), None);
    assert_eq!(copies.pop().unwrap().form, Form::Binary);
    assert_eq!(copies.pop(), None, "there is no other");
}

#[test]
fn what_is_no_copy_to_the_application_is_none() {
    for sql in [
        "",
        ";",
        "select 1",
        "select copy from t",
        "copy",
        "copy t",
        "copy t from stdin",
        "copy t to 'file'",
        "copy t to program 'cat'",
        "/* copy t to stdout",
        "'copy t to stdout",
        "$a$ copy t to stdout",
        "explain copy t to stdout",
        "copy t (a to stdout",
        "copy (select 1 to stdout",
        "copyt to stdout",
    ] {
        assert!(Copies::of(sql.as_bytes(), true).is_empty(), "{sql}");
    }
}

#[test]
fn options_that_cannot_be_read_are_not_known() {
    for options in [
        "(format json)",
        "(format csv, delimiter ';;')",
        "(delimiter 'é')",
        "(delimiter u&'\\0009')",
        "(delimiter e'\\u0009')",
        "(header match)",
        "(some_day 'x')",
        "(format csv",
        "(format csv) x",
        "(format csv, )",
        "csv quote",
        "csv later 'x'",
        "delimiter 5",
    ] {
        assert_eq!(
            only(&format!("copy t to stdout {options}")),
            None,
            "{options}"
        );
    }
}

#[test]
fn a_backslash_escapes_in_plain_strings_where_the_session_says_so() {
    let sql = br"select '\'; copy a to stdout; --'; copy b to stdout (format csv, quote '\'')";
    let mut standard = Copies::of(sql, true);
    assert_eq!(standard.0.len(), 1);
    assert_eq!(standard.pop().unwrap().form, Form::Text(Text::default()));
    let expected = Csv {
        quote: b'\'',
        escape: b'\'',
        ..csv()
    };
    let mut escaping = Copies::of(sql, false);
    assert_eq!(escaping.0.len(), 1);
    assert_eq!(escaping.pop().unwrap().form, Form::Csv(expected));
}

#[test]
fn strings_go_on_in_the_line_below() {
    let sql = "copy t to stdout (null 'a'\n  'b')";
    let Some(Options {
        form: Form::Text(text),
        ..
    }) = only(sql)
    else {
        panic!("{sql}");
    };
    assert_eq!(&*text.null, b"ab");
    assert_eq!(only("copy t to stdout (null 'a' 'b')"), None);
}

#[test]
fn statements_that_are_too_long_are_not_read() {
    let padding = " ".repeat(MAX_STATEMENT - "copy t to stdout".len());
    let sql = format!("copy t to stdout{padding}");
    assert_eq!(Copies::of(sql.as_bytes(), true).0.len(), 1);
    assert!(Copies::of(format!("{sql} ").as_bytes(), true).is_empty());
}

proptest! {
    #[test]
    fn arbitrary_sql_never_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "copy ", "t ", "to ", "stdout ", "(", ")", ",", ";", "'", "\"", "$a$", "$$", "$1 ", "/*", "*/",
            "--", "\n", "\\", "e'", "u&'", "format ", "csv ", "delimiter ", "null ", "as ", "force ",
            "quote ", "*", "with ", "'x' ", ".", "é", "1 ", "binary ", "header ",
        ]), 0..40),
        conforming in any::<bool>(),
    ) {
        let sql = format!("copy {}", words.concat());
        prop_assert!(Copies::of(sql.as_bytes(), conforming).0.len() <= words.len() + 1);
    }
}
