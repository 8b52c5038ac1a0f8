//! Destroyed keys: what they sealed is shredded, and told from what is damaged.

use std::time::{Duration, Instant};

use envelope::{Owner, ZoneId};
use harness::http::Request;
use harness::{Chain, until};
use keystore::Fate;

use super::{REFUSED, SHREDDED, Stand, failed, opened, session};

fn zone(stand: &Stand) -> ZoneId {
    stand.zone.owner().id().parse().unwrap()
}

#[test]
fn values_of_a_destroyed_zone_read_as_shredded_within_a_second_and_damaged_ones_do_not() {
    let mut stand = Stand::start();
    let id = zone(&stand);
    let sealed = stand.zone.seal(b"zoned").unwrap();
    let mut damaged = stand.zone.seal(b"zoned").unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(stand.read(&sealed), opened(b"zoned"));
    assert_eq!(stand.read(&damaged), failed(REFUSED));

    let author = stand.store.by("a test");
    author.order_destruction(&id, Duration::ZERO).unwrap();
    author.destroy_zone(&id).unwrap();
    stand.read_soon(&sealed, &failed(SHREDDED));
    assert!(stand.refused("shredded") > 0);

    let other = stand.app.seal(b"still there").unwrap();
    assert_eq!(stand.read(&other), opened(b"still there"));
    let gone = stand
        .link
        .connector
        .api(&Request::get(&format!("/v1/zones/{id}")));
    assert_eq!(gone.status, 410);
    assert!(
        gone.json()["error"]
            .as_str()
            .unwrap()
            .contains("was destroyed")
    );
}

#[test]
fn only_who_may_open_for_a_zone_is_told_that_its_values_are_shredded() {
    let mut stand = Stand::start();
    let id = zone(&stand);
    let sealed = stand.zone.seal(b"zoned").unwrap();
    let author = stand.store.by("a test");
    author.order_destruction(&id, Duration::ZERO).unwrap();
    author.destroy_zone(&id).unwrap();
    stand.read_soon(&sealed, &failed(SHREDDED));
    // Without the tag, and as another client.
    let answer = super::read(&mut stand.session, "no-tag-of-it", &sealed);
    assert_eq!(answer, failed(REFUSED));
    let connector = stand.link.connector_of(&stand.keys, "other");
    stand.session = connector.address().raw();
    stand.session.start();
    assert_eq!(stand.read(&sealed), failed(REFUSED));
}

#[test]
fn a_zone_to_be_destroyed_does_not_open_and_is_kept_or_destroyed_by_the_server_when_its_time_has_come()
 {
    let mut stand = Stand::start();
    let id = zone(&stand);
    let sealed = stand.zone.seal(b"zoned").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"zoned"));
    let author = stand.store.by("a test");
    author
        .order_destruction(&id, Duration::from_secs(3600))
        .unwrap();
    stand.read_soon(&sealed, &failed(REFUSED));
    assert!(stand.refused("destroying") > 0);
    stand.store.by("a test").cancel_destruction(&id).unwrap();
    stand.read_soon(&sealed, &opened(b"zoned"));

    let (grace, ordered) = (Duration::from_secs(2), Instant::now());
    stand
        .store
        .by("a test")
        .order_destruction(&id, grace)
        .unwrap();
    let fate = || stand.store.zone(&id).unwrap().unwrap().fate;
    until("the zone to be destroyed", || {
        matches!(fate(), Fate::Destroyed { .. }).then_some(())
    });
    assert!(ordered.elapsed() >= grace - Duration::from_secs(1));
    stand.read_soon(&sealed, &failed(SHREDDED));
    let owner = Owner::Zone(id);
    let receipt = stand.store.receipt(&owner, 1).unwrap().unwrap();
    assert_eq!(receipt.key_id, stand.zone.key_id().to_string());
    let last = stand.store.audit(0, 1000).unwrap().pop().unwrap();
    assert_eq!(last.by, "server primary");
    let audited = stand.store.verify_audit(None, |_| {}).unwrap();
    assert_eq!((audited.receipts, audited.faults), (1, Vec::new()));
}

#[test]
fn a_destroyed_zones_key_is_in_no_file_of_the_store_and_no_servers_memory_opens_with_it() {
    let mut stand = Stand::start();
    let id = zone(&stand);
    // One that has been opened before: its schedule is in memory.
    let sealed = stand.zone.seal(b"zoned").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"zoned"));
    let second = Chain::builder()
        .zone_mode("mixed")
        .on_refused("error")
        .start_link(&stand.keys);
    let mut elsewhere = session(&second);
    let tag = &stand.zone.owner().id().to_owned();
    assert_eq!(super::read(&mut elsewhere, tag, &sealed), opened(b"zoned"));

    let author = stand.store.by("a test");
    author.order_destruction(&id, Duration::ZERO).unwrap();
    author.destroy_zone(&id).unwrap();
    let done = Instant::now();
    stand.read_soon(&sealed, &failed(SHREDDED));
    while super::read(&mut elsewhere, tag, &sealed) != failed(SHREDDED) {
        assert!(done.elapsed() <= super::PROMISE);
    }
}
