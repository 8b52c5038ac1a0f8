//! Keys and certificates, made by the keymaker and by hand.

use envelope::Owner;
use harness::raw::tls::Hello;
use harness::{Ca, Identity, Impostor, Keys, Leaf, until};

#[test]
fn clients_and_zones_have_public_keys_to_seal_to() {
    let keys = Keys::new();
    let app = keys.add_client("app");
    assert_eq!(app.owner(), &Owner::Client("app".parse().unwrap()));
    assert_eq!(keys.client("app").key_id(), app.key_id());

    let zone = keys.add_zone(&["app"]);
    assert!(matches!(zone.owner(), Owner::Zone(id) if id.as_str().starts_with("DDDDDDDD")));
    assert_eq!(keys.zone(zone.owner().id()).key_id(), zone.key_id());

    let sealed = app.seal(b"a value").unwrap();
    let (offset, found) = envelope::find(&sealed).unwrap();
    assert_eq!((offset, found.key_id()), (0, app.key_id()));
}

#[test]
fn every_test_has_a_store_of_its_own() {
    let (one, other) = (Keys::new(), Keys::new());
    assert_ne!(
        one.add_client("app").key_id(),
        other.add_client("app").key_id()
    );
    one.add_zone_creator("only-here");
    let missing = other.keymaker(&["key", "export-public", "--client", "only-here"]);
    assert_eq!(missing.code, Some(1), "{}", missing.stderr);
}

#[test]
fn the_keymakers_certificates_and_those_made_by_hand_serve_both_ends_of_tls() {
    let (keys, ca) = (Keys::new(), Ca::new());
    let ends = [
        (keys.server_identity("primary"), keys.client_identity("app")),
        (
            ca.issue(&Leaf::server("primary")),
            ca.issue(&Leaf::client("app")),
        ),
        (
            ca.issue(&Leaf::client("app").any_usage()),
            ca.issue(&Leaf::admin("root").expired()),
        ),
        (
            keys.admin_identity("root"),
            ca.issue(&Leaf::client("app").not_yet_valid()),
        ),
    ];
    for (server, client) in ends {
        let impostor = Impostor::start(&server);
        let mut session = Hello::from(&client).connect(impostor.port()).unwrap();
        session.send("hello");
        until("the impostor to hear", || {
            (impostor.heard() == b"hello").then_some(())
        });
    }
}

#[test]
fn certificates_are_made_once_and_trust_their_own_ca() {
    let identity = Keys::new().client_identity("app");
    assert_eq!(identity, Keys::new().client_identity("app"));
    assert_eq!(identity.ca, Keys::new().ca());
    assert!(identity.ca.is_file());
    let trusting = Identity {
        ca: Ca::new().certificate().to_owned(),
        ..identity.clone()
    };
    assert_ne!(trusting, identity);
}
