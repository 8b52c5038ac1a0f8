//! Properties over random owners, values and fields.

use pgseal_envelope::{
    ClientId, Envelope, Form, KeyId, Kind, Owner, PrivateKey, PublicKey, Recipient, Schedule,
    Verdict, ZoneId, armor, envelopes, find, open, open_field,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::judge;

fn any_owner() -> impl Strategy<Value = Owner> {
    let client = "[A-Za-z0-9_.:@-]{1,128}".prop_map(|id| Owner::new(Kind::Client, &id).unwrap());
    let zone = "[A-Za-z][A-Za-z0-9_.:-]{7,63}".prop_map(|id| Owner::new(Kind::Zone, &id).unwrap());
    prop_oneof![client, zone]
}

/// An owner, its private key and the recipient.
fn any_pair() -> impl Strategy<Value = (Owner, PrivateKeyBytes)> {
    (any_owner(), any::<PrivateKeyBytes>())
}

/// A private key's bytes, because a private key has no `Debug` for a failing case to be shown by.
type PrivateKeyBytes = [u8; 32];

fn pair((owner, bytes): (Owner, PrivateKeyBytes)) -> (Owner, PrivateKey, Recipient) {
    let private_key = PrivateKey::from_bytes(bytes);
    let recipient = Recipient::new(owner.clone(), private_key.public_key());
    (owner, private_key, recipient)
}

/// Bytes in which an envelope may seem to begin.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let header = (any::<[u8; 11]>(), 0_u32..200).prop_map(|(middle, length)| {
        [b"\xF5pgs\x01".as_slice(), &middle, &length.to_be_bytes()].concat()
    });
    let part = prop_oneof![
        vec(any::<u8>(), 0..200),
        Just(b"\xF5pgs\x01".to_vec()),
        Just(b"\xF5pgs\x01\x01\0\0".to_vec()),
        Just(b"pgs1.".to_vec()),
        header.clone(),
        header.prop_map(|header| armor(&header).into_bytes()),
        vec(any::<u8>(), 0..100).prop_map(|bytes| armor(&bytes).into_bytes()),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Bytes in which no envelope begins.
fn other_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(
        any::<u8>().prop_filter("not the magic's first byte", |&byte| byte != 0xF5),
        0..60,
    )
}

