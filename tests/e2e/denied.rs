//! Values that a session may not open, or that were tampered with, come back sealed, byte for byte.

use envelope::Recipient;
use harness::raw::{Session, literal, rows};
use harness::{Chain, Connector, Keys, Link};

/// One link in mode mixed, and two clients that each have a connector to it.
struct Stand {
    other_connector: Connector,
    link: Link,
    keys: Keys,
    app: Recipient,
    other: Recipient,
}

impl Stand {
    fn start(zone_mode: &str) -> Self {
        let keys = Keys::new();
        let (app, other) = (keys.add_client("app"), keys.add_client("other"));
        let link = Chain::builder().zone_mode(zone_mode).start_link(&keys);
        Self {
            other_connector: link.connector_of(&keys, "other"),
            link,
            keys,
            app,
            other,
        }
    }

    /// Sessions of `app` and of `other`.
    fn sessions(&self) -> [Session; 2] {
        [&self.link.connector, &self.other_connector].map(|connector| {
            let mut session = connector.address().raw();
            session.start();
            session
        })
    }

    fn refused(&self, reason: &str) -> u64 {
        let line = format!(r#"values_refused_total{{reason="{reason}"}}"#);
        self.link.server.counted(&line)
    }
}

/// What `value` comes back as when `before` stands before it in the row.
#[track_caller]
fn read(session: &mut Session, before: &str, value: &[u8]) -> Vec<u8> {
    let answer = session.extended(&format!("select '{before}', {}", literal(value)), 1);
    match rows(&answer).pop().as_deref_mut() {
        Some([_, Some(value)]) => std::mem::take(value),
        _ => panic!("no value: {answer:?}"),
    }
}

#[test]
fn a_value_of_one_zone_opens_with_no_tag_but_its_own() {
    let stand = Stand::start("mixed");
    let [a, b] = [(); 2].map(|()| stand.keys.add_zone(&["app"]));
    let [tag_a, tag_b] = [&a, &b].map(|zone| zone.owner().id());
    let sealed = a.seal(b"of zone a").unwrap();
    let behind = |tag: &str| [format!("[{tag}]").as_bytes(), &sealed].concat();
    let [mut session, _] = stand.sessions();
    assert_eq!(read(&mut session, tag_a, &sealed), b"of zone a");
    assert_eq!(read(&mut session, "", &behind(tag_a)), b"of zone a");
    for (before, value) in [
        (tag_b, sealed.clone()),
        ("", sealed.clone()),
        ("app", sealed.clone()),
        ("", behind(tag_b)),
        (tag_b, behind(tag_b)),
    ] {
        assert_eq!(
            read(&mut session, before, &value),
            value,
            "after '{before}'"
        );
    }
    assert_eq!(stand.refused("not_tagged"), 5);
}

#[test]
fn a_value_of_a_zone_does_not_open_with_zone_mode_off() {
    let mut stand = Stand::start("mixed");
    let zone = stand.keys.add_zone(&["app"]);
    let tag = zone.owner().id();
    let sealed = zone.seal(b"of a zone").unwrap();
    let [mut session, _] = stand.sessions();
    // Its key is in memory, and its schedule too.
    assert_eq!(read(&mut session, tag, &sealed), b"of a zone");
    stand.link.server.apply(&["zone_mode = 'off'"]);
    assert_eq!(read(&mut session, tag, &sealed), sealed);
    assert_eq!(stand.refused("zone_mode"), 1);
}

#[test]
fn a_value_opens_with_no_bit_of_its_header_changed() {
    let stand = Stand::start("mixed");
    let zone = stand.keys.add_zone(&["app"]);
    let tag = zone.owner().id();
    let [mut session, _] = stand.sessions();
    for recipient in [&stand.app, &zone] {
        let clear = b"4000 0012 3456 7899";
        let single = recipient.seal(clear).unwrap();
        let batched = recipient.batch().unwrap().seal(clear).unwrap();
        for sealed in [single, batched] {
            assert_eq!(read(&mut session, tag, &sealed), clear);
            let edited: Vec<Vec<u8>> = (0..20 * 8)
                .map(|bit| {
                    let mut edited = sealed.clone();
                    edited[bit / 8] ^= 1 << (bit % 8);
                    edited
                })
                .collect();
            let values: Vec<String> = edited.iter().map(|value| literal(value)).collect();
            let select = format!("select '{tag}', {}", values.join(", "));
            let answer = rows(&session.extended(&select, 1)).pop().unwrap();
            assert_eq!(answer.len(), 1 + edited.len());
            for (bit, (field, edited)) in answer[1..].iter().zip(&edited).enumerate() {
                assert_eq!(
                    field.as_ref(),
                    Some(edited),
                    "bit {} of byte {}",
                    bit % 8,
                    bit / 8
                );
            }
        }
    }
}

#[test]
fn a_value_opens_with_no_byte_behind_its_header_changed_and_not_cut_short() {
    let stand = Stand::start("off");
    let sealed = stand.app.seal(b"short").unwrap();
    let [mut session, _] = stand.sessions();
    assert_eq!(read(&mut session, "", &sealed), b"short");
    let edited = (20..sealed.len()).map(|place| {
        let mut edited = sealed.clone();
        edited[place] ^= 1;
        edited
    });
    // A row takes no more than 64 that are not authentic.
    let edited: Vec<Vec<u8>> = edited
        .chain([sealed[..sealed.len() - 1].to_vec()])
        .collect();
    for some in edited.chunks(60) {
        let values: Vec<String> = some.iter().map(|value| literal(value)).collect();
        let answer = session.extended(&format!("select {}", values.join(", ")), 1);
        let expected: Vec<_> = some.iter().cloned().map(Some).collect();
        assert_eq!(rows(&answer), [expected]);
    }
    assert_eq!(stand.refused("not_authentic"), sealed.len() as u64 - 20);
    assert_eq!(stand.refused("untried"), 0);
}

#[test]
fn a_value_of_one_client_does_not_open_for_another() {
    let stand = Stand::start("mixed");
    let [mut app, mut other] = stand.sessions();
    let (of_app, of_other) = (
        stand.app.seal(b"app's").unwrap(),
        stand.other.seal(b"other's").unwrap(),
    );
    assert_eq!(read(&mut app, "", &of_app), b"app's");
    assert_eq!(read(&mut other, "", &of_other), b"other's");
    // Both keys are in memory now.
    assert_eq!(read(&mut other, "app", &of_app), of_app);
    assert_eq!(read(&mut app, "other", &of_other), of_other);
    assert_eq!(stand.refused("not_permitted"), 2);
}

#[test]
fn a_value_said_to_be_sealed_to_another_owner_does_not_open() {
    let stand = Stand::start("mixed");
    let zone = stand.keys.add_zone(&["app"]);
    // The public key is right, the owner is not: what is sealed says whom it was meant for.
    let as_other = Recipient::new(stand.other.owner().clone(), stand.app.public_key());
    let as_zone = Recipient::new(zone.owner().clone(), stand.app.public_key());
    let [mut session, _] = stand.sessions();
    for recipient in [as_other, as_zone] {
        let sealed = recipient.seal(b"meant for somebody else").unwrap();
        assert_eq!(read(&mut session, zone.owner().id(), &sealed), sealed);
    }
    assert_eq!(stand.refused("not_authentic"), 2);
}

#[test]
fn a_zones_value_does_not_open_for_a_client_it_does_not_list_though_its_key_is_in_memory() {
    let stand = Stand::start("on");
    let zone = stand.keys.add_zone(&["app"]);
    let tag = zone.owner().id();
    let sealed = zone.seal(b"of a zone").unwrap();
    let [mut app, mut other] = stand.sessions();
    assert_eq!(read(&mut app, tag, &sealed), b"of a zone");
    assert_eq!(read(&mut other, tag, &sealed), sealed);
    let behind = [format!("[{tag}]").as_bytes(), &sealed].concat();
    assert_eq!(read(&mut other, tag, &behind), behind);
    assert_eq!(stand.refused("not_permitted"), 2);
    assert_eq!(read(&mut app, tag, &sealed), b"of a zone");
}

#[test]
fn a_zone_opens_for_every_client_it_lists_and_for_all_where_it_says_so() {
    let stand = Stand::start("on");
    for clients in [["app", "other"].as_slice(), &["*"]] {
        let zone = stand.keys.add_zone(clients);
        let sealed = zone.seal(b"of a zone").unwrap();
        for mut session in stand.sessions() {
            let opened = read(&mut session, zone.owner().id(), &sealed);
            assert_eq!(opened, b"of a zone", "{clients:?}");
        }
    }
}
