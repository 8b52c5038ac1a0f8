//! Copies and moves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use pgseal_keystore::{Event, Purpose};

use super::*;

#[test]
fn values_are_the_same_after_a_way_through_etcd_and_back() {
    let stand = Stand::new();
    let (first, middle, last) = (stand.file("first.db"), etcd(), stand.file("last.db"));
    let store = stand.store(&first);
    let copied = store.copy(&middle, Purpose::Fork, BY, |_| {}).unwrap();
    let between = stand.open(&middle).unwrap();
    assert!(between.is_same_store(&store));
    assert_whole(&between);
    let before = stand.values("first.db");
    assert_eq!(copied.records, before.len() as u64);
    between.copy(&last, Purpose::Fork, BY, |_| {}).unwrap();
    assert_whole(&stand.open(&last).unwrap());
    let after = stand.values("last.db");
    // The second copy has an entry in the log that the first one has not.
    let entries = |values: &BTreeMap<String, Vec<u8>>| {
        let names = values.keys().filter(|name| name.starts_with("audit/"));
        names.count()
    };
    assert_eq!(entries(&after), entries(&before) + 1);
    for (name, value) in before.iter().filter(|(name, _)| *name != "audit") {
        assert_eq!(after.get(name), Some(value), "{name}");
    }
    assert_eq!(after.len(), before.len() + 1);
}