proptest! {
    #[test]
    fn a_value_comes_back(pair_ in any_pair(), value in vec(any::<u8>(), 0..5000)) {
        let (owner, private_key, recipient) = pair(pair_);
        let bytes = recipient.seal(&value).unwrap();
        prop_assert_eq!(bytes.len(), value.len() + 80);
        let (offset, envelope) = find(&bytes).unwrap();
        prop_assert_eq!(offset, 0);
        prop_assert_eq!(envelope.key_id(), recipient.key_id());
        let opened = open(&envelope, &owner, &private_key).unwrap();
        prop_assert_eq!(opened.expose_secret(), value);
    }

    #[test]
    fn a_batchs_values_come_back_with_one_schedule(
        pair_ in any_pair(),
        values in vec(vec(any::<u8>(), 0..500), 1..10),
    ) {
        let (owner, private_key, recipient) = pair(pair_);
        let mut batch = recipient.batch().unwrap();
        let bytes: Vec<_> = values.iter().map(|value| batch.seal(value).unwrap()).collect();
        let first = Envelope::at_start(&bytes[0]).unwrap();
        let schedule = Schedule::derive(&first, &owner, &private_key).unwrap();
        for (bytes, value) in bytes.iter().zip(&values) {
            let envelope = Envelope::at_start(bytes).unwrap();
            prop_assert_eq!(envelope.schedule_id(), first.schedule_id());
            let opened = schedule.open(&envelope).unwrap();
            prop_assert_eq!(opened.expose_secret(), value);
        }
    }

    #[test]
    fn values_open_in_their_places_and_the_rest_is_left_alone(
        pair_ in any_pair(),
        parts in vec((other_bytes(), vec(any::<u8>(), 0..50)), 1..5),
        rest in other_bytes(),
    ) {
        let (owner, private_key, recipient) = pair(pair_);
        let (mut field, mut opened) = (Vec::new(), Vec::new());
        for (other, value) in &parts {
            field.extend(other);
            field.extend(recipient.seal(value).unwrap());
            opened.extend(other);
            opened.extend(value);
        }
        field.extend(&rest);
        opened.extend(&rest);
        let edit = open_field(&field, Form::Bytes, judge(&owner, &private_key));
        prop_assert_eq!((edit.opened, edit.refused), (parts.len(), 0));
        prop_assert_eq!(&*edit.bytes.unwrap(), &opened);
    }

    #[test]
    fn armored_values_open_in_their_places_and_the_rest_is_left_alone(
        pair_ in any_pair(),
        before in "[^p\0]*",
        value in "[^\0]*",
        after in "[^p\0]*",
    ) {
        let (owner, private_key, recipient) = pair(pair_);
        let armored = armor(&recipient.seal(value.as_bytes()).unwrap());
        let field = [before.as_str(), &armored, &after].concat();
        let edit = open_field(field.as_bytes(), Form::Text, judge(&owner, &private_key));
        prop_assert_eq!((edit.opened, edit.refused), (1, 0));
        let opened = [before, value, after].concat().into_bytes();
        prop_assert_eq!(&*edit.bytes.unwrap(), &opened);
    }

    #[test]
    fn bytes_without_an_envelope_are_left_alone(field in other_bytes()) {
        prop_assert!(find(&field).is_none());
        let edit = open_field(&field, Form::Bytes, |_| unreachable!());
        prop_assert!(edit.bytes.is_none());
    }

    #[test]
    fn finding_loses_no_byte(field in any_bytes()) {
        let mut together: Vec<u8> = Vec::new();
        let mut end = 0;
        for (start, envelope) in envelopes(&field) {
            prop_assert!(start >= end);
            together.extend(&field[end..start]);
            together.extend(envelope.as_bytes());
            end = start + envelope.as_bytes().len();
        }
        together.extend(&field[end..]);
        prop_assert_eq!(together, field);
    }

    #[test]
    fn the_first_envelope_is_where_the_first_start_is_that_makes_one(field in any_bytes()) {
        let naive = (0..field.len()).find(|&at| Envelope::at_start(&field[at..]).is_some());
        prop_assert_eq!(find(&field).map(|(offset, _)| offset), naive);
    }

    #[test]
    fn any_bytes_are_judged_without_panic_and_refused_ones_stay(field in any_bytes()) {
        let private_key = PrivateKey::from_bytes([1; 32]);
        let owner = Owner::new(Kind::Client, "app").unwrap();
        for form in [Form::Bytes, Form::Text] {
            let edit = open_field(&field, form, |candidate| {
                let envelope = candidate.envelope;
                let known = envelope.suite() == 1 && envelope.flags() == 0;
                assert_eq!(envelope.enc().is_ok(), known);
                assert_eq!(envelope.nonce().is_ok(), known);
                assert_eq!(envelope.schedule_id().is_ok(), known);
                assert!(open(&envelope, &owner, &private_key).is_err());
                Verdict::Refused
            });
            prop_assert_eq!(edit.opened, 0);
            prop_assert!(edit.bytes.is_none());
        }
    }

    #[test]
    fn any_text_is_an_id_or_an_error(text in any::<String>()) {
        for id in [
            text.parse::<ClientId>().map(|id| id.to_string()),
            text.parse::<ZoneId>().map(|id| id.to_string()),
        ] {
            match id {
                Ok(id) => prop_assert_eq!(&id, &text),
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
        if let Ok(id) = text.parse::<KeyId>() {
            prop_assert_eq!(id.to_string(), text.to_lowercase());
        }
    }

    #[test]
    fn any_public_key_that_is_taken_can_be_sealed_to(bytes in any::<[u8; 32]>()) {
        if let Ok(public_key) = PublicKey::try_from(bytes) {
            let owner = Owner::new(Kind::Client, "app").unwrap();
            prop_assert!(Recipient::new(owner, public_key).seal(b"value").is_ok());
        }
    }
}
