use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::engine::{Changes, Commit, Condition, Edit, Found, Listed};
use crate::sqlite::Sqlite;
use crate::store::{BUSY_TIMEOUT, Store};

/// An engine under which a change of master keys ends just before a key that is handed over is read.
struct Racing {
    engine: Sqlite,
    directory: PathBuf,
    reads: AtomicUsize,
}

/// The master key in the file of this name.
fn key(directory: &Path, name: &str) -> MasterKey {
    MasterKey::from_file(&directory.join(name)).unwrap()
}

fn rotate(directory: &Path, progress: impl FnMut(u64)) {
    let store = Store::open(directory.join("store.db"), key(directory, "old")).unwrap();
    let new = key(directory, "new");
    store.by("a test").rotate_master(&new, progress).unwrap();
}

impl Engine for Racing {
    fn place(&self) -> &Path {
        self.engine.place()
    }

    fn get(&self, name: &str) -> Result<Option<Found>, Error> {
        if name.starts_with(RecordName::MASTERS) && self.reads.fetch_add(1, Ordering::Relaxed) == 0
        {
            rotate(&self.directory, |_| {});
        }
        self.engine.get(name)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, Error> {
        self.engine.scan(prefix, after, limit)
    }

    fn commit(&self, conditions: &[Condition], edits: &[Edit]) -> Result<Commit, Error> {
        self.engine.commit(conditions, edits)
    }

    fn changes(&self, since: i64) -> Result<Changes, Error> {
        self.engine.changes(since)
    }

    fn read_all(&self, each: &mut dyn FnMut(Listed) -> Result<(), Error>) -> Result<i64, Error> {
        self.engine.read_all(each)
    }

    fn purge(&self) -> Result<(), Error> {
        self.engine.purge()
    }
}

#[test]
fn a_change_of_master_keys_that_ends_while_a_store_is_opened_is_not_taken_for_an_altered_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    for name in ["old", "new"] {
        let made = MasterKey::generate().unwrap();
        made.write_new(&directory.path().join(name)).unwrap();
    }
    Store::create(path.as_path(), key(directory.path(), "old"), "a test").unwrap();
    let breaks_off = catch_unwind(AssertUnwindSafe(|| {
        rotate(directory.path(), |_| panic!("as if it was killed"));
    }));
    assert!(breaks_off.is_err());

    let racing = Racing {
        engine: Sqlite::open(&path, BUSY_TIMEOUT).unwrap(),
        directory: directory.path().into(),
        reads: AtomicUsize::new(0),
    };
    let given = Arc::new(key(directory.path(), "new"));
    let ring = Ring::load(&racing, std::slice::from_ref(&given)).unwrap();
    assert_eq!(
        racing.reads.load(Ordering::Relaxed),
        1,
        "it was not in time"
    );
    assert!(ring.previous.is_none() && ring.current.id() == given.id());
}
