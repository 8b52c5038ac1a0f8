//! What every engine must do alike: random commands, given to two of them, get the same answers.
//!
//! Revisions are each engine's own, so they are compared by the commit that made them.

use proptest::prelude::*;

use super::{Commit, Condition, Edit, Engine, Named};

/// The names that commands are about.
const NAMES: [&str; 7] = ["a/1", "a/2", "a/3/x", "a0", "ab/1", "b/1", "header"];
/// The prefixes that are scanned.
const PREFIXES: [&str; 6] = ["", "a", "a/", "a/1", "ab/", "c/"];

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Get(usize),
    Scan {
        prefix: usize,
        after: Option<usize>,
        limit: usize,
    },
    Commit {
        conditions: Vec<(usize, Expected)>,
        /// A name, and what becomes its value: nothing if it is removed.
        edits: Vec<(usize, Option<u8>)>,
    },
    /// After the commit of this number, counted from the last one back.
    Changes(usize),
    ReadAll,
}

/// What a condition says of a name's revision.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    Absent,
    AsItIs,
    /// That of the commit of this number, counted from the last one back.
    Commit(usize),
}

/// An engine, and what its revisions mean.
struct Subject<'a> {
    engine: &'a dyn Engine,
    /// The revision that each commit made, the first one at its making.
    revisions: Vec<i64>,
}

pub(crate) fn commands() -> impl Strategy<Value = Vec<Command>> {
    let name = 0..NAMES.len();
    let expected = prop_oneof![
        2 => Just(Expected::Absent),
        4 => Just(Expected::AsItIs),
        1 => (0..3_usize).prop_map(Expected::Commit),
    ];
    let value = prop_oneof![1 => Just(None), 3 => any::<u8>().prop_map(Some)];
    let commit = (
        prop::collection::vec((name.clone(), expected), 0..4),
        prop::collection::vec((name.clone(), value), 0..5),
    );
    let command = prop_oneof![
        2 => name.clone().prop_map(Command::Get),
        2 => (0..PREFIXES.len(), prop::option::of(name), 0..5_usize)
            .prop_map(|(prefix, after, limit)| Command::Scan { prefix, after, limit }),
        5 => commit.prop_map(|(conditions, edits)| Command::Commit { conditions, edits }),
        2 => (0..6_usize).prop_map(Command::Changes),
        1 => Just(Command::ReadAll),
    ];
    prop::collection::vec(command, 1..25)
}

/// Gives the same commands to both, which hold nothing yet, and compares the answers.
pub(crate) fn compare(one: &dyn Engine, other: &dyn Engine, commands: &[Command]) {
    let mut subjects = [one, other].map(|engine| Subject {
        revisions: vec![engine.changes(0).unwrap().revision],
        engine,
    });
    // Some engines tell of a removal only if there was something to remove.
    let everything_there = Command::Commit {
        conditions: Vec::new(),
        edits: (0..NAMES.len()).map(|name| (name, Some(0))).collect(),
    };
    for command in std::iter::once(&everything_there).chain(commands) {
        let [one, other] = subjects.each_mut().map(|subject| subject.obey(command));
        assert_eq!(one, other, "{command:?}");
    }
    let everything = Command::Scan {
        prefix: 0,
        after: None,
        limit: 100,
    };
    let [one, other] = subjects.each_mut().map(|subject| subject.obey(&everything));
    assert_eq!(one, other);
}

impl Subject<'_> {
    /// The answer in words that do not depend on the engine.
    fn obey(&mut self, command: &Command) -> String {
        match command {
            Command::Get(name) => format!("{:?}", self.get(NAMES[*name])),
            Command::Scan {
                prefix,
                after,
                limit,
            } => {
                let prefix = PREFIXES[*prefix];
                let after = after.map(|name| NAMES[name]);
                let found = self.engine.scan(prefix, after, *limit).unwrap();
                let found = found
                    .into_iter()
                    .map(|one| (one.name, one.value, self.made_by(one.revision)));
                format!("{:?}", found.collect::<Vec<_>>())
            }
            Command::ReadAll => {
                let mut all = Vec::new();
                let mut each = |one: super::Listed| {
                    all.push((one.name, one.value, one.revision));
                    Ok(())
                };
                let revision = self.engine.read_all(&mut each).unwrap();
                let all = all
                    .into_iter()
                    .map(|(name, value, made)| (name, value, self.made_by(made)));
                format!("{:?} {:?}", all.collect::<Vec<_>>(), self.made_by(revision))
            }
            Command::Commit { conditions, edits } => self.commit(conditions, edits),
            Command::Changes(back) => {
                let since = self.back(*back);
                let changes = self.engine.changes(since).unwrap();
                // Removed names may be told or not.
                let mut names = changes.names.expect("few, and not long ago");
                names.retain(|name| self.get(name).is_some());
                names.sort_unstable();
                format!("{:?} {names:?}", self.made_by(changes.revision))
            }
        }
    }

    fn commit(
        &mut self,
        conditions: &[(usize, Expected)],
        edits: &[(usize, Option<u8>)],
    ) -> String {
        let conditions = conditions.iter().map(|(name, expected)| Condition {
            name: NAMES[*name].into(),
            revision: match expected {
                Expected::Absent => 0,
                Expected::AsItIs => self
                    .engine
                    .get(NAMES[*name])
                    .unwrap()
                    .map_or(0, |found| found.revision),
                Expected::Commit(back) => self.back(*back),
            },
        });
        let edits = edits.iter().map(|(name, value)| match value {
            Some(value) => Edit::Put(Named {
                name: NAMES[*name].into(),
                value: vec![*value; usize::from(*value) + 1],
            }),
            None => Edit::Remove(NAMES[*name].into()),
        });
        let (conditions, edits): (Vec<_>, Vec<_>) = (conditions.collect(), edits.collect());
        match self.engine.commit(&conditions, &edits).unwrap() {
            Commit::Conflict => "conflict".into(),
            Commit::Done(revision) => {
                assert!(revision > *self.revisions.last().unwrap());
                self.revisions.push(revision);
                "done".into()
            }
        }
    }

    fn get(&self, name: &str) -> Option<(Vec<u8>, Option<usize>)> {
        let found = self.engine.get(name).unwrap()?;
        Some((found.value, self.made_by(found.revision)))
    }

    fn back(&self, number: usize) -> i64 {
        let last = self.revisions.len() - 1;
        self.revisions[last.saturating_sub(number)]
    }

    /// The number of the commit that made a revision.
    fn made_by(&self, revision: i64) -> Option<usize> {
        self.revisions.iter().position(|made| *made == revision)
    }
}
