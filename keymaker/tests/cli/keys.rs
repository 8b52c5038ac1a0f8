//! The life of keys: rotation, retirement, restoration, destruction.

use envelope::Owner;
use keystore::{KeyState, Timestamp};
use serde_json::Value;

use crate::support::Place;

/// A place where `app` has had two keys.
fn rotated() -> Place {
    let place = Place::filled();
    place.store_ok("key rotate --client app");
    place
}

fn app() -> Owner {
    Owner::Client("app".parse().unwrap())
}

fn state(place: &Place, owner: &Owner, version: u32) -> KeyState {
    place.open().find_key(owner, version).unwrap().state
}

/// Has a server use a version of `app`'s key now.
fn use_key(place: &Place, version: u32) {
    place.open().note_use(&[(app(), version)]).unwrap();
}

#[test]
fn a_rotation_hands_out_the_new_key_and_says_what_to_do_with_the_old_one() {
    let place = Place::filled();
    let before = place.store_json("key export-public --client app");
    let text = place.store_ok("key rotate --client app");
    for part in [
        "client  app\n",
        "version     2\n",
        "what was sealed to version 1 still opens",
        "  pgseal-keymaker key retire --client app --version 1\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let after = place.store_json("key export-public --client app");
    assert_eq!(
        (&before["version"], &after["version"]),
        (&1.into(), &2.into())
    );
    assert_ne!(before["key_id"], after["key_id"]);
    assert!(text.contains(after["key_id"].as_str().unwrap()), "{text}");
    assert_eq!(state(&place, &app(), 1), KeyState::OpenOnly);

    let again = place.store_json("key rotate --zone tenant-1");
    assert_eq!(
        (&again["kind"], &again["version"]),
        (&"zone".into(), &2.into())
    );
}

#[test]
fn a_list_tells_state_age_and_last_use() {
    let place = rotated();
    use_key(&place, 2);
    let list = place.store_json("key list --client app");
    assert_eq!(list[0]["state"], "open-only");
    assert_eq!(list[0]["last_used"], Value::Null);
    assert_eq!(list[1]["state"], "active");
    for (field, at) in [("created", 0), ("last_used", 1)] {
        let time = list[at][field].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    let text = place.store_ok("key list --client app");
    let lines: Vec<_> = text.lines().collect();
    let titles: Vec<_> = lines[0].split_whitespace().collect();
    assert!(
        titles.ends_with(&["CREATED", "AGE", "LAST", "USED"]),
        "{text}"
    );
    assert!(
        lines[1].ends_with("never") && lines[2].ends_with(" ago"),
        "{text}"
    );
}

#[test]
fn a_key_is_retired_and_restored() {
    let place = rotated();
    let text = place.store_ok("key retire --client app --version 1");
    assert!(text.contains("state    retired\n"), "{text}");
    assert!(
        text.contains("  pgseal-keymaker key restore --client app --version 1\n"),
        "{text}"
    );
    assert_eq!(state(&place, &app(), 1), KeyState::Retired);
    let answer = place.store_json("key restore --client app --version 1");
    assert_eq!(answer["state"], "open-only");
    assert_eq!(state(&place, &app(), 1), KeyState::OpenOnly);
}

#[test]
fn a_destroyed_key_has_a_receipt_that_is_given_again() {
    let place = rotated();
    let answer = place.store_json("key destroy --client app --version 1 --yes");
    assert_eq!(answer["owner"], "client/app");
    assert_eq!(answer["version"], 1);
    assert!(answer["destroyed"].as_str().unwrap().ends_with('Z'));
    assert!(answer["receipt"]["signature"].is_string());
    assert_eq!(state(&place, &app(), 1), KeyState::Destroyed);
    assert_eq!(
        place.store_json("key destroy --client app --version 1 --yes"),
        answer
    );
    let text = place.store_ok("key destroy --client app --version 1 --yes");
    assert!(
        text.contains("Copies of the store made between 20"),
        "{text}"
    );
}

#[test]
fn a_key_used_lately_is_retired_or_destroyed_by_force_only() {
    let place = rotated();
    use_key(&place, 1);
    for line in [
        "key retire --client app --version 1",
        "key destroy --client app --version 1 --yes",
    ] {
        let error = place.store_fails(1, line);
        assert!(
            error.starts_with("key version 1 of client app was last used 20"),
            "{error}"
        );
        assert!(error.contains("or give --force"), "{error}");
        place.store_ok(&format!("{line} --force"));
    }
    assert_eq!(state(&place, &app(), 1), KeyState::Destroyed);
}

#[test]
fn keys_in_another_state_or_not_there_are_refused() {
    let place = rotated();
    for (line, says) in [
        (
            "key retire --client app --version 2",
            "key version 2 of client app is active, and must be open-only",
        ),
        (
            "key destroy --client app --version 2 --yes",
            "key version 2 of client app is active, and must be",
        ),
        (
            "key restore --client app --version 1",
            "key version 1 of client app is open-only",
        ),
        (
            "key retire --client app --version 3",
            "there is no key of client app with version 3",
        ),
        (
            "key retire --client nobody --version 1",
            "there is no client nobody; ",
        ),
        (
            "key restore --zone tenant-9 --version 1",
            "there is no zone tenant-9; ",
        ),
        (
            "key destroy --zone tenant-9 --version 1 --yes",
            "there is no zone tenant-9; ",
        ),
        ("key rotate --client nobody", "there is no client nobody; "),
        ("key rotate --zone tenant-9", "there is no zone tenant-9; "),
    ] {
        // Restoring what is open already changes nothing, and is no error.
        if line.starts_with("key restore --client") {
            place.store_ok(line);
            continue;
        }
        let error = place.store_fails(1, line);
        assert!(error.starts_with(says), "{line}: {error}");
    }
    place.store_ok("key destroy --client app --version 1 --yes");
    let error = place.store_fails(1, "key restore --client app --version 1");
    assert!(
        error.starts_with("key version 1 of client app is destroyed"),
        "{error}"
    );
}

#[test]
fn a_destruction_is_confirmed_by_typing_or_on_the_command_line() {
    let place = rotated();
    let line = "key destroy --client app --version 1";
    let error = place.store_fails(2, line);
    assert_eq!(
        error,
        "this cannot be undone: give --yes, or run it on a terminal"
    );
    let (said, code) = place.types(line, "apq");
    assert_eq!(code, 1, "{said}");
    assert!(
        said.ends_with("nothing was changed: what was typed is not app\n"),
        "{said}"
    );
    assert_eq!(state(&place, &app(), 1), KeyState::OpenOnly);
    let (said, code) = place.types(line, "app");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.starts_with(
            "Every value sealed to version 1 of client app is lost for good. Type app"
        )
    );
    assert_eq!(state(&place, &app(), 1), KeyState::Destroyed);
    // What is refused anyway is not asked for.
    let (said, code) = place.types("key destroy --client app --version 2", "app");
    assert_eq!(code, 1);
    assert!(!said.contains("Type"), "{said}");
}

#[test]
fn what_a_client_may_do_is_changed_and_listed() {
    let place = Place::filled();
    let limits = |place: &Place| {
        let list = place.store_json("client list");
        (
            list[0]["create_zones"].clone(),
            list[0]["zones_per_day"].clone(),
        )
    };
    assert_eq!(limits(&place), (true.into(), Value::Null));
    let text = place.store_ok("client set app --zones-per-day 7");
    assert_eq!(text, "client  app\nzones   may create 7 a day (UTC)\n");
    assert_eq!(limits(&place), (true.into(), 7.into()));
    let text = place.store_ok("client set app --create-zones false");
    assert!(
        text.contains("The 7 a day count once it may create zones"),
        "{text}"
    );
    assert_eq!(limits(&place), (false.into(), 7.into()));
    place.store_ok("client set app --create-zones true --zones-per-day unlimited");
    assert_eq!(limits(&place), (true.into(), Value::Null));
    assert!(
        place
            .store_ok("client list")
            .contains("app      yes            unlimited")
    );

    let error = place.store_fails(1, "client set nobody --create-zones true");
    assert!(error.starts_with("there is no client nobody"), "{error}");
    for line in [
        "client set app",
        "client set app --zones-per-day -1",
        "client set app --zones-per-day 4294967296",
        "client set app --create-zones perhaps",
    ] {
        place.store_fails(2, line);
    }
}

#[test]
fn a_new_key_is_as_old_as_its_rotation() {
    let place = rotated();
    let key = place.open().find_key(&app(), 2).unwrap();
    assert!(Timestamp::now().since(key.created).as_secs() < 60);
}
