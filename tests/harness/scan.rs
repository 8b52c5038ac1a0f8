//! Looks for plaintexts where none may be: in captures, dumps, WAL, logs, metrics.
//!
//! A leak rarely comes as the bytes themselves, so each needle is looked for in the forms that
//! programs print or store bytes in.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

/// Shorter needles are refused: some form of them would turn up by chance.
const MIN_NEEDLE: usize = 8;

/// A needle in a haystack.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of the needles, by its place in the list.
    pub needle: usize,
    /// The form it has there.
    pub form: &'static str,
    /// Where it begins (in base64, up to three characters after).
    pub offset: usize,
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "needle {} in {} at {}",
            self.needle, self.form, self.offset
        )
    }
}

/// Where the needles occur in the haystack, the first place of each form: raw, hex in both cases,
/// base64 in both alphabets and all three alignments, UTF-16 in both orders, as the list of decimals
/// or escapes that Rust's `Debug` makes of bytes, and as PostgreSQL's escapes, in a result and in
/// `COPY`. Empty is what a test hopes for.
pub fn scan<N: AsRef<[u8]>>(haystack: &[u8], needles: &[N]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, needle) in needles.iter().enumerate() {
        for (form, bytes) in forms(needle.as_ref()) {
            if let Some(offset) = memmem::find(haystack, &bytes) {
                findings.push(Finding {
                    needle: index,
                    form,
                    offset,
                });
            }
        }
    }
    findings
}

fn forms(needle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    assert!(
        needle.len() >= MIN_NEEDLE,
        "a needle of {} bytes is too short",
        needle.len()
    );
    let hex = |upper: bool| {
        let pair = |byte: &u8| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        };
        needle.iter().map(pair).collect::<String>().into_bytes()
    };
    let decimals: Vec<String> = needle.iter().map(u8::to_string).collect();
    let mut forms = vec![
        ("raw bytes", needle.to_vec()),
        ("lower-case hex", hex(false)),
        ("upper-case hex", hex(true)),
        (
            "UTF-16, low byte first",
            needle.iter().flat_map(|byte| [*byte, 0]).collect(),
        ),
        (
            "UTF-16, high byte first",
            needle.iter().flat_map(|byte| [0, *byte]).collect(),
        ),
        ("a list of decimals", decimals.join(", ").into_bytes()),
        (
            "a list of decimals without blanks",
            decimals.join(",").into_bytes(),
        ),
    ];
    let escapes = needle.escape_ascii().to_string().into_bytes();
    let octal = octal_escapes(needle);
    let doubled = octal.replace('\\', r"\\");
    for (form, escaped) in [
        ("escapes", escapes),
        ("octal escapes", octal.into_bytes()),
        ("octal escapes, doubled", doubled.into_bytes()),
    ] {
        if escaped != needle {
            forms.push((form, escaped));
        }
    }
    for alignment in 0..3 {
        forms.push(("base64", base64(&STANDARD_NO_PAD, needle, alignment)));
        forms.push(("base64url", base64(&URL_SAFE_NO_PAD, needle, alignment)));
    }
    forms
}

/// As PostgreSQL writes a `bytea` with `bytea_output = escape`.
fn octal_escapes(needle: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'\\' => r"\\".to_owned(),
        0x20..=0x7e => char::from(*byte).to_string(),
        _ => format!(r"\{byte:03o}"),
    };
    needle.iter().map(escape).collect()
}

/// The characters that `needle` alone decides in the base64 of a text in which it stands behind
/// `alignment` (0 to 2) bytes more than a multiple of three.
fn base64(engine: &impl Engine, needle: &[u8], alignment: usize) -> Vec<u8> {
    let aligned = [vec![0; alignment], needle.to_vec()].concat();
    let text = engine.encode(&aligned).into_bytes();
    let first = (alignment * 8).div_ceil(6);
    let end = aligned.len() * 8 / 6;
    text.get(first..end)
        .expect("a needle has more than one character")
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDLE: &str = "canary-?>~-41";

    fn found(haystack: impl AsRef<[u8]>) -> Vec<&'static str> {
        let haystack = [b"before ", haystack.as_ref(), b" after"].concat();
        scan(&haystack, &[NEEDLE])
            .iter()
            .map(|finding| finding.form)
            .collect()
    }

    #[test]
    fn the_needle_itself_is_found_with_its_offset() {
        let findings = scan(
            b"x a needle of no interest",
            &["something else", "a needle of"],
        );
        let expected = Finding {
            needle: 1,
            form: "raw bytes",
            offset: 2,
        };
        assert_eq!(findings, [expected]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert_eq!(found("canary-?>~-42, canary-?>~-4"), [""; 0]);
    }

    #[test]
    fn hex_is_found_in_both_cases() {
        assert_eq!(found("63616e6172792d3f3e7e2d3431"), ["lower-case hex"]);
        assert_eq!(found("63616E6172792D3F3E7E2D3431"), ["upper-case hex"]);
    }

    #[test]
    fn base64_is_found_in_every_alignment_and_alphabet() {
        for before in ["", "x", "xy", "xyz"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = format!("{before}{NEEDLE}{after}");
                assert!(
                    found(STANDARD_NO_PAD.encode(&text)).contains(&"base64"),
                    "{text}"
                );
                assert!(
                    found(URL_SAFE_NO_PAD.encode(&text)).contains(&"base64url"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn utf_16_is_found_in_both_orders() {
        let units = || NEEDLE.encode_utf16();
        let low_first: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let high_first: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        assert!(found(low_first).contains(&"UTF-16, low byte first"));
        assert!(found(high_first).contains(&"UTF-16, high byte first"));
    }

    #[test]
    fn what_debug_prints_is_found() {
        assert_eq!(
            found(format!("{:?}", NEEDLE.as_bytes())),
            ["a list of decimals"]
        );
        let bytes = b"\x00\x01key\xfe\xff\x80\x90";
        let printed = format!("{}", bytes.escape_ascii());
        let forms: Vec<_> = scan(printed.as_bytes(), &[bytes])
            .iter()
            .map(|f| f.form)
            .collect();
        assert_eq!(forms, ["escapes"]);
    }

    #[test]
    fn what_postgresql_prints_is_found() {
        let bytes = b"\x00\x01k\\y\xfe\xff\x80\x90";
        let printed = br"select \000\001k\\y\376\377\200\220";
        let doubled = br"copy: \\000\\001k\\\\y\\376\\377\\200\\220";
        for (printed, expected) in [
            (printed.as_slice(), "octal escapes"),
            (doubled, "octal escapes, doubled"),
        ] {
            let findings = scan(printed, &[bytes]);
            let forms: Vec<_> = findings.iter().map(|f| f.form).collect();
            assert_eq!(forms, [expected]);
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_needle_that_could_turn_up_by_chance_is_refused() {
        scan(b"", &["short"]);
    }
}
