//! Destroying zones, keeping them, and receipts.

use std::fs;
use std::time::Duration;

use keystore::Fate;
use serde_json::Value;

use crate::support::Place;

const NOW: &str = "zone destroy tenant-1 --now --confirm tenant-1";

fn fate(place: &Place) -> Fate {
    let zone = place.open().zone(&"tenant-1".parse().unwrap()).unwrap();
    zone.unwrap().fate
}

#[test]
fn a_destruction_that_was_ordered_is_shown_with_its_end_and_taken_back() {
    let place = Place::filled();
    let text = place.store_ok("zone destroy tenant-1 --grace 36h");
    for part in [
        "fate  to be destroyed, ordered 20",
        "refused from now on, with the reason `destroying`",
        "another 1 day",
        "  pgseal-keymaker zone keep tenant-1\n",
        "still hold its keys",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = place.store_json("zone show tenant-1");
    assert_eq!(shown["fate"], "destroying");
    let time = |field: &str| {
        let text = shown[field].as_str().unwrap();
        text.parse::<String>().unwrap()
    };
    assert!(time("ordered") < time("earliest_end"));
    let list = place.store_ok("zone list");
    assert!(
        list.contains(&format!("destroying {}", time("earliest_end"))),
        "{list}"
    );
    // Its keys are there, and none is handed out.
    assert_eq!(shown["keys"][0]["state"], "active");
    let error = place.store_fails(1, "key export-public --zone tenant-1");
    assert!(
        error.starts_with("zone tenant-1 is to be destroyed; "),
        "{error}"
    );
    let error = place.store_fails(1, "key rotate --zone tenant-1");
    assert!(
        error.starts_with("zone tenant-1 is to be destroyed; "),
        "{error}"
    );

    let text = place.store_ok("zone keep tenant-1");
    assert!(
        text.contains("fate  kept\n") && text.contains("open again"),
        "{text}"
    );
    assert_eq!(fate(&place), Fate::Kept);
    let shown = place.store_json("zone show tenant-1");
    assert_eq!(
        (&shown["fate"], &shown["ordered"]),
        (&"kept".into(), &Value::Null)
    );
    place.store_ok("key export-public --zone tenant-1");
}

#[test]
fn the_default_grace_is_seven_days() {
    let place = Place::filled();
    place.store_ok("zone destroy tenant-1");
    let Fate::Destroying { ordered, due } = fate(&place) else {
        panic!("it was ordered");
    };
    let end = place.open().earliest_end(due).unwrap();
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    assert!(end.since(ordered) >= week && end.since(ordered) < week + Duration::from_secs(60));
}

#[test]
fn a_zone_destroyed_now_leaves_receipts_and_no_key() {
    let place = Place::filled();
    place.store_ok("key rotate --zone tenant-1");
    let answer = place.store_json(NOW);
    assert_eq!(answer["fate"], "destroyed");
    assert_eq!(answer["keys"].as_array().unwrap().len(), 2);
    let printed = place.store_ok("zone receipt tenant-1");
    assert_eq!(printed.lines().count(), 2);
    for (line, version) in printed.lines().zip([1, 2]) {
        let receipt: Value = serde_json::from_str(line).unwrap();
        let statement = receipt["statement"].as_str().unwrap();
        let statement: Value = serde_json::from_str(statement).unwrap();
        assert_eq!(statement["owner"], "zone/tenant-1");
        assert_eq!(statement["version"], version);
        assert_eq!(receipt, answer["keys"][version - 1]["receipt"]);
    }
    let text = place.store_ok("zone receipt tenant-1 --out r");
    assert_eq!(text, "file      r\nreceipts  2\n");
    assert_eq!(fs::read_to_string(place.path("r")).unwrap(), printed);
    let error = place.store_fails(1, "zone receipt tenant-1 --out r");
    assert!(error.starts_with("r exists already"), "{error}");

    for line in [NOW, "zone destroy tenant-1", "zone keep tenant-1"] {
        assert_eq!(place.store_fails(1, line), "zone tenant-1 was destroyed");
    }
    let error = place.store_fails(1, "key export-public --zone tenant-1");
    assert_eq!(error, "zone tenant-1 was destroyed");
    assert!(place.store_ok("zone list").contains("destroyed"));
    assert!(place.store_ok("audit verify").contains("receipts  2\n"));
}

#[test]
fn destroying_now_is_confirmed_with_the_zones_id() {
    let place = Place::filled();
    let line = "zone destroy tenant-1 --now";
    let error = place.store_fails(2, line);
    assert_eq!(
        error,
        "this cannot be undone: give --confirm tenant-1, or run it on a terminal"
    );
    let error = place.store_fails(1, &format!("{line} --confirm tenant-2"));
    assert_eq!(error, "nothing was changed: what was typed is not tenant-1");
    let (said, code) = place.types(line, "yes");
    assert_eq!(code, 1, "{said}");
    assert_eq!(fate(&place), Fate::Kept);
    let (said, code) = place.types(line, "tenant-1");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.starts_with("Every value of zone tenant-1 is lost for good. Type its id"),
        "{said}"
    );
    assert!(matches!(fate(&place), Fate::Destroyed { .. }));
}

#[test]
fn zones_that_are_not_there_or_kept_are_told() {
    let place = Place::filled();
    for line in [
        "zone destroy tenant-9",
        "zone destroy tenant-9 --now --confirm tenant-9",
        "zone keep tenant-9",
        "zone receipt tenant-9",
    ] {
        let error = place.store_fails(1, line);
        assert!(error.starts_with("there is no zone tenant-9; "), "{error}");
    }
    let error = place.store_fails(1, "zone receipt tenant-1");
    assert_eq!(
        error,
        "no key of zone tenant-1 is destroyed, so there is no receipt"
    );
    // Keeping what is kept changes nothing.
    place.store_ok("zone keep tenant-1");
    for line in [
        "zone destroy tenant-1 --grace 0s",
        "zone destroy tenant-1 --grace soon",
        "zone destroy tenant-1 --grace 7d --now",
        "zone destroy tenant-1 --confirm tenant-1",
        "zone destroy short",
    ] {
        place.store_fails(2, line);
    }
}

#[test]
fn the_help_says_what_still_holds_a_destroyed_key() {
    let help = Place::empty().ok("zone destroy --help");
    for part in [
        "backups of the store",
        "snapshots of the file system",
        "store.db-wal",
        "snapshots of etcd",
        "replicas of the disk",
        "from the zone's creation until the keys are removed",
        "brings the zone back",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
