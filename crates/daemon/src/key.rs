//! One row for each configuration key: the flags, the environment variables and the reference in
//! the documentation are all made from it.

/// What a key's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; periods and sizes too.
    Text,
    /// `true` or `false`.
    Bool,
    /// Several texts: a list in the file, commas in a flag or variable.
    List,
}

/// A configuration key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file, dots for tables: `tls.certificate`.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// What the value stands for, in capitals: `ADDRESS`.
    pub value: &'static str,
    /// What holds when it is not set; empty where it must be.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub help: &'static str,
}

impl Key {
    /// The key as a long flag, without the dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// The key as an environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("PGSEAL_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// The keys as a table for the documentation, in Markdown.
#[must_use]
pub fn reference(keys: &[Key]) -> String {
    let mut text = String::from(
        "| key | flag | environment variable | default | what it does |\n|---|---|---|---|---|\n",
    );
    for key in keys {
        let default = match key.default {
            "" => "must be set".to_owned(),
            default => format!("`{default}`"),
        };
        text.push_str(&format!(
            "| `{}` | `--{} {}` | `{}` | {default} | {} |\n",
            key.name,
            key.flag(),
            key.value,
            key.variable(),
            key.help.replace('|', "\\|"),
        ));
    }
    text
}
