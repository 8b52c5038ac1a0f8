//! COPY that is not what its statement says, or ends where it should not: it passes to the application
//! as it came, and what of it is held is bounded.

use envelope::armor;
use harness::Keys;
use harness::raw::message;
use memchr::memmem;

use super::values::in_utf8;
use crate::scripted::{Script, Stand};

/// More than the server may hold of a row, and than it may take of memory.
const ENDLESS: usize = 40 << 20;

/// How a binary COPY begins: signature, flags, and the length of what else is in its header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A COPY, in the pieces that its data comes in.
struct Copy {
    name: &'static str,
    options: &'static str,
    pieces: Vec<Vec<u8>>,
    /// What the database says behind them.
    end: Vec<u8>,
    /// A value opens in it.
    opens: bool,
}

impl Copy {
    fn new(name: &'static str, options: &'static str, data: &[&[u8]]) -> Self {
        let done = [
            message::copy_done(),
            message::tagged(b'C', b"COPY 1\0"),
            message::tagged(b'Z', b"I"),
        ];
        Self {
            name,
            options,
            pieces: vec![data.concat()],
            end: done.concat(),
            opens: false,
        }
    }

    fn opens(self) -> Self {
        Self {
            opens: true,
            ..self
        }
    }

    /// In pieces of so many bytes.
    fn in_pieces(self, length: usize) -> Self {
        let data = self.pieces.concat();
        let pieces = data.chunks(length).map(<[u8]>::to_vec).collect();
        Self { pieces, ..self }
    }

    /// With an error before it is done.
    fn fails(self) -> Self {
        let end = [
            message::tagged(b'E', b"SERROR\0VERROR\0C57014\0Mcanceled\0\0"),
            message::tagged(b'Z', b"I"),
        ];
        let end = end.concat();
        Self { end, ..self }
    }

    /// Cut off: the database is gone.
    fn cut_off(self) -> Self {
        Self {
            end: Vec::new(),
            ..self
        }
    }

    fn breaks_off(&self) -> bool {
        self.end.is_empty()
    }

    fn statement(&self) -> String {
        format!("copy t to stdout {}", self.options)
    }

    fn script(&self) -> Script {
        let format = u8::from(self.options.contains("binary"));
        let begin = message::tagged(b'H', &[format, 0, 2, 0, format, 0, format]);
        let data = self.pieces.iter().map(|piece| message::copy_data(piece));
        let data = data.collect::<Vec<_>>().concat();
        let says = [in_utf8(), begin, data, self.end.clone()].concat();
        Script::new(self.name, &says).then_closes()
    }
}

fn copies(sealed: &[u8]) -> Vec<Copy> {
    let armored = armor(sealed);
    let armored = armored.as_bytes();
    let (csv, binary) = ("(format csv)", "(format binary)");
    let whole = [&u32::try_from(sealed.len()).unwrap().to_be_bytes(), sealed].concat();
    let count = |count: i16| count.to_be_bytes();
    // A row of two fields, up to its second.
    let row = [&count(2)[..], &[0, 0, 0, 1, b'1']].concat();
    let endless = || vec![b'x'; ENDLESS];
    vec![
        Copy::new(
            "a quote without an end",
            csv,
            &[b"1,\"", armored, b"\n2,x\n3,y\n"],
        ),
        Copy::new("a quote that fails", csv, &[b"1,\"", armored, b"\n"]).fails(),
        Copy::new("half a row", "", &[b"1\t", armored]),
        Copy::new("half a row, and an error", "", &[b"1\t", armored]).fails(),
        Copy::new("half a row, and no more", "", &[b"1\t", armored]).cut_off(),
        Copy::new("half a CSV row", csv, &[b"1,", armored]).cut_off(),
        Copy::new("an escape at the end", "", &[b"1\t", armored, b"\\"]),
        Copy::new("a binary COPY without a header", binary, &[&row, &whole]),
        Copy::new(
            "a binary COPY with a header that goes on",
            binary,
            &[&HEADER[..15], &[0x7f, 0xff, 0xff, 0xff], &row, &whole],
        ),
        Copy::new(
            "half a binary row",
            binary,
            &[HEADER, &count(2), &whole, &[0, 0]],
        ),
        Copy::new("a row of -2 fields", binary, &[HEADER, &count(-2), &whole]),
        Copy::new(
            "a field of -2 bytes",
            binary,
            &[
                HEADER,
                &count(2),
                &[0xff, 0xff, 0xff, 0xfe],
                &whole,
                &count(-1),
            ],
        ),
        Copy::new(
            "a field of 2 GB",
            binary,
            &[HEADER, &row, &[0x7f, 0xff, 0xff, 0xff], sealed],
        ),
        Copy::new(
            "more behind the end",
            binary,
            &[HEADER, &count(-1), &row, &whole],
        ),
        Copy::new("a row without an end", "", &[armored, &endless()]).in_pieces(60_000),
        Copy::new(
            "a quoted row without an end",
            csv,
            &[b"\"", armored, &endless()],
        )
        .in_pieces(60_000),
        Copy::new(
            "a binary field without an end",
            binary,
            &[HEADER, &row, &[0x7f, 0xff, 0xff, 0xff], sealed, &endless()],
        )
        .in_pieces(60_000),
        Copy::new("rows byte by byte", "", &[b"1\t", armored, b"\n"])
            .in_pieces(1)
            .opens(),
        Copy::new("CSV byte by byte", csv, &[b"\"1\",", armored, b"\n"])
            .in_pieces(1)
            .opens(),
        Copy::new(
            "binary byte by byte",
            binary,
            &[HEADER, &row, &whole, &count(-1)],
        )
        .in_pieces(1)
        .opens(),
        Copy::new(
            "rows behind one that was too long",
            "",
            &[armored, &vec![b'x'; 3 << 20], b"\n1\t", armored, b"\n"],
        )
        .in_pieces(60_000)
        .opens(),
    ]
}

#[test]
fn a_copy_that_is_none_passes_as_it_came() {
    let keys = Keys::new();
    let sealed = keys.add_client("app").seal(b"opened").unwrap();
    let copies = copies(&sealed);
    let scripts: Vec<_> = copies.iter().map(Copy::script).collect();
    let lines = ["max_open_row = '1MiB'", "open_memory = '3MiB'"];
    let stand = Stand::with_keys(keys, scripts.clone(), &lines);
    for (copy, script) in copies.iter().zip(&scripts) {
        let heard = stand.ask_and_leave_with(copy.name, &copy.statement());
        let name = copy.name;
        if copy.breaks_off() {
            // A row whose end never came may be kept back.
            assert!(script.says().starts_with(&heard), "{name}");
            continue;
        }
        let passed = heard == script.says();
        let seen = || heard[..heard.len().min(600)].escape_ascii();
        assert_eq!(passed, !copy.opens, "{name}: {}", seen());
        let opened = memmem::find(&heard, b"opened").is_some();
        assert_eq!(opened, copy.opens, "{name}: {}", seen());
    }
    stand.ends_unharmed();
}
