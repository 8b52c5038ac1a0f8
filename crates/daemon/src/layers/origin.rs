//! Where the values of a configuration came from.

/// What a value was written in. A key that is set nowhere has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The configuration file.
    File,
    /// The command line or the environment: it stays for as long as the process runs.
    Process,
}

/// Where one key's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub(super) name: String,
    /// What it was written in.
    pub source: Source,
    /// The flag, the variable, or the file and its line.
    pub place: String,
}

/// Where the values of all keys that are set came from.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// Where this key's value came from; `None` where its default holds.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Origin> {
        self.0.iter().find(|origin| origin.name == name)
    }

    /// Notes where a value came from, in the place of where it came from before.
    pub(super) fn note(&mut self, name: &str, source: Source, place: String) {
        self.0.retain(|origin| origin.name != name);
        self.0.push(Origin {
            name: name.to_owned(),
            source,
            place,
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Origin> {
        self.0.iter()
    }
}
