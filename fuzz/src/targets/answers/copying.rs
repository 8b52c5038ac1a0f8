//! COPY to the application: in a message for each row, or cut anywhere.

use control::OnRefused;
use pgseal_server::fuzzing::VALUE;
use wire::copy::{Form, Options};
use wire::description::Format;

use super::script::{Fate, Script, message};
use crate::input::Input;
use crate::targets::content::{Content, Text};
use crate::targets::copies::{Sheet, options, statement};

/// The data of one.
struct Copied {
    options: Options,
    columns: u16,
    /// Its rows.
    contents: Vec<Vec<Content>>,
    text: Text,
    /// It is known how its rows are written.
    is_read: bool,
}

impl Script {
    /// In the extended protocol.
    pub fn prepared_copy(&mut self, input: &mut Input<'_>) {
        let mut sql = Vec::new();
        self.pass(b'1', b"");
        self.pass(b'2', b"");
        self.statements.remove("c");
        self.portals.remove("");
        self.copy_out(&mut sql, input);
        self.ask(b'P', &[b"c\0", sql.as_slice(), b"\0\0\0"].concat());
        self.ask(b'B', b"\0c\0\0\0\0\0\0\0");
        self.ask(b'E', b"\0\0\0\0\0");
        self.ask(b'S', b"");
        self.ready(*input.one_of(b"ITE"));
    }

    /// A COPY whose statement goes behind `sql`.
    pub fn copy_out(&mut self, sql: &mut Vec<u8>, input: &mut Input<'_>) {
        let options = options(input);
        let columns = 1 + input.below(3) as u16;
        // Of one that is not known nothing is.
        let is_known = !input.once_in(8) && names_no_columns(&options);
        match is_known {
            true => sql.extend(statement(&options, input)),
            false => sql.extend(b"copy t to stdout (some_day);"),
        }
        let format = match options.form {
            Form::Binary => Format::Binary,
            _ => Format::Text,
        };
        let code = u8::from(format == Format::Binary);
        let mut response = vec![code];
        response.extend(columns.to_be_bytes());
        response.extend([0, code].repeat(columns.into()));
        self.pass(b'H', &response);

        let text = match (&options.encoding, format) {
            (Some(_), Format::Text) if is_known => Text::Utf8,
            _ => self.text,
        };
        let is_read = format == Format::Binary || is_known && text != Text::Halves;
        let count = 1 + input.below(3);
        let row = |_| {
            let content = |_| self.content(0, format, 1, input);
            (0..columns).map(content).collect::<Vec<_>>()
        };
        let copy = Copied {
            contents: (0..count).map(row).collect(),
            options,
            columns,
            text,
            is_read,
        };
        self.data(&copy, input);
        self.pass(b'c', b"");
        self.pass(b'C', b"COPY 3\0");
    }

    fn data(&mut self, copy: &Copied, input: &mut Input<'_>) {
        let Copied {
            options,
            columns,
            contents,
            text,
            is_read,
        } = copy;
        let (columns, text, is_read) = (*columns, *text, *is_read);
        let stored = |row: &Vec<Content>| row.iter().map(Content::stored).collect::<Vec<_>>();
        let came: Vec<_> = contents.iter().map(stored).collect();
        let came = written(options, columns, &came);
        // Up to the first row that is refused.
        let (mut opened, mut refused) = (Vec::new(), None);
        for row in contents {
            match self.opened(row, text) {
                Ok(fields) => opened.push(fields),
                Err(why) => {
                    refused = Some(why);
                    break;
                }
            }
        }
        let mut leaves = written(options, columns, &opened);
        if refused.is_some() {
            leaves.truncate(1 + opened.len());
        }
        if !self.opens() {
            (leaves, refused) = (came.clone(), None);
        }
        if self.is_cut && is_read {
            let (came, leaves) = (came.concat(), leaves.concat());
            let mut pieces = Vec::new();
            for piece in crate::input::pieces(&came, &input.cuts(came.len())) {
                if !piece.is_empty() {
                    pieces.extend(message(b'd', piece));
                }
            }
            let leaves = match leaves.is_empty() {
                true => leaves,
                false => message(b'd', &leaves),
            };
            return self.raw(&pieces, &leaves, refused);
        }
        let stays = self.live.on_refused == OnRefused::Ciphertext || !self.opens();
        for (index, came) in came.iter().enumerate() {
            // Before the rows stands what is none.
            let row = index.checked_sub(1).and_then(|index| contents.get(index));
            let seems_sealed = row.is_some_and(|row| row.iter().any(Content::has_value));
            let fate = match leaves.get(index) {
                _ if self.is_too_long(came.len()) => self.too_long(),
                _ if !is_read && !stays && seems_sealed => Fate::Refused(&VALUE),
                _ if !is_read => Fate::Same,
                None => refused.map_or(Fate::Same, Fate::Refused),
                Some(leaves) => Fate::Becomes(leaves.clone()),
            };
            if !came.is_empty() {
                self.row(b'd', came, fate);
            }
        }
    }
}

/// Names of columns that are forced are nothing without a header.
fn names_no_columns(options: &Options) -> bool {
    match &options.form {
        Form::Csv(csv) => matches!(
            csv.force_quote,
            wire::copy::ForceQuote::None | wire::copy::ForceQuote::All
        ),
        _ => true,
    }
}

/// What stands before rows, each row, and what stands behind them.
fn written(options: &Options, columns: u16, rows: &[Vec<Option<Vec<u8>>>]) -> Vec<Vec<u8>> {
    let mut sheet = Sheet::without_rows(options.clone(), columns);
    let behind = match options.form {
        Form::Binary => 2,
        _ => 0,
    };
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut done = 0;
    let mut written = sheet.written();
    for row in rows.iter().map(Some).chain([None]) {
        let end = written.len() - behind;
        parts.push(written[done..end].to_vec());
        done = end;
        if let Some(row) = row {
            sheet.push(row.clone());
            written = sheet.written();
        }
    }
    parts.push(written[done..].to_vec());
    parts
}
