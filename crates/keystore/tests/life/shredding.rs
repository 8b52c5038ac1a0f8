//! Destroying keys for good.

use std::time::Duration;

use envelope::Owner;
use pgseal_keystore::{Error, Fate, KeyState};

use super::{Place, app, client, zone};

const PRIVATE: &str = "private/zone/tenant-1/0000000001";

fn fate(place: &Place) -> Fate {
    place.again().zone(&zone()).unwrap().unwrap().fate
}

#[test]
fn a_destroyed_zones_keys_are_gone_from_the_file_and_its_log_with_a_receipt_for_each() {
    let place = Place::new();
    let author = place.author();
    author.rotate_key(&Owner::Zone(zone())).unwrap();
    let keys = place
        .store
        .keys(Some(&Owner::Zone(zone())), None, 10)
        .unwrap();
    let sealed = place.value(PRIVATE).unwrap();
    assert!(place.holds(&sealed));

    author.order_destruction(&zone(), Duration::ZERO).unwrap();
    let receipts = author.destroy_zone(&zone()).unwrap();
    assert!(!place.holds(&sealed));
    assert!(matches!(fate(&place), Fate::Destroyed { .. }));
    assert_eq!(receipts.len(), 2);
    for (receipt, key) in receipts.iter().zip(&keys) {
        assert_eq!(receipt.owner, "zone/tenant-1");
        assert_eq!(receipt.version, key.version);
        assert_eq!(receipt.key_id, key.key_id.to_string());
        let again = place.store.receipt(&key.owner, key.version).unwrap();
        assert_eq!(again.as_ref(), Some(receipt));
        let found = place.again().key_by_id(key.key_id).unwrap().unwrap();
        assert_eq!(found.state, KeyState::Destroyed);
    }
    let audited = place.store.verify_audit(None, |_| {}).unwrap();
    assert_eq!((audited.receipts, audited.faults), (2, Vec::new()));
    // Once more is no error and no other receipt.
    assert_eq!(author.destroy_zone(&zone()).unwrap(), receipts);
}

#[test]
fn a_zone_is_destroyed_only_when_that_was_ordered() {
    let place = Place::new();
    let error = place.author().destroy_zone(&zone()).unwrap_err();
    assert!(matches!(error, Error::ZoneKept(_)), "{error}");
    assert!(place.value(PRIVATE).is_some());
}

