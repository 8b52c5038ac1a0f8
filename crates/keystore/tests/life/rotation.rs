//! Versions of keys.

use pgseal_keystore::{Error, KeyState};

use super::{Place, app, zone};
use envelope::Owner;

#[test]
fn a_rotated_key_is_handed_out_and_the_one_before_still_opens() {
    let place = Place::new();
    for owner in [app(), Owner::Zone(zone())] {
        let before = place.store.active_key(&owner).unwrap();
        let after = place.author().rotate_key(&owner).unwrap();
        assert_eq!((before.version, after.version), (1, 2));
        assert_ne!(before.key_id, after.key_id);
        assert_eq!(place.again().active_key(&owner).unwrap(), after);
        let old = place.store.key_by_id(before.key_id).unwrap().unwrap();
        assert_eq!(old.state, KeyState::OpenOnly);
        let private = place.store.private_key(&old).unwrap();
        assert_eq!(private.public_key(), before.public_key);
    }
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn rotations_at_once_make_a_version_each() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = place.again();
                for _ in 0..5 {
                    store.by("another").rotate_key(&app()).unwrap();
                }
            });
        }
    });
    let keys = place.store.keys(Some(&app()), None, 100).unwrap();
    let active: Vec<_> = keys
        .iter()
        .filter(|key| key.state == KeyState::Active)
        .map(|key| key.version)
        .collect();
    assert_eq!((keys.len(), active), (21, vec![21]));
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn the_active_key_is_neither_retired_nor_destroyed() {
    let place = Place::new();
    let before = place.store.revision().unwrap();
    for error in [
        place.author().retire_key(&app(), 1, true).unwrap_err(),
        place.author().destroy_key(&app(), 1, true).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.starts_with("key version 1 of client app is active"),
            "{text}"
        );
    }
    assert_eq!(place.store.revision().unwrap(), before);
}

#[test]
fn a_retired_key_is_restored_and_a_destroyed_one_is_not() {
    let place = Place::new();
    let author = place.author();
    author.rotate_key(&app()).unwrap();
    let retired = author.retire_key(&app(), 1, false).unwrap();
    assert_eq!(retired.state, KeyState::Retired);
    assert!(place.store.private_key(&retired).is_ok());
    let restored = author.restore_key(&app(), 1).unwrap();
    assert_eq!(restored.state, KeyState::OpenOnly);
    author.destroy_key(&app(), 1, false).unwrap();
    let error = author.restore_key(&app(), 1).unwrap_err().to_string();
    assert!(
        error.starts_with("key version 1 of client app is destroyed"),
        "{error}"
    );
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn a_key_used_lately_is_retired_or_destroyed_by_force_only() {
    let place = Place::new();
    let author = place.author();
    author.rotate_key(&app()).unwrap();
    place.store.note_use(&[(app(), 1)]).unwrap();
    for result in [
        author.retire_key(&app(), 1, false).map(drop),
        author.destroy_key(&app(), 1, false).map(drop),
    ] {
        assert!(matches!(
            result,
            Err(Error::RecentlyUsed { version: 1, .. })
        ));
    }
    author.retire_key(&app(), 1, true).unwrap();
    author.destroy_key(&app(), 1, true).unwrap();
}

#[test]
fn a_use_is_written_once_an_hour() {
    let place = Place::new();
    place.store.note_use(&[(app(), 1)]).unwrap();
    let before = place.store.revision().unwrap();
    place.store.note_use(&[(app(), 1)]).unwrap();
    assert_eq!(place.store.revision().unwrap(), before);
}

#[test]
fn a_version_that_is_not_there_is_named() {
    let place = Place::new();
    for error in [
        place.author().retire_key(&app(), 7, true).unwrap_err(),
        place.author().destroy_key(&app(), 7, true).unwrap_err(),
        place.author().restore_key(&app(), 7).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            "there is no key of client app with version 7"
        );
    }
}

#[test]
fn a_key_that_is_not_active_any_more_is_not_handed_out_by_an_owner_that_was_put_back() {
    let place = Place::new();
    let names = ["client/app", "zone/tenant-1"];
    let old = names.map(|name| place.value(name).unwrap());
    for owner in [app(), Owner::Zone(zone())] {
        place.author().rotate_key(&owner).unwrap();
        assert_eq!(place.store.active_key(&owner).unwrap().version, 2);
        place.author().destroy_key(&owner, 1, true).unwrap();
    }
    for (name, value) in names.iter().zip(&old) {
        place.set_value(name, value);
    }
    for (name, owner) in names.iter().zip([app(), Owner::Zone(zone())]) {
        let error = place.store.active_key(&owner).unwrap_err().to_string();
        assert!(error.starts_with(&format!("record {name} in ")), "{error}");
    }
}
