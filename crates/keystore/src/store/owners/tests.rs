use envelope::PrivateKey;

use super::*;
use crate::MasterKey;

fn store(directory: &tempfile::TempDir) -> Store {
    let path = directory.path().join("store.db");
    Store::create(&path, MasterKey::generate().unwrap(), "a test").unwrap()
}

fn id(text: &str) -> ClientId {
    text.parse().unwrap()
}

/// Adds a key whose private halves are drawn from `draws`.
fn add_key(store: &Store, owner: &str, draws: &[u8]) -> Result<KeyRecord, Error> {
    let owner = Owner::Client(id(owner));
    let added = store.by("a test").change(|tx| {
        let mut draws = draws.iter();
        keys::add_drawn(tx, &owner, 1, || {
            let byte = *draws.next().expect("more keys were drawn than expected");
            Ok(PrivateKey::from_bytes([byte; 32]))
        })
    });
    Ok(added?.0)
}

#[test]
fn a_key_pair_whose_id_is_taken_is_drawn_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    add_key(&store, "app", &[1]).unwrap();
    let key = add_key(&store, "other", &[1, 1, 2]).unwrap();
    let expected = PrivateKey::from_bytes([2; 32]).public_key();
    assert_eq!(key.public_key, expected);
    assert_eq!(store.private_key(&key).unwrap().public_key(), expected);
    let taken = PrivateKey::from_bytes([1; 32]).public_key().key_id();
    assert_eq!(store.key_by_id(taken).unwrap().unwrap().owner.id(), "app");
}

#[test]
fn a_generator_that_repeats_itself_is_not_asked_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    add_key(&store, "app", &[1]).unwrap();
    let before = store.revision().unwrap();
    let result = add_key(&store, "other", &[1; MAX_DRAWS]);
    assert!(matches!(result, Err(Error::EveryIdTaken(MAX_DRAWS))));
    assert_eq!(store.revision().unwrap(), before);
}

#[test]
fn a_change_whose_reading_was_overtaken_runs_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let author = store.by("a test");
    author.add_client(&id("app"), true, None).unwrap();
    let name = RecordName::Owner(Owner::Client(id("app")));
    let mut runs = 0;
    author
        .change(|tx| {
            runs += 1;
            let mut body: ClientBody = tx.require(&name)?;
            if runs == 1 {
                store
                    .by("another")
                    .change_client(&id("app"), None, Some(Some(7)))?;
            }
            body.create_zones = false;
            tx.put_json(&name, &body)
        })
        .unwrap();
    assert_eq!(runs, 2);
    let client = store.client(&id("app")).unwrap().unwrap();
    assert_eq!(
        (client.create_zones, client.zones_per_day),
        (false, Some(7))
    );
}

#[test]
fn a_record_that_is_too_large_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let most = MAX_VALUE - crate::seal::OVERHEAD;
    let name = RecordName::Owner(Owner::Zone("tenant-1".parse().unwrap()));
    let put = |length| store.quietly(|tx| tx.put(&name, &vec![b' '; length]));
    let says = format!(
        "zone/tenant-1 takes {} bytes, at most {most} fit into one record",
        most + 1
    );
    assert_eq!(put(most + 1).unwrap_err().to_string(), says);
    put(most).unwrap();
    assert_eq!(store.read(&name).unwrap().unwrap().body.len(), most);
}

