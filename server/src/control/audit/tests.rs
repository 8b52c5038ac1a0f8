use super::*;
use keystore::{MasterKey, NewZone, Permitted};

/// More entries than are read at once.
const ZONES: usize = 2 * STRETCH;

/// A store whose log has an entry for itself, one for client `app` and one for each zone.
fn store() -> (tempfile::TempDir, Store) {
    store_with(ZONES)
}

fn store_with(zones: usize) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let master = MasterKey::generate().unwrap();
    let store = Store::create(dir.path().join("store.db"), master, "a test").unwrap();
    let app = "app".parse().unwrap();
    store.by("alice").add_client(&app, true, None).unwrap();
    let ids: Vec<_> = (1..=zones)
        .map(|it| format!("tenant-{it:04}").parse().unwrap())
        .collect();
    let clients = Permitted::Only([app].into());
    store
        .by("bob")
        .import_zones(&ids, &clients, |_| Ok(()))
        .unwrap();
    let one = NewZone {
        id: Some("the-last-one".parse().unwrap()),
        clients: Permitted::All,
        creator: None,
    };
    store.by("alice").add_zone(&one).unwrap();
    (dir, store)
}

fn numbers(read: &Read) -> Vec<u64> {
    read.entries.iter().map(|entry| entry.number).collect()
}

/// All that is found, page by page, what is wrong, and how many pages that took.
fn all_and_faults(store: &Store, mut query: AuditQuery) -> (Vec<u64>, Vec<String>, usize) {
    let (mut found, mut faults, mut pages) = (Vec::new(), Vec::new(), 0);
    loop {
        let (_, page) = read(store, &query).unwrap();
        found.extend(numbers(&page));
        pages += 1;
        let next = page.next;
        faults.extend(page.faults);
        let Some(next) = next else {
            return (found, faults, pages);
        };
        match &mut query {
            AuditQuery {
                after: Some(after), ..
            } => *after = next,
            AuditQuery { before, .. } => *before = Some(next),
        }
    }
}

/// The same of a log with which nothing is wrong.
fn all(store: &Store, query: AuditQuery) -> (Vec<u64>, usize) {
    let (found, faults, pages) = all_and_faults(store, query);
    assert_eq!(faults, [""; 0]);
    (found, pages)
}

/// Checks from an entry on to the log's end. Answers where that is, and what is wrong.
fn check_all(store: &Store, mut from: Anchor) -> (AuditMark, Vec<String>) {
    let mut all = Vec::new();
    loop {
        let (to, head, faults) = check(store, from).unwrap();
        all.extend(faults);
        if to.number >= head.number {
            return (to, all);
        }
        from = anchor(to.number, &to.hash);
    }
}

fn anchor(number: u64, hash: &str) -> Anchor {
    let hash = hash.to_owned();
    Anchor { number, hash }
}

fn beginning() -> Anchor {
    anchor(0, &"0".repeat(64))
}

#[test]
fn pages_hold_every_entry_once_from_either_end() {
    let (_dir, store) = store();
    let last = ZONES as u64 + 3;
    let limit = Some(90);
    let forwards = all(
        &store,
        AuditQuery {
            after: Some(0),
            limit,
            ..AuditQuery::default()
        },
    );
    assert_eq!(forwards.0, (1..=last).collect::<Vec<_>>());
    let backwards = all(
        &store,
        AuditQuery {
            limit,
            ..AuditQuery::default()
        },
    );
    assert_eq!(backwards.0, (1..=last).rev().collect::<Vec<_>>());
    assert!(forwards.1 >= 6 && backwards.1 >= 6);
    let some = AuditQuery {
        before: Some(4),
        ..AuditQuery::default()
    };
    assert_eq!(all(&store, some).0, [3, 2, 1]);
    let none = AuditQuery {
        before: Some(0),
        ..AuditQuery::default()
    };
    assert_eq!(all(&store, none).0, [0; 0]);
    let beyond = AuditQuery {
        after: Some(u64::MAX),
        ..AuditQuery::default()
    };
    assert_eq!(all(&store, beyond).0, [0; 0]);
    let (_dir, short) = store_with(2);
    assert_eq!(all(&short, AuditQuery::default()).0, [5, 4, 3, 2, 1]);
    let some = AuditQuery {
        before: Some(4),
        ..AuditQuery::default()
    };
    assert_eq!(all(&short, some).0, [3, 2, 1]);
}

