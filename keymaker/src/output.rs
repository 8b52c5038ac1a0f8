//! Answers: one JSON document, or text for people in aligned columns; and notes beside them.

use std::io::Write;

use serde::Serialize;

use crate::Error;

/// Where a command writes its answer, and in which form.
pub struct Output<'a> {
    out: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    json: bool,
}

/// One line of a list.
pub trait Line: Serialize {
    /// The titles of its columns.
    const COLUMNS: &'static [&'static str];

    /// What stands in its columns.
    fn cells(&self) -> Vec<String>;
}

impl<'a> Output<'a> {
    pub fn new(out: &'a mut dyn Write, notes: &'a mut dyn Write, json: bool) -> Self {
        Output { out, notes, json }
    }

    /// Tells something that is no part of the answer: a warning, progress.
    ///
    /// That it cannot be told is no reason to break off.
    pub fn note(&mut self, line: &str) {
        let _ = writeln!(self.notes, "pgseal-keymaker: {line}");
    }

    /// Asks; the answer is read elsewhere.
    pub fn ask(&mut self, question: &str) -> Result<(), Error> {
        write!(self.notes, "{question} ")?;
        Ok(self.notes.flush()?)
    }

    /// Writes lines that are JSON already, or are no JSON whatever was asked for.
    pub fn line(&mut self, line: &str) -> Result<(), Error> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Writes `value` as JSON, or `text`.
    pub fn answer(&mut self, value: &impl Serialize, text: &Text) -> Result<(), Error> {
        if self.json {
            return self.json(value);
        }
        Ok(self.out.write_all(text.0.as_bytes())?)
    }

    /// Writes `value` as JSON, on one line.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        Ok(writeln!(self.out, "{}", json(value))?)
    }

    /// Writes a list page by page, so that a long one needs no more memory than a page.
    ///
    /// `page` is given the last record of the page before; an empty page is the end.
    pub fn list<L, T>(
        &mut self,
        mut page: impl FnMut(Option<&T>) -> Result<Vec<T>, keystore::Error>,
    ) -> Result<(), Error>
    where
        L: Line + for<'t> From<&'t T>,
    {
        let mut records = page(None)?;
        let mut table = Table::new(L::COLUMNS);
        if self.json {
            write!(self.out, "[")?;
        }
        let mut separator = "\n";
        while let Some(last) = records.last() {
            let lines: Vec<L> = records.iter().map(L::from).collect();
            if self.json {
                for line in &lines {
                    write!(self.out, "{separator}{}", json(line))?;
                    separator = ",\n";
                }
            } else {
                let rows = lines.iter().map(L::cells).collect();
                self.out.write_all(table.page(rows).as_bytes())?;
            }
            records = page(Some(last))?;
        }
        if self.json {
            writeln!(self.out, "\n]")?;
        }
        Ok(())
    }
}

/// Text for people, put together line by line.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Names and values, the values aligned.
    pub fn fields(mut self, fields: &[(&str, String)]) -> Self {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            self.0 += &format!("{name:width$}  {value}\n");
        }
        self
    }

    /// A line as it is.
    pub fn line(mut self, line: &str) -> Self {
        self.0 += line;
        self.0.push('\n');
        self
    }

    /// A table.
    pub fn table<L: Line>(mut self, lines: &[L]) -> Self {
        self.0 += &Table::new(L::COLUMNS).page(lines.iter().map(L::cells).collect());
        self
    }
}

/// Columns that are as wide as the widest cell so far.
struct Table {
    widths: Vec<usize>,
    titles: Option<Vec<String>>,
}

impl Table {
    fn new(columns: &[&str]) -> Self {
        Table {
            widths: vec![0; columns.len()],
            titles: Some(columns.iter().map(|&title| title.into()).collect()),
        }
    }

    /// The rows of one page; the first begins with the titles.
    fn page(&mut self, rows: Vec<Vec<String>>) -> String {
        let rows: Vec<_> = self.titles.take().into_iter().chain(rows).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let line = |row: Vec<String>| {
            let cells = row.iter().zip(&self.widths);
            let line: String = cells
                .map(|(cell, &width)| format!("{cell:width$}  "))
                .collect();
            format!("{}\n", line.trim_end())
        };
        rows.into_iter().map(line).collect()
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an answer is made of text and numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Word(String);

    impl From<&&str> for Word {
        fn from(word: &&str) -> Self {
            Word((*word).into())
        }
    }

    impl Line for Word {
        const COLUMNS: &'static [&'static str] = &["WORD", "LENGTH"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.clone(), self.0.len().to_string()]
        }
    }

    /// Lists words two to a page.
    fn listed(words: &[&'static str], json: bool) -> String {
        let mut out = Vec::new();
        let page = |last: Option<&&str>| {
            let after = last.map_or(0, |last| {
                1 + words.iter().position(|word| word == last).unwrap()
            });
            Ok(words[after..].iter().take(2).copied().collect())
        };
        let mut notes = Vec::new();
        Output::new(&mut out, &mut notes, json)
            .list::<Word, _>(page)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_list_of_several_pages_has_its_titles_once_and_every_record() {
        let text = listed(&["a", "bc", "def", "long word", "e"], false);
        assert_eq!(
            text,
            "WORD  LENGTH\na     1\nbc    2\n\
             def        3\nlong word  9\ne          1\n"
        );
        let json = listed(&["a", "bc", "def", "long word", "e"], true);
        let words: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(words, ["a", "bc", "def", "long word", "e"]);
    }

    #[test]
    fn an_empty_list_is_no_text_and_an_empty_array() {
        assert_eq!(listed(&[], false), "");
        assert_eq!(listed(&[], true), "[\n]\n");
    }
}