#[test]
fn a_client_creates_as_many_zones_in_a_day_as_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let author = store.by("a test");
    author.add_client(&id("app"), true, Some(2)).unwrap();
    let zone = |creator: Option<&str>| NewZone {
        id: None,
        clients: Permitted::Only([id("app")].into()),
        creator: creator.map(id),
    };
    author.add_zone(&zone(Some("app"))).unwrap();
    author.add_zone(&zone(None)).unwrap();
    author.add_zone(&zone(Some("app"))).unwrap();
    let refused = author.add_zone(&zone(Some("app"))).unwrap_err();
    assert!(
        matches!(refused, Error::ZonesUsedUp { most: 2, .. }),
        "{refused}"
    );

    // Of another day, or with another limit, it may.
    let usage = RecordName::Usage(id("app"));
    let yesterday = UsageBody {
        day: Timestamp::now().day() - 1,
        zones: 2,
    };
    store.quietly(|tx| tx.put_json(&usage, &yesterday)).unwrap();
    author.add_zone(&zone(Some("app"))).unwrap();
    author
        .change_client(&id("app"), None, Some(Some(1)))
        .unwrap();
    assert!(author.add_zone(&zone(Some("app"))).is_err());
    author.change_client(&id("app"), None, Some(None)).unwrap();
    author.add_zone(&zone(Some("app"))).unwrap();

    // A clock that was set back begins no new day.
    author
        .change_client(&id("app"), None, Some(Some(1)))
        .unwrap();
    let tomorrow = UsageBody {
        day: Timestamp::now().day() + 1,
        zones: 1,
    };
    store.quietly(|tx| tx.put_json(&usage, &tomorrow)).unwrap();
    assert!(author.add_zone(&zone(Some("app"))).is_err());
    // One that was set far ahead, and right again, bars nobody for ever.
    let ahead = UsageBody {
        day: Timestamp::now().day() + 300,
        zones: 1,
    };
    store.quietly(|tx| tx.put_json(&usage, &ahead)).unwrap();
    author.add_zone(&zone(Some("app"))).unwrap();
    assert!(author.add_zone(&zone(Some("app"))).is_err());
}

#[test]
fn zones_with_long_lists_are_imported_fewer_at_a_time_and_at_least_one() {
    let of = |clients: usize| {
        let client = |number| id(&format!("{number:0>128}"));
        Permitted::Only((0..clients).map(client).collect())
    };
    assert_eq!(at_once(&Permitted::All), IMPORT);
    assert_eq!(at_once(&of(10)), IMPORT);
    assert_eq!(at_once(&of(1000)), 3);
    assert_eq!(at_once(&of(100_000)), 1);
}

#[test]
fn owners_are_found_by_the_beginning_of_their_ids_page_by_page_and_none_that_sorts_between() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let author = store.by("a test");
    for client in ["a", "ab", "ab-", "ab.1", "ab1", "aB", "b", "z"] {
        author.add_client(&id(client), false, None).unwrap();
    }
    let zones: Vec<ZoneId> = ["tenant-1", "tenant-10", "tenant-2", "zulu-zulu"]
        .map(|zone| zone.parse().unwrap())
        .into();
    author
        .import_zones(&zones, &Permitted::All, |_| Ok(()))
        .unwrap();
    let clients = |begins: &str, after: Option<&str>, limit: usize| {
        let after = after.map(id);
        let page = store.find_clients(begins, after.as_ref(), limit).unwrap();
        let ids = page.into_iter().map(|client| client.id.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(clients("ab", None, 10), ["ab", "ab-", "ab.1", "ab1"]);
    assert_eq!(clients("ab", None, 2), ["ab", "ab-"]);
    assert_eq!(clients("ab", Some("ab-"), 2), ["ab.1", "ab1"]);
    assert_eq!(clients("ab", Some("ab1"), 2), [""; 0]);
    // What was seen last may be of another search.
    assert_eq!(clients("ab", Some("a"), 1), ["ab"]);
    assert_eq!(clients("ab", Some("b"), 1), [""; 0]);
    assert_eq!(clients("z", None, 10), ["z"]);
    for none in ["abc", "ab/", "a/b", "%", "\u{e4}", "a\u{10ffff}", "*"] {
        assert_eq!(clients(none, None, 10), [""; 0], "{none}");
    }
    let found = store.find_zones("tenant-1", None, 10).unwrap();
    let found: Vec<_> = found.iter().map(|zone| zone.id.as_str()).collect();
    assert_eq!(found, ["tenant-1", "tenant-10"]);
}

#[test]
fn of_two_who_rotate_the_same_key_the_second_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let author = store.by("a test");
    author.add_client(&id("app"), false, None).unwrap();
    let owner = Owner::Client(id("app"));
    assert_eq!(author.rotate_key_from(&owner, 1).unwrap().version, 2);
    let before = store.revision().unwrap();
    let late = author.rotate_key_from(&owner, 1).map(drop);
    assert!(matches!(
        late,
        Err(Error::RotatedMeanwhile { found: 2, .. })
    ));
    assert_eq!(store.revision().unwrap(), before);
    assert_eq!(store.active_key(&owner).unwrap().version, 2);
}
