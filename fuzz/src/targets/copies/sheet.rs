//! A table, and how COPY writes it: after `copyto.c`.

use std::sync::Arc;

use wire::copy::{Csv, ForceQuote, Form, Options, Rows, Text};

use crate::input::Input;

/// A field's value; `None` is NULL.
pub(super) type Value = Option<Vec<u8>>;

/// In text a value can be spelled as NULL is, and then is NULL.
pub(super) fn ambiguous(options: &Options, values: &[Value]) -> bool {
    match &options.form {
        Form::Text(text) => values.iter().flatten().any(|value| {
            let mut written = Vec::new();
            write_text(Some(value), text, &mut written);
            written == *text.null
        }),
        Form::Csv(_) | Form::Binary => false,
    }
}

/// A table, and how it is written.
pub(in crate::targets) struct Sheet {
    options: Options,
    columns: u16,
    /// Its values.
    pub(super) rows: Vec<Vec<Value>>,
    /// Which of them are in quotes without need.
    forced: Vec<Vec<bool>>,
}

impl Sheet {
    /// Any table of a COPY with these options.
    pub(super) fn new(options: Options, columns: u16, input: &mut Input<'_>) -> Self {
        let mut sheet = Self::without_rows(options, columns);
        for _ in 0..input.below(4) {
            let values = (0..columns).map(|_| sheet.value(input)).collect();
            sheet.push(values);
        }
        sheet
    }

    /// The table that has no rows yet.
    pub(in crate::targets) fn without_rows(options: Options, columns: u16) -> Self {
        Self {
            options,
            columns,
            rows: Vec::new(),
            forced: Vec::new(),
        }
    }

    /// Another row.
    pub(in crate::targets) fn push(&mut self, row: Vec<Value>) {
        let forced = |index| match &self.options.form {
            Form::Csv(csv) => match csv.force_quote {
                ForceQuote::None => false,
                ForceQuote::All => true,
                // The first and the third, in either way of saying it.
                ForceQuote::Columns(_) | ForceQuote::Names(_) => index == 0 || index == 2,
            },
            Form::Text(_) | Form::Binary => false,
        };
        self.forced.push((0..row.len()).map(forced).collect());
        self.rows.push(row);
    }

    fn value(&self, input: &mut Input<'_>) -> Value {
        let value = match input.below(5) {
            0 => return None,
            1 => b"\\.".to_vec(),
            2 => b"\"'\\,;|\t\r\n\x08\x0c\x0b.Nab"[input.below(9)..].to_vec(),
            _ => input.bytes(12).to_vec(),
        };
        // A value that is written as NULL cannot be told from it.
        (!ambiguous(&self.options, &[Some(value.clone())])).then_some(value)
    }

    /// Its values, and others in the place of some.
    pub(super) fn edited(&self, input: &mut Input<'_>) -> Vec<Vec<Value>> {
        let mut rows = self.rows.clone();
        for value in rows.iter_mut().flatten() {
            if input.any() {
                *value = self.value(input);
            }
        }
        rows
    }

    /// The same table with these values. Where it is not known which columns the statement names, a field is
    /// in quotes if the one before it was.
    pub(super) fn edit(&mut self, rows: Vec<Vec<Value>>) {
        if let Form::Csv(csv) = &self.options.form
            && matches!(csv.force_quote, ForceQuote::Names(_))
            && !csv.header
        {
            for (forced, row) in self.forced.iter_mut().zip(&self.rows) {
                for (forced, value) in forced.iter_mut().zip(row) {
                    *forced = is_quoted(value.as_deref(), csv, *forced, self.columns);
                }
            }
        }
        self.rows = rows;
    }

    /// What is to read it.
    pub(super) fn copied(&self) -> Rows {
        Rows::new(Arc::new(self.options.clone()), self.columns)
    }

    /// As PostgreSQL writes it.
    pub(in crate::targets) fn written(&self) -> Vec<u8> {
        let names = (1..=self.columns).map(|at| Some(format!("c{at}").into_bytes()));
        let names = names.collect::<Vec<_>>();
        let mut out = Vec::new();
        match &self.options.form {
            Form::Text(text) => {
                let header = text.header.then_some(&names);
                for row in header.into_iter().chain(&self.rows) {
                    for (index, value) in row.iter().enumerate() {
                        out.extend((index > 0).then_some(text.delimiter));
                        write_text(value.as_deref(), text, &mut out);
                    }
                    out.push(b'\n');
                }
            }
            Form::Csv(csv) => {
                if csv.header {
                    self.write_csv(&names, csv, &[false; 4], &mut out);
                }
                for (row, forced) in self.rows.iter().zip(&self.forced) {
                    self.write_csv(row, csv, forced, &mut out);
                }
            }
            Form::Binary => {
                out.extend(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x03ext");
                for row in &self.rows {
                    out.extend(self.columns.to_be_bytes());
                    for value in row {
                        let length = value.as_ref().map_or(-1, |value| value.len() as i32);
                        out.extend(length.to_be_bytes());
                        out.extend(value.iter().flatten());
                    }
                }
                out.extend([0xff, 0xff]);
            }
        }
        out
    }

    fn write_csv(&self, row: &[Value], csv: &Csv, forced: &[bool], out: &mut Vec<u8>) {
        for (index, (value, forced)) in row.iter().zip(forced).enumerate() {
            out.extend((index > 0).then_some(csv.delimiter));
            let written = value.as_deref().unwrap_or(&csv.null);
            if !is_quoted(value.as_deref(), csv, *forced, self.columns) {
                out.extend(written);
                continue;
            }
            out.push(csv.quote);
            for byte in written {
                out.extend([csv.quote, csv.escape].contains(byte).then_some(csv.escape));
                out.push(*byte);
            }
            out.push(csv.quote);
        }
        out.push(b'\n');
    }
}

/// Whether a field is in quotes, because the statement asks for it or because it needs them.
fn is_quoted(value: Option<&[u8]>, csv: &Csv, forced: bool, columns: u16) -> bool {
    value.is_some_and(|value| {
        let special = [csv.delimiter, csv.quote, b'\n', b'\r'];
        let alone = columns == 1 && value == b"\\.";
        forced || alone || *value == *csv.null || value.iter().any(|it| special.contains(it))
    })
}

fn write_text(value: Option<&[u8]>, text: &Text, out: &mut Vec<u8>) {
    let Some(value) = value else {
        return out.extend(&text.null);
    };
    for &byte in value {
        match b"\x08\x0c\n\r\t\x0b".iter().position(|it| *it == byte) {
            Some(at) => out.extend([b'\\', b"bfnrtv"[at]]),
            None if byte == b'\\' || byte == text.delimiter => out.extend([b'\\', byte]),
            None => out.push(byte),
        }
    }
}
