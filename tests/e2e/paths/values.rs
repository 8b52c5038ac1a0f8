//! What is in the tables: plaintexts that need every escape, and the ways to put one into a field;
//! and values that look sealed, or are and may not be opened.

use envelope::{Batch, Recipient, armor};

/// Plaintexts that are text.
const TEXTS: [&str; 28] = [
    "",
    "4000 0012 3456 7899",
    "x",
    "NULL",
    "null",
    r"\N",
    r"\.",
    r"\x6162",
    r"back\slash \\ \",
    r#"say "hi""#,
    "it's, (a) {b} [c]",
    "a;b'c''d",
    "line\nfeed\r\nand\rreturn",
    "tab\tvertical\u{b}feed\u{c}",
    "control \u{1}\u{8}\u{1b}\u{1f}\u{7f}",
    " leading",
    "trailing ",
    " ",
    "\t",
    "Grüße, 世界 🂡",
    "{",
    "}",
    ",",
    "(",
    "\"",
    "\\",
    r#"{"json": ["in", 'it'], "n": 1e5}"#,
    "pgs1. begins like armor \u{e0}",
];

/// What stands before and after an embedded envelope. No form that a value may be nested in begins
/// like it.
const BEFORE: &str = "a, \"b\" \\ (c) {d}\n";
const AFTER: &str = " 'e' \\\"f\"\t}),;";

/// Plaintexts that are text, and those that are not.
fn plaintexts() -> Vec<Vec<u8>> {
    let texts = TEXTS.iter().map(|text| text.as_bytes().to_vec());
    let others = [
        vec![b'y'; 3000],
        (0..=255).collect(),
        b"\xf5pgs\x01\x01\0\0 begins like an envelope".to_vec(),
    ];
    texts.chain(others).collect()
}

/// The fields of one row that may hold a sealed value: a `bytea`, and a text where it can be one.
#[derive(Default)]
pub struct Cells {
    pub bytes: Option<Vec<u8>>,
    pub text: Option<String>,
}

impl Cells {
    fn of(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes.clone())
            .ok()
            .filter(|text| !text.contains('\0'));
        let bytes = Some(bytes);
        Self { bytes, text }
    }
}

/// A row as it is stored, and as it would be had nothing been sealed.
pub struct Row {
    /// The tag in a column before the others, if there is one.
    pub tag: String,
    /// It holds a value sealed to a zone.
    pub zoned: bool,
    pub sealed: Cells,
    pub clear: Cells,
}

/// Ways to put a value into a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Placement {
    Client,
    ZoneByColumn,
    ZoneInField,
    Embedded,
    Several,
}

impl Placement {
    const ALL: [Self; 5] = [
        Self::Client,
        Self::ZoneByColumn,
        Self::ZoneInField,
        Self::Embedded,
        Self::Several,
    ];

    fn is_zoned(self) -> bool {
        matches!(self, Self::ZoneByColumn | Self::ZoneInField)
    }
}

/// Every plaintext in every placement, a NULL, and values that were never sealed.
pub fn rows(client: &Recipient, zone: &Recipient) -> Vec<Row> {
    let (mut by_client, mut by_zone) = (client.batch().unwrap(), zone.batch().unwrap());
    let mut rows = Vec::new();
    for clear in plaintexts() {
        for placement in Placement::ALL {
            let batch = match placement.is_zoned() {
                true => &mut by_zone,
                false => &mut by_client,
            };
            let is_tag = placement == Placement::ZoneByColumn;
            let clear_text = Cells::of(clear.clone()).text.is_some();
            let bytes = placed(placement, zone, &clear, batch, <[u8]>::to_vec);
            let text = placed(placement, zone, &clear, batch, |sealed| {
                armor(sealed).into()
            });
            let sealed = Cells {
                bytes: Some(bytes.0),
                text: clear_text.then(|| String::from_utf8(text.0).unwrap()),
            };
            rows.push(Row {
                tag: if is_tag { zone.owner().id() } else { "" }.to_owned(),
                zoned: placement.is_zoned(),
                sealed,
                clear: Cells::of(bytes.1),
            });
        }
    }
    // One of them alone, not of a batch.
    let alone = client.seal(b"alone").unwrap();
    rows.push(plain(
        Cells {
            text: Some(armor(&alone)),
            bytes: Some(alone),
        },
        Cells::of(b"alone".to_vec()),
    ));
    rows.push(plain(Cells::default(), Cells::default()));
    for never in ["", "never sealed", BEFORE] {
        let cells = || Cells::of(never.as_bytes().to_vec());
        rows.push(plain(cells(), cells()));
    }
    rows
}

