//! Rotation, retirement, and what is told of it.

use envelope::{Owner, ZoneId};
use harness::http::Request;
use harness::until;

use super::{REFUSED, Stand, failed, opened};

#[test]
fn after_a_rotation_writers_are_told_the_new_key_and_both_open() {
    let mut stand = Stand::start();
    let (old_client, old_zone) = (stand.app.clone(), stand.zone.clone());
    let zone_path = format!("/v1/zones/{}", old_zone.owner().id());
    for (old, path) in [(&old_client, "/v1/client"), (&old_zone, zone_path.as_str())] {
        assert_eq!(stand.public_key(path).key_id(), old.key_id());
        stand.store.by("a test").rotate_key(old.owner()).unwrap();
        let new = stand.public_key(path);
        assert_ne!(new.key_id(), old.key_id());
        let [before, after] = [old, &new].map(|key| key.seal(b"a value").unwrap());
        assert_eq!(stand.read(&before), opened(b"a value"));
        assert_eq!(stand.read(&after), opened(b"a value"));
    }
}

#[test]
fn a_retired_key_stops_opening_within_a_second_and_opens_again_when_it_is_restored() {
    let mut stand = Stand::start();
    let sealed = stand.app.seal(b"a value").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"a value"));
    let app = stand.app.owner().clone();
    stand.store.by("a test").rotate_key(&app).unwrap();
    stand.store.by("a test").retire_key(&app, 1, true).unwrap();
    stand.read_soon(&sealed, &failed(REFUSED));
    assert!(stand.refused("retired") > 0);
    stand.store.by("a test").restore_key(&app, 1).unwrap();
    stand.read_soon(&sealed, &opened(b"a value"));
}

#[test]
fn the_use_of_a_key_is_written_down() {
    let mut stand = Stand::start();
    let (app, zone) = (stand.app.owner().clone(), stand.zone.owner().clone());
    assert_eq!(stand.store.last_use(&app, 1).unwrap(), None);
    let sealed = stand.app.seal(b"a value").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"a value"));
    until("the key's use to be noted", || {
        stand.store.last_use(&app, 1).unwrap()
    });
    assert_eq!(stand.store.last_use(&zone, 1).unwrap(), None);
}

#[test]
fn a_use_just_before_the_end_of_a_server_is_written_down_too() {
    let mut stand = Stand::start();
    let app = stand.app.owner().clone();
    let sealed = stand.app.seal(b"a value").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"a value"));
    let process = stand.link.server.process();
    stand.session.finish();
    assert!(process.terminate().success());
    assert!(stand.store.last_use(&app, 1).unwrap().is_some());
}

#[test]
fn a_client_is_told_when_it_has_created_as_many_zones_as_it_may() {
    let mut stand = Stand::start();
    let app = "app".parse().unwrap();
    let author = stand.store.by("a test");
    author.change_client(&app, None, Some(Some(1))).unwrap();
    let server = &stand.link.server;
    let identity = stand.keys.client_identity("app");
    let post = || server.control(&identity, &Request::post("/v1/zones"));
    let made = post();
    assert_eq!(made.status, 201);
    let refused = post();
    assert_eq!(refused.status, 429);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("1 zones a day")
    );
    let zone: ZoneId = made.json()["id"].as_str().unwrap().parse().unwrap();
    let entry = stand.store.audit(0, 1000).unwrap().pop().unwrap();
    assert_eq!(entry.by, "client app through server primary");
    // It opens right away, for its creator.
    let sealed = made.recipient().seal(b"new").unwrap();
    let read = super::read(&mut stand.session, zone.as_str(), &sealed);
    assert_eq!(read, opened(b"new"));
}

#[test]
fn one_owners_change_takes_no_other_owners_key_out_of_memory() {
    let mut stand = Stand::start();
    let sealed = stand.app.seal(b"a value").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"a value"));
    // Behind the server's back, so that only what is in memory opens.
    let database = rusqlite::Connection::open(stand.keys.store()).unwrap();
    let name = format!("key-id/{}", stand.app.key_id());
    let removed = database.execute("DELETE FROM record WHERE name = ?1", [name]);
    assert_eq!(removed.unwrap(), 1);
    let zone = Owner::Zone(stand.zone.owner().id().parse().unwrap());
    let before = stand.store.revision().unwrap();
    stand.store.by("a test").rotate_key(&zone).unwrap();
    assert!(stand.store.revision().unwrap() > before);
    // A value of the rotated zone opens again only after the server has looked.
    let rotated = stand.zone.seal(b"zoned").unwrap();
    stand.read_soon(&rotated, &opened(b"zoned"));
    assert_eq!(stand.read(&sealed), opened(b"a value"));
    // Forgotten, it would not be found again.
    stand
        .store
        .by("a test")
        .rotate_key(&stand.app.owner().clone())
        .unwrap();
    stand.read_soon(&sealed, &failed(REFUSED));
}