#[test]
fn in_its_grace_a_zone_hands_out_no_key_and_can_be_kept() {
    let place = Place::new();
    let author = place.author();
    let owner = Owner::Zone(zone());
    author
        .order_destruction(&zone(), Duration::from_secs(3600))
        .unwrap();
    for error in [
        place.store.active_key(&owner).unwrap_err(),
        author.rotate_key(&owner).unwrap_err(),
    ] {
        assert!(matches!(error, Error::ZoneGoing(_)), "{error}");
    }
    let swept = author.sweep().unwrap();
    assert_eq!((swept.destroyed.len(), swept.waiting), (0, 1));
    author.cancel_destruction(&zone()).unwrap();
    assert_eq!(fate(&place), Fate::Kept);
    assert!(place.store.active_key(&owner).is_ok());
    assert_eq!(author.sweep().unwrap().waiting, 0);
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn a_sweep_destroys_what_is_due_and_nothing_else() {
    let place = Place::new();
    let author = place.author();
    author.order_destruction(&zone(), Duration::ZERO).unwrap();
    let later = author
        .add_zone(&pgseal_keystore::NewZone {
            id: None,
            clients: pgseal_keystore::Permitted::All,
            creator: None,
        })
        .unwrap();
    let later = later.owner.id().parse().unwrap();
    author
        .order_destruction(&later, Duration::from_secs(60))
        .unwrap();
    let swept = place.again().by("server one").sweep().unwrap();
    assert_eq!((swept.destroyed, swept.waiting), (vec![zone()], 1));
    assert!(matches!(fate(&place), Fate::Destroyed { .. }));
    let error = author.cancel_destruction(&zone()).unwrap_err();
    assert!(matches!(error, Error::ZoneGone(_)), "{error}");
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn ordered_again_the_grace_begins_anew() {
    let place = Place::new();
    let author = place.author();
    author.order_destruction(&zone(), Duration::ZERO).unwrap();
    author
        .order_destruction(&zone(), Duration::from_secs(3600))
        .unwrap();
    let swept = author.sweep().unwrap();
    assert_eq!((swept.destroyed.len(), swept.waiting), (0, 1));
}

#[test]
fn a_zone_of_which_an_old_version_is_gone_can_still_be_kept() {
    let place = Place::new();
    let author = place.author();
    let owner = Owner::Zone(zone());
    author.rotate_key(&owner).unwrap();
    author.destroy_key(&owner, 1, false).unwrap();
    author.order_destruction(&zone(), Duration::ZERO).unwrap();
    author.cancel_destruction(&zone()).unwrap();
    assert!(place.store.active_key(&owner).is_ok());
}

#[test]
fn the_earliest_end_is_the_grace_from_now_while_no_clock_has_moved() {
    let place = Place::new();
    let before = pgseal_keystore::Timestamp::now();
    let grace = Duration::from_secs(3600);
    let zone = place.author().order_destruction(&zone(), grace).unwrap();
    let Fate::Destroying { due, .. } = zone.fate else {
        unreachable!("it was just ordered");
    };
    let end = place.store.earliest_end(due).unwrap();
    assert!((3600..3700).contains(&end.since(before).as_secs()));
}

#[test]
fn a_destroyed_version_of_a_clients_key_leaves_the_others() {
    let place = Place::new();
    let author = place.author();
    author.rotate_key(&app()).unwrap();
    let receipt = author.destroy_key(&app(), 1, false).unwrap();
    assert_eq!((receipt.owner.as_str(), receipt.version), ("client/app", 1));
    assert!(place.value("private/client/app/0000000001").is_none());
    let active = place.store.active_key(&app()).unwrap();
    assert!(place.store.private_key(&active).is_ok());
    assert_eq!(
        place.store.client(&client("app")).unwrap().unwrap().active,
        2
    );
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn a_receipt_that_was_removed_is_found() {
    let place = Place::new();
    let author = place.author();
    author.order_destruction(&zone(), Duration::ZERO).unwrap();
    author.destroy_zone(&zone()).unwrap();
    let receipt = "receipt/zone/tenant-1/0000000001";
    place.remove(receipt);
    assert_eq!(place.faults(), [format!("record {receipt} is missing")]);
}

#[test]
fn a_private_key_that_was_put_back_and_a_forged_receipt_are_found() {
    let place = Place::new();
    let author = place.author();
    let private = place.value(PRIVATE).unwrap();
    author.order_destruction(&zone(), Duration::ZERO).unwrap();
    author.destroy_zone(&zone()).unwrap();
    let insert = "INSERT OR REPLACE INTO record VALUES (?1, ?2, 1)";
    place
        .database()
        .execute(insert, rusqlite::params![PRIVATE, private])
        .unwrap();
    let faults = place.faults();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("record private/zone/tenant-1/0000000001 is there"));
}

#[test]
fn a_zone_is_kept_or_destroyed_and_never_half_of_both() {
    for _ in 0..20 {
        let place = Place::new();
        place
            .author()
            .order_destruction(&zone(), Duration::ZERO)
            .unwrap();
        let (destroyed, kept) = std::thread::scope(|scope| {
            let destroying = scope.spawn(|| place.again().by("server one").destroy_zone(&zone()));
            let keeping = scope.spawn(|| place.again().by("operator").cancel_destruction(&zone()));
            (destroying.join().unwrap(), keeping.join().unwrap())
        });
        match (destroyed, kept) {
            (Ok(_), Err(Error::ZoneGone(_))) => {
                assert!(matches!(fate(&place), Fate::Destroyed { .. }));
                assert!(place.value(PRIVATE).is_none());
            }
            (Err(Error::ZoneKept(_)), Ok(_)) => {
                assert_eq!(fate(&place), Fate::Kept);
                assert!(place.value(PRIVATE).is_some());
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(place.faults(), Vec::<String>::new());
    }
}

#[test]
fn a_zone_with_a_version_that_was_destroyed_before_can_still_be_kept() {
    let place = Place::new();
    let (author, owner) = (place.author(), Owner::Zone(zone()));
    author.rotate_key(&owner).unwrap();
    author.destroy_key(&owner, 1, false).unwrap();
    author
        .order_destruction(&zone(), Duration::from_secs(60))
        .unwrap();
    author.cancel_destruction(&zone()).unwrap();
    assert_eq!(fate(&place), Fate::Kept);
    assert!(place.store.active_key(&owner).is_ok());
}
