use super::*;

/// An engine with the values `a/1` to `a/3` and `b/1`, written as one change.
fn engine(directory: &tempfile::TempDir) -> Sqlite {
    let path = directory.path().join("store.db");
    let values = ["a/1", "a/2", "a/3", "b/1"].map(|name| put(name, "old"));
    Sqlite::create(&path, Duration::from_millis(50), &values).unwrap()
}

fn put(name: &str, value: &str) -> Edit {
    Edit::Put(Named {
        name: name.into(),
        value: value.into(),
    })
}

fn revision(engine: &Sqlite) -> i64 {
    engine.changes(0).unwrap().revision
}

fn condition(name: &str, revision: i64) -> Condition {
    Condition {
        name: name.into(),
        revision,
    }
}

fn value(engine: &Sqlite, name: &str) -> Option<(Vec<u8>, i64)> {
    let found = engine.get(name).unwrap()?;
    Some((found.value, found.revision))
}

#[test]
fn a_connection_syncs_every_commit_wipes_what_it_overwrites_and_trusts_no_schema() {
    let directory = tempfile::tempdir().unwrap();
    let made = engine(&directory);
    let opened = Sqlite::open(made.place(), Duration::from_millis(50)).unwrap();
    for engine in [made, opened] {
        let number = |pragma| {
            engine
                .with(|connection| {
                    connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
                })
                .unwrap()
        };
        let full = 2;
        assert_eq!(number("synchronous"), full);
        assert_eq!(number("secure_delete"), 1);
        assert_eq!(number("trusted_schema"), 0);
        let journal: String = engine
            .with(|connection| {
                connection.pragma_query_value(None, "journal_mode", |row| row.get(0))
            })
            .unwrap();
        assert_eq!(journal, "wal");
    }
}

#[test]
fn a_commit_writes_all_its_values_at_the_next_revision() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(&directory);
    assert_eq!(revision(&engine), 1);
    let conditions = [condition("a/1", 1), condition("c/1", 0)];
    let writes = [put("a/1", "new"), put("c/1", "new")];
    assert_eq!(
        engine.commit(&conditions, &writes).unwrap(),
        Commit::Done(2)
    );
    assert_eq!(revision(&engine), 2);
    assert_eq!(value(&engine, "a/1"), Some((b"new".into(), 2)));
    assert_eq!(value(&engine, "c/1"), Some((b"new".into(), 2)));
    assert_eq!(value(&engine, "a/2"), Some((b"old".into(), 1)));
}

#[test]
fn nothing_is_written_when_a_condition_does_not_hold() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(&directory);
    let writes = [put("c/1", "new"), put("a/2", "new")];
    // A value that was written since, one that must not be there, one that must.
    for broken in [
        condition("a/1", 2),
        condition("a/1", 0),
        condition("c/1", 1),
    ] {
        let conditions = [condition("b/1", 1), broken];
        let commit = engine.commit(&conditions, &writes).unwrap();
        assert_eq!(commit, Commit::Conflict);
        assert_eq!(revision(&engine), 1);
        assert_eq!(value(&engine, "c/1"), None);
        assert_eq!(value(&engine, "a/2"), Some((b"old".into(), 1)));
    }
}

#[test]
fn of_two_writers_that_read_the_same_revision_one_must_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let one = engine(&directory);
    let other = Sqlite::open(one.place(), Duration::from_millis(50)).unwrap();
    let read = [condition("a/1", one.get("a/1").unwrap().unwrap().revision)];
    assert_eq!(
        one.commit(&read, &[put("a/1", "one")]).unwrap(),
        Commit::Done(2)
    );
    let late = other.commit(&read, &[put("a/1", "other")]).unwrap();
    assert_eq!(late, Commit::Conflict);
    assert_eq!(value(&other, "a/1"), Some((b"one".into(), 2)));
}

#[test]
fn a_scan_keeps_to_its_prefix_its_start_and_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(&directory);
    let names = |after, limit| -> Vec<String> {
        let found = engine.scan("a/", after, limit).unwrap();
        found.into_iter().map(|found| found.name).collect()
    };
    assert_eq!(names(None, 10), ["a/1", "a/2", "a/3"]);
    assert_eq!(names(None, 2), ["a/1", "a/2"]);
    assert_eq!(names(Some("a/2"), 2), ["a/3"]);
    assert!(names(Some("a/3"), 2).is_empty());
    assert!(names(None, 0).is_empty());
}

#[test]
fn names_written_after_a_revision_are_told_and_an_older_file_tells_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(&directory);
    let changes = |since| engine.changes(since).unwrap();
    assert_eq!(changes(1).names, Some(Vec::new()));
    engine
        .commit(&[], &[put("a/2", "new"), put("c/1", "new")])
        .unwrap();
    engine.commit(&[], &[put("a/2", "newer")]).unwrap();
    assert_eq!(changes(1).names, Some(vec!["c/1".into(), "a/2".into()]));
    assert_eq!(changes(2).names, Some(vec!["a/2".into()]));
    assert_eq!(changes(3).names, Some(Vec::new()));
    assert_eq!((changes(4).names, changes(4).revision), (None, 3));
    assert_eq!(changes(0).names, None);
}

#[test]
fn a_removed_value_is_gone_from_the_file_and_its_log_once_they_are_purged() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(&directory);
    let secret = "a value that nobody is to find again";
    engine.commit(&[], &[put("a/9", secret)]).unwrap();
    let found = || {
        fs::read_dir(directory.path()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            memchr_in(&bytes, secret.as_bytes())
        })
    };
    assert!(found());
    engine.commit(&[], &[Edit::Remove("a/9".into())]).unwrap();
    assert!(engine.get("a/9").unwrap().is_none());
    assert!(found(), "the log still has it");
    engine.purge().unwrap();
    assert!(!found());
}

fn memchr_in(bytes: &[u8], sought: &[u8]) -> bool {
    bytes.windows(sought.len()).any(|window| window == sought)
}

#[test]
fn a_file_that_was_replaced_is_not_taken_for_the_one_that_was_opened() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(&directory);
    engine.check_place().unwrap();
    fs::rename(engine.place(), directory.path().join("moved.db")).unwrap();
    assert!(matches!(engine.check_place(), Err(Error::Replaced { .. })));
    fs::write(engine.place(), "").unwrap();
    assert!(matches!(engine.check_place(), Err(Error::Replaced { .. })));
}
