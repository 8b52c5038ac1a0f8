use proptest::prelude::*;

use super::*;
use crate::copy::{Csv, ForceQuote, Form, Text};

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
        "\u{100}",
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
fn what_bears_on_reading_alone_changes_nothing() {
    for sql in ["copy t to stdout freeze", "copy t to stdout (freeze off)"] {
        says(sql, Form::Text(Text::default()));
    }
}

#[test]
fn a_string_with_unicode_is_read_where_it_has_no_escapes() {
    let text = Text {
        delimiter: b';',
        ..Text::default()
    };
    says("copy t to stdout delimiter u&';'", Form::Text(text));
    assert_eq!(only("copy t to stdout null u&'\\003b'"), None);
}

#[test]
fn a_parameter_begins_no_string() {
    says("select $1$1; copy t to stdout", Form::Text(Text::default()));
}

#[test]
fn a_prepared_statements_only_copy_is_there_as_often_as_it_is_executed() {
    let copies = Copies::of(b"copy t to stdout csv", true);
    for _ in 0..2 {
        assert_eq!(
            copies.first().map(|it| it.form.clone()),
            Some(Form::Csv(csv()))
        );
    }
    assert_eq!(Copies::default().first(), None);
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
               create rule r as on insert to t do also (select 1; copy x to stdout); COPY e TO STDOUT CSV;\
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
fn behind_a_copy_that_is_not_understood_no_other_takes_its_place() {
    for sql in [
        "copy a to stdout; copy u&\"b\" uescape '!' to stdout; copy c to stdout (format csv)",
        "copy a to stdout; copy b!x to stdout; copy c to stdout (format csv)",
        "copy a to stdout; copy b to nowhere; copy c to stdout (format csv)",
    ] {
        let mut copies = Copies::of(sql.as_bytes(), true);
        assert!(copies.pop().is_some(), "{sql}");
        assert_eq!(copies.pop(), None, "{sql}");
        assert_eq!(copies.pop(), None, "{sql}");
    }
}

#[test]
fn copies_that_are_remembered_of_one_message_are_bounded() {
    let sql = "copy t to stdout;".repeat(MAX_COPIES + 1);
    assert_eq!(Copies::of(sql.as_bytes(), true).0.len(), MAX_COPIES);
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