#[test]
fn entries_are_found_by_who_what_about_what_and_when() {
    let (_dir, store) = store();
    let last = ZONES as u64 + 3;
    let found = |query: AuditQuery| all(&store, query).0;
    let some = |text: &str| Some(text.to_owned());
    let query = AuditQuery::default;
    assert_eq!(
        found(AuditQuery {
            by: some("alice"),
            ..query()
        }),
        [last, 2]
    );
    assert_eq!(
        found(AuditQuery {
            event: some("client-added"),
            ..query()
        }),
        [2]
    );
    assert_eq!(
        found(AuditQuery {
            event: some("client"),
            ..query()
        }),
        [0; 0]
    );
    for about in ["tenant-0007", "zone/tenant-0007"] {
        assert_eq!(
            found(AuditQuery {
                about: some(about),
                ..query()
            }),
            [9],
            "{about}"
        );
    }
    assert_eq!(
        found(AuditQuery {
            about: some("enant-0007"),
            ..query()
        }),
        [0; 0]
    );
    // Whoever is on a zone's list, too.
    let app = AuditQuery {
        about: some("app"),
        ..query()
    };
    assert_eq!(found(app).len(), ZONES + 1);
    let both = AuditQuery {
        about: some("app"),
        by: some("alice"),
        ..query()
    };
    assert_eq!(found(both), [2]);
    let at = store.audit(0, 1).unwrap()[0].at.seconds();
    assert_eq!(
        found(AuditQuery {
            until: Some(at),
            ..query()
        }),
        [0; 0]
    );
    assert_eq!(
        found(AuditQuery {
            since: Some(at + 3600),
            ..query()
        }),
        [0; 0]
    );
    assert_eq!(
        found(AuditQuery {
            since: Some(at),
            until: Some(at + 3600),
            ..query()
        })
        .len(),
        ZONES + 3
    );
}

#[test]
fn a_log_is_verified_from_where_it_was_before_and_one_that_is_another_is_told_of() {
    let (_dir, store) = store();
    let last = ZONES as u64 + 3;
    let (to, faults) = check_all(&store, beginning());
    assert_eq!((to.number, faults), (last, Vec::new()));
    let seen = anchor(to.number, &to.hash);
    assert_eq!(check_all(&store, seen.clone()), (to, Vec::new()));
    let late = "late".parse().unwrap();
    store.by("carol").add_client(&late, false, None).unwrap();
    let (to, faults) = check_all(&store, seen);
    assert_eq!((to.number, faults), (last + 1, Vec::new()));
    // A log that was put back, and one that was written anew.
    for seen in [
        anchor(last + 2, &to.hash),
        anchor(last + 1, &"1".repeat(64)),
    ] {
        let number = seen.number;
        let says = format!("audit entry {number} is not there any more as it was seen before");
        assert_eq!(check_all(&store, seen).1, [says]);
    }
    let says = "audit entry 6 does not follow the one before it";
    assert_eq!(check_all(&store, anchor(5, &"1".repeat(64))).1, [says]);
}

#[test]
fn entries_that_were_removed_are_told_of_wherever_the_log_is_read() {
    let (dir, store) = store();
    let file = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
    let remove = |number: u64| {
        let sql = format!("UPDATE record SET value = x'' WHERE name = 'audit/{number:020}'");
        assert_eq!(file.execute(&sql, []).unwrap(), 1);
    };
    remove(100);
    let removed = "audit entry 100 was removed";
    assert_eq!(check_all(&store, beginning()).1, [removed]);
    let (after, by) = (Some(0), Some("nobody".to_owned()));
    for query in [
        AuditQuery::default(),
        AuditQuery {
            after,
            ..AuditQuery::default()
        },
        AuditQuery {
            by,
            ..AuditQuery::default()
        },
    ] {
        assert_eq!(
            all_and_faults(&store, query.clone()).1,
            [removed],
            "{query:?}"
        );
    }
    let last = ZONES as u64 + 3;
    remove(last);
    let (to, faults) = check_all(&store, beginning());
    assert_eq!(to.number, last);
    let missing = format!("audit entries {last} to {last} were removed");
    assert_eq!(faults, [removed.to_owned(), missing.clone()]);
    assert_eq!(
        all_and_faults(&store, AuditQuery::default()).1,
        [missing, removed.to_owned()]
    );
}

#[test]
fn an_entry_that_was_edited_is_told_of_and_those_behind_it_are_read() {
    let (dir, store) = store();
    let file = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
    let sql = "UPDATE record SET value = randomblob(99) WHERE name LIKE 'audit/%0100'";
    assert_eq!(file.execute(sql, []).unwrap(), 1);
    let last = ZONES as u64 + 3;
    let is_told = |faults: &[String]| {
        let edited =
            |it: &String| it.contains("/00000000000000000100 ") && it.contains("was altered");
        assert!(faults.iter().any(edited), "{faults:?}");
    };
    let (to, faults) = check_all(&store, beginning());
    assert_eq!(to.number, last);
    is_told(&faults);
    for after in [None, Some(0)] {
        let query = AuditQuery {
            after,
            ..AuditQuery::default()
        };
        let (found, faults, _) = all_and_faults(&store, query);
        assert_eq!(found.len() as u64, last - 1);
        is_told(&faults);
    }
}
