//! Who may open for a zone, and which certificates nobody accepts.

use std::collections::BTreeSet;

use pgseal_keystore::{Error, Permitted, Revoked, Serial, Timestamp};

use super::{Place, client, zone};

fn clients(place: &Place) -> Permitted {
    place.again().zone(&zone()).unwrap().unwrap().clients
}

#[test]
fn a_grant_is_added_and_taken_away() {
    let place = Place::new();
    let author = place.author();
    author.add_grant(&zone(), Some(&client("other"))).unwrap();
    let both = Permitted::Only([client("app"), client("other")].into());
    assert_eq!(clients(&place), both);
    author.remove_grant(&zone(), Some(&client("app"))).unwrap();
    assert_eq!(clients(&place), Permitted::Only([client("other")].into()));
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn a_grant_that_is_there_or_not_there_already_changes_nothing() {
    let place = Place::new();
    let before = place.store.revision().unwrap();
    let author = place.author();
    author.add_grant(&zone(), Some(&client("app"))).unwrap();
    author
        .remove_grant(&zone(), Some(&client("other")))
        .unwrap();
    assert_eq!(place.store.revision().unwrap(), before);
}

#[test]
fn all_clients_are_granted_and_taken_away_as_one() {
    let place = Place::new();
    let author = place.author();
    author.add_grant(&zone(), None).unwrap();
    assert_eq!(clients(&place), Permitted::All);
    let error = author.remove_grant(&zone(), Some(&client("app")));
    assert!(matches!(error, Err(Error::GrantedToAll(_))));
    author.remove_grant(&zone(), None).unwrap();
    assert_eq!(clients(&place), Permitted::Only(BTreeSet::new()));
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn grants_of_unknown_zones_and_to_unknown_clients_are_refused_by_name() {
    let place = Place::new();
    let nowhere = "tenant-9".parse().unwrap();
    let author = place.author();
    let errors = [
        author
            .add_grant(&zone(), Some(&client("nobody")))
            .unwrap_err(),
        author
            .add_grant(&nowhere, Some(&client("app")))
            .unwrap_err(),
        author.remove_grant(&nowhere, None).unwrap_err(),
    ];
    let texts = errors.map(|error| error.to_string());
    assert!(
        texts[0].starts_with("there is no client nobody"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].starts_with("there is no zone tenant-9"),
        "{}",
        texts[1]
    );
    assert!(
        texts[2].starts_with("there is no zone tenant-9"),
        "{}",
        texts[2]
    );
}

fn serial(text: &str) -> Serial {
    text.parse().unwrap()
}

fn revoked(expires: Option<Timestamp>) -> Revoked {
    Revoked {
        identity: Some("client/app".into()),
        at: Timestamp::now(),
        expires,
        reason: None,
    }
}

#[test]
fn a_revoked_certificate_is_listed_once_and_the_list_is_counted() {
    let place = Place::new();
    assert_eq!(place.store.revocations().unwrap().number, 0);
    let one = (serial("0a1b"), revoked(None));
    assert_eq!(
        place.author().revoke(std::slice::from_ref(&one)).unwrap(),
        std::slice::from_ref(&one.0)
    );
    assert!(
        place
            .author()
            .revoke(std::slice::from_ref(&one))
            .unwrap()
            .is_empty()
    );
    let list = place.again().revocations().unwrap();
    assert_eq!((list.number, list.certificates.len()), (1, 1));
    assert_eq!(list.certificates[&one.0], one.1);
    assert_eq!(place.faults(), Vec::<String>::new());
}

/// Certificates that have expired long ago, and are revoked.
fn expired(count: u32) -> Vec<(Serial, Revoked)> {
    let long_ago = Timestamp::from_seconds(1);
    let one = |number: u32| (serial(&format!("{number:08x}")), revoked(long_ago));
    (1..=count).map(one).collect()
}

#[test]
fn a_revocation_stays_on_a_short_list_whatever_the_time_is_said_to_be() {
    let place = Place::new();
    place.author().revoke(&expired(999)).unwrap();
    let valid = (serial("0a1b2c3d4e"), revoked(None));
    place.author().revoke(&[valid]).unwrap();
    assert_eq!(place.store.revocations().unwrap().certificates.len(), 1000);
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn what_has_expired_leaves_a_long_list_when_it_is_written_the_next_time() {
    let place = Place::new();
    place.author().revoke(&expired(1000)).unwrap();
    let valid = (serial("0a1b2c3d4e"), revoked(None));
    place.author().revoke(std::slice::from_ref(&valid)).unwrap();
    let list = place.store.revocations().unwrap();
    assert_eq!(list.certificates.keys().collect::<Vec<_>>(), [&valid.0]);
    assert_eq!(place.faults(), Vec::<String>::new());
}

#[test]
fn a_list_of_revocations_that_was_taken_away_or_altered_is_an_error_by_name() {
    let place = Place::new();
    let empty = place.value("revocations").unwrap();
    place
        .author()
        .revoke(&[(serial("0a1b"), revoked(None))])
        .unwrap();
    // An older list that was put back is authentic, and is found by what the log says.
    place.set_value("revocations", &empty);
    assert_eq!(
        place.faults(),
        ["the revocation of certificate 0a1b is missing from record revocations"]
    );
    place.set_value("revocations", &[0; 80]);
    let error = place.store.revocations().unwrap_err().to_string();
    assert!(error.starts_with("record revocations in "), "{error}");
    place.remove("revocations");
    let error = place.store.revocations().unwrap_err().to_string();
    assert!(
        error.starts_with("record revocations is missing"),
        "{error}"
    );
}
