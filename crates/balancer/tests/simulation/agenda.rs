//! What happens when: by time, and of what happens at one time by what was planned first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) struct Agenda<T> {
    entries: BTreeMap<Reverse<(Duration, u64)>, T>,
    planned: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            planned: 0,
        }
    }

    pub(crate) fn plan(&mut self, when: Duration, what: T) {
        self.planned += 1;
        self.entries.insert(Reverse((when, self.planned)), what);
    }

    /// What is next, unless that is later than `until`.
    pub(crate) fn next(&mut self, until: Duration) -> Option<(Duration, T)> {
        let next = self.entries.last_entry()?;
        let Reverse((when, _)) = *next.key();
        (when <= until).then(|| (when, next.remove()))
    }
}