#[test]
fn a_store_that_moves_while_it_is_written_loses_nothing_and_then_takes_nothing() {
    const WRITERS: usize = 3;
    /// So many changes are made at once; those behind them come slowly enough for any copy.
    const AT_ONCE: usize = 100;
    for (from, to) in [(0, 1), (1, 0)] {
        let stand = Stand::new();
        let places = [stand.file("store.db"), etcd()];
        let (from, to) = (&places[from], &places[to]);
        let store = stand.store(from);
        let copying = AtomicBool::new(false);
        let next = AtomicUsize::new(0);
        // Adds zones and destroys every other one, until the store has moved.
        let write = || {
            let store = stand.open(from).unwrap();
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > AT_ONCE {
                    thread::sleep(Duration::from_millis(20));
                }
                let id = format!("moving-{number}");
                let written = add_zone(&store, &id).and_then(|()| {
                    if number.is_multiple_of(2) {
                        return Ok(false);
                    }
                    let author = store.by(BY);
                    author.order_destruction(&zone(&id), Duration::ZERO)?;
                    Ok(true)
                });
                match written {
                    Ok(ordered) => done.push((id, ordered)),
                    Err(Error::Moved { to: place, .. }) => {
                        assert_eq!(place, to.address.to_string());
                        assert!(copying.load(Ordering::Relaxed));
                        return done;
                    }
                    Err(Error::Contended { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let written = thread::scope(|scope| {
            let writers = [(); WRITERS].map(|()| scope.spawn(write));
            while next.load(Ordering::Relaxed) < 10 {
                thread::yield_now();
            }
            copying.store(true, Ordering::Relaxed);
            store.copy(to, Purpose::Move, BY, |_| {}).unwrap();
            writers.map(|writer| writer.join().unwrap()).concat()
        });
        assert!(written.len() >= 5);
        let moved = stand.open(to).unwrap();
        for (id, ordered) in &written {
            let zone = moved.zone(&zone(id)).unwrap();
            let kept = zone.unwrap().fate == pgseal_keystore::Fate::Kept;
            assert_eq!(kept, !ordered, "{id}");
        }
        assert_whole(&moved);
        assert_eq!(moved.moved_to(), None);
        add_zone(&moved, "after-the-move").unwrap();
        // The old place reads on, and writes no more.
        let old = stand.open(from).unwrap();
        assert_eq!(old.moved_to(), Some(to.address.to_string()));
        assert!(old.zone(&zone("tenant-1")).unwrap().is_some());
        assert!(said(add_zone(&old, "too-late-1")).contains("takes no more changes here"));
        let elsewhere = old.copy(&stand.file("else.db"), Purpose::Move, BY, |_| {});
        assert!(said(elsewhere).contains("has moved to"));
        // Asked for again, it is done already.
        let again = old.copy(to, Purpose::Move, BY, |_| {}).unwrap();
        assert!(again.records > 0);
        assert!(moved.zone(&zone("after-the-move")).unwrap().is_some());
    }
}

#[test]
fn what_is_removed_while_it_is_copied_is_not_in_the_copy() {
    let private = "private/zone/tenant-1/0000000001";
    // While everything is copied, and while everything is compared once more.
    for pass in [1, 2] {
        let stand = Stand::new();
        let store = stand.store(&stand.file("store.db"));
        assert!(stand.values("store.db").contains_key(private));
        let short = Duration::from_millis(50);
        let other = Store::open_within(stand.path("store.db"), stand.master(), short).unwrap();
        let mut passes = 0;
        let destroy = |records| {
            passes += usize::from(records == 1);
            if records == 1 && passes == pass {
                let author = other.by(BY);
                let zone = zone("tenant-1");
                author.order_destruction(&zone, Duration::ZERO).unwrap();
                // It is removed; the file's log, which the copy reads from, is not cut yet.
                let destroyed = author.destroy_zone(&zone);
                assert!(matches!(destroyed, Err(Error::Locked { .. })));
            }
        };
        let target = stand.file("copy.db");
        store.copy(&target, Purpose::Move, BY, destroy).unwrap();
        assert!(
            !stand.values("copy.db").contains_key(private),
            "pass {pass}"
        );
        let moved = stand.open(&target).unwrap();
        let zone = zone("tenant-1");
        assert_eq!(moved.by(BY).destroy_zone(&zone).unwrap().len(), 1);
        let audited = moved.verify_audit(None, |_| {}).unwrap();
        assert_eq!(audited.faults, Vec::<String>::new());
    }
}

#[test]
fn a_key_destroyed_in_etcd_while_its_store_is_copied_does_not_stop_the_copy() {
    let stand = Stand::new();
    let store = stand.store(&etcd());
    let mut destroyed = false;
    let destroy = |_| {
        if !std::mem::replace(&mut destroyed, true) {
            let author = store.by(BY);
            let zone = zone("tenant-1");
            author.order_destruction(&zone, Duration::ZERO).unwrap();
            author.destroy_zone(&zone).unwrap();
        }
    };
    let target = stand.file("copy.db");
    store.copy(&target, Purpose::Fork, BY, destroy).unwrap();
    let private = "private/zone/tenant-1/0000000001";
    assert!(!stand.values("copy.db").contains_key(private));
}

#[test]
fn a_copy_that_broke_off_is_no_store_and_is_gone_on_from() {
    for to_etcd in [false, true] {
        let stand = Stand::new();
        let store = stand.store(&stand.file("store.db"));
        let target = if to_etcd {
            etcd()
        } else {
            stand.file("copy.db")
        };
        let mut steps = 0;
        let breaks_off = catch_unwind(AssertUnwindSafe(|| {
            store.copy(&target, Purpose::Move, BY, |_| {
                steps += 1;
                assert!(steps < 2, "as if it was killed");
            })
        }));
        assert!(breaks_off.is_err());
        assert!(said(stand.open(&target)).contains("an unfinished copy"));
        // It is this store's copy, and no other's.
        let other = stand.store(&stand.file("other.db"));
        let refused = other.copy(&target, Purpose::Fork, BY, |_| {});
        assert!(said(refused).contains("exists already"));
        add_zone(&store, "meanwhile").unwrap();
        store.copy(&target, Purpose::Move, BY, |_| {}).unwrap();
        let moved = stand.open(&target).unwrap();
        assert!(moved.zone(&zone("meanwhile")).unwrap().is_some());
        assert_whole(&moved);
    }
}

#[test]
fn a_move_that_broke_off_between_its_last_steps_is_finished() {
    let stand = Stand::new();
    let store = stand.store(&stand.file("store.db"));
    let target = stand.file("copy.db");
    store.copy(&target, Purpose::Move, BY, |_| {}).unwrap();
    // As if the last commit had not been made: the source is marked, the copy is not complete.
    let database = Connection::open(stand.path("copy.db")).unwrap();
    let id = stand.values("copy.db")["header"][..16].to_vec();
    database
        .execute("UPDATE record SET value = x'' WHERE name = 'header'", [])
        .unwrap();
    database
        .execute("UPDATE record SET value = ?1 WHERE name = 'copy'", [id])
        .unwrap();
    drop(database);
    assert!(said(stand.open(&target)).contains("an unfinished copy"));
    store.copy(&target, Purpose::Move, BY, |_| {}).unwrap();
    assert_whole(&stand.open(&target).unwrap());
}

#[test]
fn places_that_hold_something_and_records_that_were_altered_are_refused() {
    let stand = Stand::new();
    let store = stand.store(&stand.file("store.db"));
    fs::write(stand.path("notes.txt"), "notes").unwrap();
    let refused = store.copy(&stand.file("notes.txt"), Purpose::Fork, BY, |_| {});
    assert!(refused.is_err());
    assert_eq!(fs::read(stand.path("notes.txt")).unwrap(), b"notes");
    let itself = store.copy(&stand.file("store.db"), Purpose::Move, BY, |_| {});
    assert!(said(itself).contains("exists already"));
    assert_eq!(store.moved_to(), None);
    stand.store(&stand.file("other.db"));
    let other = store.copy(&stand.file("other.db"), Purpose::Fork, BY, |_| {});
    assert!(said(other).contains("exists already"));

    let database = Connection::open(stand.path("store.db")).unwrap();
    let alter = "UPDATE record SET value = zeroblob(80) WHERE name = 'zone/tenant-1'";
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    let altered = store.copy(&stand.file("copy.db"), Purpose::Fork, BY, |_| {});
    assert!(said(altered).contains("record zone/tenant-1"));
    assert!(said(stand.open(&stand.file("copy.db"))).contains("unfinished"));
}

#[test]
fn a_move_that_fails_at_its_end_leaves_the_store_where_it_was_and_the_log_says_so() {
    let stand = Stand::new();
    let store = stand.store(&stand.file("store.db"));
    let target = stand.file("copy.db");
    let mut passes = 0;
    let moved = store.copy(&target, Purpose::Move, BY, |records| {
        passes += usize::from(records == 1);
        if records == 1 && passes == 2 {
            // Somebody takes the unfinished copy for something else.
            let database = Connection::open(stand.path("copy.db")).unwrap();
            let unmark = "UPDATE record SET value = x'' WHERE name = 'copy'";
            assert_eq!(database.execute(unmark, []).unwrap(), 1);
        }
    });
    assert!(said(moved).contains("was moved away or replaced"));
    assert_eq!(store.moved_to(), None);
    add_zone(&store, "it-goes-on").unwrap();
    let entries = store.audit(0, 100).unwrap();
    let to = target.address.to_string();
    let told: Vec<_> = entries
        .iter()
        .rev()
        .skip(1)
        .take(2)
        .map(|one| &one.event)
        .collect();
    assert_eq!(
        told,
        [
            &Event::StoreMoveFailed { to: to.clone() },
            &Event::StoreMoved { to }
        ]
    );
    assert_whole(&store);
}
