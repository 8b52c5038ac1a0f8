//! Who opens for which zone.

use serde_json::json;

use crate::support::Place;

#[test]
fn grants_are_added_removed_and_listed() {
    let place = Place::filled();
    place.store_ok("client add third");
    place.store_ok("zone add tenant-2 --client *");
    let answer = place.store_json("grant add --zone tenant-1 --client third");
    assert_eq!(
        answer,
        json!({ "zone": "tenant-1", "clients": ["app", "billing", "third"] })
    );
    let text = place.store_ok("grant remove --zone tenant-1 --client billing");
    assert_eq!(text, "zone       tenant-1\nopened by  app, third\n");

    let text = place.store_ok("grant list");
    assert_eq!(
        text,
        "ZONE      OPENED BY\ntenant-1  app, third\ntenant-2  all clients\n"
    );
    let zones = |line: &str| {
        let list = place.store_json(line);
        let zones = list.as_array().unwrap().iter();
        zones
            .map(|line| line["zone"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(zones("grant list --zone tenant-1"), ["tenant-1"]);
    assert_eq!(zones("grant list --client third"), ["tenant-1", "tenant-2"]);
    assert_eq!(zones("grant list --client billing"), ["tenant-2"]);
    assert_eq!(
        place.store_json("grant list --zone tenant-2"),
        json!([{ "zone": "tenant-2", "clients": "*" }])
    );
}

#[test]
fn the_star_is_given_and_taken_as_such() {
    let place = Place::filled();
    place.store_ok("grant add --zone tenant-1 --client *");
    let error = place.store_fails(1, "grant remove --zone tenant-1 --client app");
    assert!(
        error.starts_with("zone tenant-1 is open to all clients (`*`); remove `*` first"),
        "{error}"
    );
    let text = place.store_ok("grant remove --zone tenant-1 --client *");
    assert!(text.contains("opened by  nobody\n"), "{text}");
    assert!(
        text.contains("pgseal-keymaker grant add --zone tenant-1 --client …"),
        "{text}"
    );
    let answer = place.store_json("grant add --zone tenant-1 --client app");
    assert_eq!(answer["clients"], json!(["app"]));
}

#[test]
fn what_is_so_already_changes_nothing() {
    let place = Place::filled();
    let entries = || place.store_json("audit list").as_array().unwrap().len();
    let before = entries();
    place.store_ok("grant add --zone tenant-1 --client app");
    place.store_ok("client add third");
    place.store_ok("grant remove --zone tenant-1 --client third");
    assert_eq!(entries(), before + 1);
}

#[test]
fn unknown_zones_and_clients_are_refused() {
    let place = Place::filled();
    for (line, says) in [
        (
            "grant add --zone tenant-9 --client app",
            "there is no zone tenant-9; ",
        ),
        (
            "grant add --zone tenant-1 --client nobody",
            "there is no client nobody; ",
        ),
        (
            "grant remove --zone tenant-9 --client app",
            "there is no zone tenant-9; ",
        ),
        ("grant list --zone tenant-9", "there is no zone tenant-9; "),
        ("grant list --client nobody", "there is no client nobody; "),
    ] {
        let error = place.store_fails(1, line);
        assert!(error.starts_with(says), "{line}: {error}");
    }
    for line in [
        "grant add --zone tenant-1",
        "grant add --zone tenant-1 --client a/b",
        "grant list --zone tenant-1 --client app",
    ] {
        place.store_fails(2, line);
    }
}
