//! Grants.

use envelope::{ClientId, ZoneId};

use super::{REFUSED, Read, Stand, failed, opened, read};

#[test]
fn a_grant_that_is_taken_away_and_given_again_holds_in_a_running_session_within_a_second() {
    let mut stand = Stand::start();
    let zone: ZoneId = stand.zone.owner().id().parse().unwrap();
    let app: ClientId = "app".parse().unwrap();
    let sealed = stand.zone.seal(b"zoned").unwrap();
    assert_eq!(stand.read(&sealed), opened(b"zoned"));
    stand
        .store
        .by("a test")
        .remove_grant(&zone, Some(&app))
        .unwrap();
    stand.read_soon(&sealed, &failed(REFUSED));
    assert!(stand.refused("not_permitted") > 0);
    stand
        .store
        .by("a test")
        .add_grant(&zone, Some(&app))
        .unwrap();
    stand.read_soon(&sealed, &opened(b"zoned"));
}

#[test]
fn a_grant_to_another_client_opens_in_its_running_session() {
    let mut stand = Stand::start();
    let zone: ZoneId = stand.zone.owner().id().parse().unwrap();
    let sealed = stand.zone.seal(b"zoned").unwrap();
    let connector = stand.link.connector_of(&stand.keys, "other");
    let mut session = connector.address().raw();
    session.start();
    let own = std::mem::replace(&mut stand.session, session);
    assert_eq!(stand.read(&sealed), failed(REFUSED));
    let other: ClientId = "other".parse().unwrap();
    stand
        .store
        .by("a test")
        .add_grant(&zone, Some(&other))
        .unwrap();
    stand.read_soon(&sealed, &opened(b"zoned"));
    stand
        .store
        .by("a test")
        .remove_grant(&zone, Some(&other))
        .unwrap();
    stand.read_soon(&sealed, &failed(REFUSED));
    // All clients, said explicitly.
    stand.store.by("a test").add_grant(&zone, None).unwrap();
    stand.read_soon(&sealed, &opened(b"zoned"));
    stand.session = own;
    assert_eq!(stand.read(&sealed), opened(b"zoned"));
}

#[test]
fn a_zone_that_a_client_created_lists_it_and_opens_for_nobody_else() {
    let mut stand = Stand::start();
    let identity = stand.keys.client_identity("app");
    let made = stand
        .link
        .server
        .control(&identity, &harness::http::Request::post("/v1/zones"));
    let recipient = made.recipient();
    let sealed = recipient.seal(b"theirs").unwrap();
    let tag = recipient.owner().id().to_owned();
    let connector = stand.link.connector_of(&stand.keys, "other");
    let mut others = connector.address().raw();
    others.start();
    assert_eq!(read(&mut stand.session, &tag, &sealed), opened(b"theirs"));
    assert_eq!(
        read(&mut others, &tag, &sealed),
        Read::Failed(REFUSED.into())
    );
}
