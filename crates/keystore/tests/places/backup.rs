//! Backups.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_backup_is_restored_to_a_file_and_to_etcd_value_by_value() {
    let stand = Stand::new();
    let store = stand.store(&stand.file("store.db"));
    let file = stand.path("backup");
    let backed_up = store.back_up(&file, |_| {}).unwrap();
    let before = stand.values("store.db");
    assert_eq!(backed_up.records, before.len() as u64);
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
    let bytes = fs::read(&file).unwrap();
    for name in ["tenant-1", "client/app"] {
        let name = name.as_bytes();
        assert!(!bytes.windows(name.len()).any(|window| window == name));
    }
    for place in [stand.file("restored.db"), etcd()] {
        let restored = Store::restore(&file, &place, stand.master(), BY, |_| {}).unwrap();
        assert_eq!(restored.records, before.len() as u64);
        let restored = stand.open(&place).unwrap();
        assert!(restored.is_same_store(&store));
        assert_whole(&restored);
    }
    let after = stand.values("restored.db");
    for (name, value) in before.iter().filter(|(name, _)| *name != "audit") {
        assert_eq!(after.get(name), Some(value), "{name}");
    }
    // The log says that it was restored.
    assert_eq!(after.len(), before.len() + 1);
}

#[test]
fn a_backup_of_a_store_in_etcd_is_of_one_revision_while_it_is_written() {
    let stand = Stand::new();
    let place = etcd();
    let store = stand.store(&place);
    let other = stand.open(&place).unwrap();
    for number in 0..150 {
        add_zone(&store, &format!("before-{number:04}")).unwrap();
    }
    let (mut number, mut begun_at) = (0, 0);
    let file = stand.path("backup");
    let write = |records: u64| {
        if records == 1 {
            // Once more, when others have compacted the cluster meanwhile.
            begun_at = number;
        }
        if records.is_multiple_of(100) {
            number += 1;
            add_zone(&other, &format!("after-{number:04}")).unwrap();
        }
    };
    store.back_up(&file, write).unwrap();
    assert!(number - begun_at > 5);
    let restored = stand.file("restored.db");
    Store::restore(&file, &restored, stand.master(), BY, |_| {}).unwrap();
    let restored = stand.open(&restored).unwrap();
    assert_whole(&restored);
    assert!(restored.zone(&zone("before-0149")).unwrap().is_some());
    let later = zone(&format!("after-{:04}", begun_at + 1));
    assert!(restored.zone(&later).unwrap().is_none());
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_of_what_failed() {
    let stand = Stand::new();
    let store = stand.store(&stand.file("store.db"));
    let file = stand.path("backup");
    fs::write(&file, "mine").unwrap();
    assert!(said(store.back_up(&file, |_| {})).contains("exists already"));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    fs::remove_file(&file).unwrap();

    let database = Connection::open(stand.path("store.db")).unwrap();
    let alter = "UPDATE record SET value = zeroblob(80) WHERE name = 'zone/tenant-1'";
    let good = stand.path("good");
    store.back_up(&good, |_| {}).unwrap();
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    assert!(said(store.back_up(&file, |_| {})).contains("record zone/tenant-1"));
    assert!(!file.exists());

    let taken = stand.file("store.db");
    let refused = Store::restore(&good, &taken, stand.master(), BY, |_| {});
    assert!(said(refused).contains("exists already"));
    let free = stand.file("free.db");
    let wrong = Store::restore(&good, &free, MasterKey::generate().unwrap(), BY, |_| {});
    assert!(matches!(wrong, Err(Error::WrongMasterKey { .. })));
    let mut cut = fs::read(&good).unwrap();
    cut.pop();
    fs::write(stand.path("cut"), cut).unwrap();
    let cut = Store::restore(&stand.path("cut"), &free, stand.master(), BY, |_| {});
    assert!(said(cut).contains("nothing was restored"));
    let none = Store::restore(&stand.path("none"), &free, stand.master(), BY, |_| {});
    assert!(said(none).contains("cannot read"));
    assert!(!stand.path("free.db").exists());
}

#[test]
fn a_backup_of_a_store_that_has_moved_is_restored_as_one_that_takes_changes() {
    let stand = Stand::new();
    let store = stand.store(&stand.file("store.db"));
    let moved = pgseal_keystore::Purpose::Move;
    store
        .copy(&stand.file("new.db"), moved, BY, |_| {})
        .unwrap();
    let file = stand.path("backup");
    store.back_up(&file, |_| {}).unwrap();
    let restored = stand.file("restored.db");
    Store::restore(&file, &restored, stand.master(), BY, |_| {}).unwrap();
    add_zone(&stand.open(&restored).unwrap(), "tenant-9").unwrap();
}
