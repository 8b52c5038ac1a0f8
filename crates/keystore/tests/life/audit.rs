//! The log of what was done.

use envelope::Owner;
use pgseal_keystore::{Anchor, Certificate, Event, Revoked, Timestamp};

use super::{Place, app, client, zone};

fn name(number: u64) -> String {
    format!("audit/{number:020}")
}

#[test]
fn every_change_is_told_in_its_order_with_who_made_it() {
    let place = Place::new();
    place
        .store
        .by("operator eve@host")
        .rotate_key(&app())
        .unwrap();
    let entries = place.store.audit(0, 100).unwrap();
    let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert!(matches!(entries[0].event, Event::StoreCreated { .. }));
    assert!(matches!(&entries[3].event, Event::ZoneAdded { zone, .. } if zone == "zone/tenant-1"));
    assert_eq!(entries[4].by, "operator eve@host");
    assert!(
        matches!(&entries[4].event, Event::KeyRotated { owner, version: 2, .. } if owner == "client/app")
    );
    assert_eq!(place.store.audit(4, 100).unwrap(), entries[4..]);
}

#[test]
fn an_entry_that_was_removed_is_found() {
    for gone in 1..=4 {
        let place = Place::new();
        place.remove(&name(gone));
        let faults = place.faults();
        let says = match gone {
            4 => "audit entries 4 to 4 were removed".into(),
            _ => format!("audit entry {gone} was removed"),
        };
        assert!(faults.contains(&says), "{gone}: {faults:?}");
    }
}

#[test]
fn entries_that_were_exchanged_or_edited_are_refused_by_name() {
    let place = Place::new();
    let [one, other] = [2, 3].map(|number| place.value(&name(number)).unwrap());
    place.set_value(&name(2), &other);
    place.set_value(&name(3), &one);
    let faults = place.faults();
    for (number, fault) in [2, 3].into_iter().zip(&faults) {
        let says = format!("record {} in ", name(number));
        assert!(fault.starts_with(&says), "{fault}");
    }
    assert_eq!(faults.len(), 2);
}

#[test]
fn a_tail_cut_off_with_its_head_put_back_is_found_by_the_store_and_by_an_anchor() {
    let place = Place::new();
    let head = place.value("audit").unwrap();
    place
        .author()
        .add_client(&client("third"), false, None)
        .unwrap();
    let anchor = place.store.verify_audit(None, |_| {}).unwrap().head;
    assert_eq!(anchor.number, 5);
    place.remove(&name(5));
    place.set_value("audit", &head);
    assert!(
        place
            .faults()
            .contains(&"record client/third is not what the audit log says".into())
    );
    let audited = place.again().verify_audit(Some(&anchor), |_| {}).unwrap();
    assert!(audited.faults[0].starts_with("audit entry 5 is not the one that was seen before"));
}

#[test]
fn a_head_that_was_put_back_alone_is_found_and_not_written_over() {
    let place = Place::new();
    let head = place.value("audit").unwrap();
    place.author().rotate_key(&app()).unwrap();
    place.set_value("audit", &head);
    assert!(
        place
            .faults()
            .contains(&"record audit was put back: the log goes on after entry 4".into())
    );
    let last = place.value(&name(5)).unwrap();
    let error = place.author().rotate_key(&app()).unwrap_err().to_string();
    assert!(error.starts_with("record audit in "), "{error}");
    assert_eq!(place.value(&name(5)).unwrap(), last);
}

#[test]
fn a_record_put_back_to_an_older_state_is_found() {
    let place = Place::new();
    let old = ["zone/tenant-1", "client/app", "key/client/app/0000000001"]
        .map(|name| (name, place.value(name).unwrap()));
    let author = place.author();
    author.remove_grant(&zone(), Some(&client("app"))).unwrap();
    author
        .change_client(&client("app"), Some(false), None)
        .unwrap();
    author.rotate_key(&app()).unwrap();
    assert_eq!(place.faults(), Vec::<String>::new());
    for (name, value) in old {
        let new = place.value(name).unwrap();
        place.set_value(name, &value);
        assert_eq!(
            place.faults(),
            [format!("record {name} is not what the audit log says")]
        );
        place.set_value(name, &new);
    }
}