fn plain(sealed: Cells, clear: Cells) -> Row {
    Row {
        tag: String::new(),
        zoned: false,
        sealed,
        clear,
    }
}

/// A field with the value sealed in it, in this form, and with the value itself.
fn placed(
    placement: Placement,
    zone: &Recipient,
    clear: &[u8],
    batch: &mut Batch,
    form: impl Fn(&[u8]) -> Vec<u8>,
) -> (Vec<u8>, Vec<u8>) {
    let mut sealed = || form(&batch.seal(clear).unwrap());
    let tag = format!("[{}]", zone.owner().id()).into_bytes();
    let (before, after) = (BEFORE.as_bytes(), AFTER.as_bytes());
    match placement {
        Placement::Client | Placement::ZoneByColumn => (sealed(), clear.to_vec()),
        Placement::ZoneInField => ([tag, sealed()].concat(), clear.to_vec()),
        Placement::Embedded => (
            [before, &sealed(), after].concat(),
            [before, clear, after].concat(),
        ),
        Placement::Several => (
            [&sealed()[..], b", ", &sealed()].concat(),
            [clear, b", ", clear].concat(),
        ),
    }
}

/// A value that stays as it is.
pub struct LookAlike {
    pub cells: Cells,
    /// It is an envelope, and is refused; otherwise it only looks like one.
    pub refused: bool,
}

/// What only looks sealed, and what may not be opened by client `app`: `strangers` are keys that it
/// has no part in, or that the store does not know; `zone` is not tagged.
pub fn look_alikes(
    client: &Recipient,
    zone: &Recipient,
    strangers: &[Recipient],
) -> Vec<LookAlike> {
    let whole = client.seal(br#"say "hi", \"#).unwrap();
    let with = |place: usize, byte: u8| {
        let mut changed = whole.clone();
        changed[place] = byte;
        changed
    };
    let (armored, last) = (armor(&whole), whole.len() - 1);
    let look = |bytes: Vec<u8>, text: &str| LookAlike {
        cells: Cells {
            bytes: Some(bytes),
            text: Some(text.to_owned()),
        },
        refused: false,
    };
    let mut found = vec![
        look(whole[..last].to_vec(), &armored[..armored.len() - 1]),
        look(whole[..20].to_vec(), "pgs1."),
        look(with(0, 0xf4), &armored.replace("pgs1.", "pgs2.")),
        look(with(4, 2), &armored.replace("pgs1.9XBncwE", "pgs1.9XBncwI")),
        look(with(16, 0xff), &armored.replace("pgs1.", "pgs1.=")),
        look(b"\xf5pgs\x01".repeat(20), &"pgs1.9XBncwEB".repeat(9)),
    ];
    let mut refused = |envelope: &[u8]| {
        found.push(LookAlike {
            cells: Cells {
                bytes: Some(envelope.to_vec()),
                text: Some(armor(envelope)),
            },
            refused: true,
        });
        let text = [BEFORE, &armor(envelope), AFTER].concat();
        let bytes = [BEFORE.as_bytes(), envelope, AFTER.as_bytes()].concat();
        found.push(LookAlike {
            cells: Cells {
                bytes: Some(bytes),
                text: Some(text),
            },
            refused: true,
        });
    };
    refused(&with(5, 2));
    refused(&with(6, 1));
    refused(&with(last, whole[last] ^ 1));
    refused(&zone.seal(b"untagged").unwrap());
    for stranger in strangers {
        refused(&stranger.seal(b"a stranger's").unwrap());
    }
    for cells in [
        Cells::default(),
        Cells::of(Vec::new()),
        Cells::of(br#"clear, "\"#.to_vec()),
    ] {
        found.push(LookAlike {
            cells,
            refused: false,
        });
    }
    found
}
