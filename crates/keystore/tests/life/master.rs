//! Changing the master key, with others at work.

use std::sync::atomic::{AtomicBool, Ordering};

use pgseal_keystore::{Error, NewZone, Permitted, Store};

use super::{Place, app, new_master, twice, zone};

#[test]
fn after_a_rotation_the_new_key_opens_all_and_the_old_one_until_it_is_forgotten() {
    let place = Place::new();
    let [new, same] = twice(&place.directory);
    place.author().rotate_master(&new, |_| {}).unwrap();
    assert_eq!(place.store.master_key_id(), new.id());
    assert!(place.store.master_key_is_outdated());

    let old = place.again();
    assert!(old.master_key_is_outdated());
    assert_eq!(
        old.verify_audit(None, |_| {}).unwrap().faults,
        Vec::<String>::new()
    );
    let key = old.active_key(&app()).unwrap();
    old.private_key(&key).unwrap();

    let forgotten = forget(&place);
    assert_eq!(forgotten, Some(place.master("master.key").id()));
    let refused = Store::open(&place.path, place.master("master.key")).map(drop);
    assert!(matches!(refused, Err(Error::WrongMasterKey { .. })));
    // Who had it open goes on.
    old.private_key(&key).unwrap();
    old.by("another").rotate_key(&app()).unwrap();

    let store = Store::open(&place.path, same).unwrap();
    assert!(!store.master_key_is_outdated());
    assert_eq!(
        store.verify_audit(None, |_| {}).unwrap().faults,
        Vec::<String>::new()
    );
    assert_eq!(forget(&place), None);
}

#[test]
fn nothing_is_left_that_the_old_key_opens() {
    let place = Place::new();
    let before: Vec<_> = values(&place);
    place.author().rotate_master(&new_master(), |_| {}).unwrap();
    forget(&place);
    let after = values(&place);
    for (name, value) in &before {
        assert!(!after.contains(&(name.clone(), value.clone())), "{name}");
        assert!(!place.holds(value), "{name}");
    }
}

/// Forgets the old master key once running programs have had the time to take over the new one.
fn forget(place: &Place) -> Option<pgseal_keystore::MasterKeyId> {
    match place.author().forget_master() {
        Err(Error::HandingOver { wait }) => {
            std::thread::sleep(wait);
            place.author().forget_master().unwrap()
        }
        forgotten => forgotten.unwrap(),
    }
}

fn values(place: &Place) -> Vec<(String, Vec<u8>)> {
    let database = place.database();
    let mut select = database.prepare("SELECT name, value FROM record").unwrap();
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn writers_and_readers_notice_nothing_of_rotations() {
    let place = Place::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (place, done) = (&place, &done);
                scope.spawn(move || {
                    let store = place.again();
                    let mut made = Vec::new();
                    while !done.load(Ordering::Relaxed) || made.len() < 3 {
                        if made.len() >= 200 {
                            std::thread::yield_now();
                            continue;
                        }
                        let key = store
                            .by(format!("writer {writer}"))
                            .add_zone(&NewZone {
                                id: None,
                                clients: Permitted::All,
                                creator: None,
                            })
                            .unwrap();
                        store.private_key(&key).unwrap();
                        made.push(key);
                    }
                    made
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let store = place.again();
            while !done.load(Ordering::Relaxed) {
                let key = store.active_key(&app()).unwrap();
                store.private_key(&key).unwrap();
                assert_eq!(store.clients(None, 10).unwrap().len(), 2);
                store.zone(&zone()).unwrap().unwrap();
            }
        });
        for _ in 0..2 {
            place.author().rotate_master(&new_master(), |_| {}).unwrap();
            forget(&place);
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        for key in writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
        {
            place.store.private_key(&key).unwrap();
        }
    });
    let audited = place.store.verify_audit(None, |_| {}).unwrap();
    assert_eq!(audited.faults, Vec::<String>::new());
}

#[test]
fn a_second_rotation_waits_until_the_first_is_forgotten() {
    let place = Place::new();
    place.author().rotate_master(&new_master(), |_| {}).unwrap();
    let error = place
        .author()
        .rotate_master(&new_master(), |_| {})
        .unwrap_err();
    assert!(matches!(error, Error::MasterRotating { .. }), "{error}");
    forget(&place);
    place.author().rotate_master(&new_master(), |_| {}).unwrap();
}

#[test]
fn the_key_in_use_is_no_new_one() {
    let place = Place::new();
    let error = place
        .author()
        .rotate_master(&place.master("master.key"), |_| {})
        .unwrap_err();
    assert!(matches!(error, Error::SameMasterKey), "{error}");
}

#[test]
fn a_record_that_was_altered_stops_a_rotation_by_its_name_and_it_goes_on_when_repaired() {
    let place = Place::new();
    let [new, same] = twice(&place.directory);
    let good = place.value("client/other").unwrap();
    place.set_value("client/other", &[0; 80]);
    let error = place
        .author()
        .rotate_master(&new, |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("record client/other in "), "{error}");
    // Both keys open what is there, half-way.
    place.set_value("client/other", &good);
    for store in [
        place.again(),
        Store::open(&place.path, twice_more(&place)).unwrap(),
    ] {
        assert_eq!(store.clients(None, 10).unwrap().len(), 2);
        store.by("another").rotate_key(&app()).unwrap();
    }
    place.author().rotate_master(&same, |_| {}).unwrap();
    forget(&place);
    let store = Store::open(&place.path, same).unwrap();
    assert_eq!(
        store.verify_audit(None, |_| {}).unwrap().faults,
        Vec::<String>::new()
    );
}

/// The key that [`twice`] has written, once more.
fn twice_more(place: &Place) -> pgseal_keystore::MasterKey {
    place.master("new.key")
}

#[test]
fn a_header_that_was_put_back_so_that_a_forgotten_key_counts_again_is_found() {
    let place = Place::new();
    let [new, _] = twice(&place.directory);
    let handover = format!("master/{}", new.id());
    let mut during = Vec::new();
    place
        .author()
        .rotate_master(&new, |_| {
            during = ["header", &handover]
                .map(|name| (name.to_owned(), place.value(name).unwrap()))
                .into();
        })
        .unwrap();
    forget(&place);
    let faults = || {
        let store = Store::open(&place.path, place.master("new.key")).unwrap();
        store.verify_audit(None, |_| {}).unwrap().faults
    };
    assert_eq!(faults(), Vec::<String>::new());
    for (name, value) in &during {
        let write = "INSERT OR REPLACE INTO record VALUES (?1, ?2, 100000)";
        place
            .database()
            .execute(write, rusqlite::params![name, value])
            .unwrap();
    }
    let differs = ["header".to_owned(), handover]
        .map(|name| format!("record {name} is not what the audit log says"));
    assert_eq!(faults(), differs);
}
