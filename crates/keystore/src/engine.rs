//! What a store asks of the engine below it: named values, changed by compare-and-set.
//!
//! An engine knows nothing of keys: names and values are opaque to it, and what a value is worth is
//! decided by its seal, above. Engines are made and opened in their own modules.

use std::path::Path;

use crate::Error;

/// The longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 1 << 20;
/// The most values that one scan returns.
pub(crate) const MAX_PAGE: usize = 1000;
/// The most conditions, and the most edits, of one commit (etcd's `max-txn-ops` is 128).
pub(crate) const MAX_COMMIT: usize = 120;

/// Holds named values; shared by threads, and what it holds by processes.
pub(crate) trait Engine: Send + Sync {
    /// Where the values are, for people: a file's path, or an address.
    fn place(&self) -> &Path;

    /// The value of this name.
    fn get(&self, name: &str) -> Result<Option<Found>, Error>;

    /// The values whose names begin with `prefix` and follow `after`, sorted by name (bytewise); at
    /// most `limit`, and at most [`MAX_PAGE`].
    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, Error>;

    /// Makes all edits as one change if every condition holds, and none if not. At most
    /// [`MAX_COMMIT`] of each.
    fn commit(&self, conditions: &[Condition], edits: &[Edit]) -> Result<Commit, Error>;

    /// What has changed after this revision; 0 asks for the present revision alone. An error if
    /// what is at the place is not what was opened there, or cannot be asked.
    fn changes(&self, since: i64) -> Result<Changes, Error>;

    /// Calls `each` with every value, in the order of their names (bytewise), all as they were at
    /// one revision, which it answers.
    fn read_all(&self, each: &mut dyn FnMut(Listed) -> Result<(), Error>) -> Result<i64, Error>;

    /// Has removed and overwritten values leave the medium, as far as the engine can see to it.
    fn purge(&self) -> Result<(), Error>;
}

/// What follows all names that begin with `prefix`. Names are ASCII, without control characters.
pub(crate) fn end_of(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    match end.pop() {
        Some(last) => end.extend((last..).nth(1)),
        None => end.push('\u{7f}'),
    }
    end
}

/// A value, and when it was last written.
pub(crate) struct Found {
    pub value: Vec<u8>,
    pub revision: i64,
}

/// A named value to be written. It is never empty.
pub(crate) struct Named {
    pub name: String,
    pub value: Vec<u8>,
}

/// A named value that was found.
pub(crate) struct Listed {
    pub name: String,
    pub value: Vec<u8>,
    pub revision: i64,
}

/// One edit of a commit.
pub(crate) enum Edit {
    /// Writes a value, over one of its name.
    Put(Named),
    /// Removes the value of this name, if there is one.
    Remove(String),
}

impl Edit {
    /// The name whose value is written or removed.
    pub fn name(&self) -> &str {
        match self {
            Edit::Put(Named { name, .. }) | Edit::Remove(name) => name,
        }
    }
}

/// What a commit depends on: that a value is of this revision; 0 that there is none.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub name: String,
    pub revision: i64,
}

/// What became of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// All was done, and this is the revision it made.
    Done(i64),
    /// Nothing was: a condition does not hold.
    Conflict,
}

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The present revision.
    pub revision: i64,
    /// The names written or removed; `None` when they are too many to tell, or not known.
    pub names: Option<Vec<String>>,
}

#[cfg(test)]
pub(crate) mod conformance;