#[test]
fn an_owner_whose_active_key_was_put_back_alone_is_found() {
    let place = Place::new();
    let owners = ["zone/tenant-1", "client/app"];
    let old = owners.map(|name| (name, place.value(name).unwrap()));
    place.author().rotate_key(&app()).unwrap();
    place.author().rotate_key(&Owner::Zone(zone())).unwrap();
    for (name, value) in old {
        let new = place.value(name).unwrap();
        place.set_value(name, &value);
        let says = format!("record {name} is not what the audit log says");
        assert_eq!(place.faults(), [says]);
        place.set_value(name, &new);
    }
}

#[test]
fn a_record_of_any_kind_that_was_removed_is_found() {
    let place = Place::new();
    let certificate = Certificate {
        serial: "0a1b".parse().unwrap(),
        identity: "client/app".into(),
        recorded: Timestamp::now(),
        expires: Timestamp::now().plus_days(1),
    };
    place.author().record_certificate(&certificate).unwrap();
    let id = place.store.active_key(&app()).unwrap().key_id;
    place
        .author()
        .order_destruction(&zone(), std::time::Duration::ZERO)
        .unwrap();
    let pending = "pending/00000000000000000000/tenant-1";
    for name in [
        "client/other".to_owned(),
        "zone/tenant-1".into(),
        "key/client/app/0000000001".into(),
        "private/client/app/0000000001".into(),
        format!("key-id/{id}"),
        "certificate/0a1b".into(),
        pending.into(),
    ] {
        let value = place.value(&name).unwrap();
        place.remove(&name);
        assert_eq!(place.faults(), [format!("record {name} is missing")]);
        let insert = "INSERT INTO record VALUES (?1, ?2, 1)";
        let parameters = rusqlite::params![name, value];
        place.database().execute(insert, parameters).unwrap();
    }
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn a_revocation_that_is_missing_before_its_certificate_is_over_is_found() {
    let place = Place::new();
    let revoked = |days: u64| Revoked {
        identity: None,
        at: Timestamp::now(),
        expires: Timestamp::from_seconds(days * 24 * 60 * 60),
        reason: None,
    };
    let list = place.value("revocations").unwrap();
    let over = ("0a".parse().unwrap(), revoked(1));
    place.author().revoke(&[over]).unwrap();
    let valid = ("0b".parse().unwrap(), revoked(100_000));
    place.author().revoke(&[valid]).unwrap();
    assert_eq!(place.faults(), Vec::<String>::new());
    place.set_value("revocations", &list);
    let says = "the revocation of certificate 0b is missing from record revocations";
    assert_eq!(place.faults(), [says]);
}

#[test]
fn an_anchor_that_is_in_the_log_is_found_there() {
    let place = Place::new();
    let entry = place.store.audit(1, 1).unwrap().remove(0);
    let mut anchor = Anchor {
        number: entry.number,
        hash: entry.hash,
    };
    let faults = |anchor: &Anchor| {
        place
            .store
            .verify_audit(Some(anchor), |_| {})
            .unwrap()
            .faults
    };
    assert_eq!(faults(&anchor), Vec::<String>::new());
    anchor.hash = "0".repeat(64);
    assert_eq!(faults(&anchor).len(), 1);
}

#[test]
fn a_store_that_is_changed_while_it_is_checked_is_checked_all_the_same() {
    let place = Place::new();
    let old = place.value("zone/tenant-1").unwrap();
    let author = place.author();
    author.remove_grant(&zone(), Some(&client("app"))).unwrap();
    let (mut added, other) = (0, place.again());
    let mut busy = || {
        added += 1;
        let id = client(&format!("client-{added}"));
        other.by("another").add_client(&id, false, None).unwrap();
    };
    let audited = place.store.verify_audit(None, |_| busy()).unwrap();
    assert_eq!(audited.faults, Vec::<String>::new());
    place.set_value("zone/tenant-1", &old);
    let audited = place.store.verify_audit(None, |_| busy()).unwrap();
    let says = "record zone/tenant-1 is not what the audit log says";
    assert_eq!(audited.faults, [says]);
    assert!(added > 3);
}

#[test]
fn a_receipt_of_a_destroyed_zone_that_was_removed_is_found() {
    let place = Place::new();
    let author = place.author();
    author
        .order_destruction(&zone(), std::time::Duration::ZERO)
        .unwrap();
    author.destroy_zone(&zone()).unwrap();
    assert_eq!(place.faults(), Vec::<String>::new());
    let receipt = "receipt/zone/tenant-1/0000000001";
    place.remove(receipt);
    assert_eq!(place.faults(), [format!("record {receipt} is missing")]);
}
