//! Who opens what: owners, keys, schedules and batches that do not belong together.

use std::collections::HashSet;

use pgseal_envelope::{
    Envelope, KeyError, Kind, MAX_PLAINTEXT, OpenError, Owner, PrivateKey, Recipient, Schedule,
    SealError, open,
};

use crate::owner;

#[test]
fn the_same_value_never_gives_the_same_envelope() {
    let (_, _, recipient) = owner(Kind::Client, "app");
    let mut batch = recipient.batch().unwrap();
    let mut seen = HashSet::new();
    for _ in 0..100 {
        assert!(seen.insert(recipient.seal(b"value").unwrap()));
        assert!(seen.insert(batch.seal(b"value").unwrap()));
    }
}

#[test]
fn the_nonces_of_a_batch_are_all_different_and_none_is_zero() {
    let (_, _, recipient) = owner(Kind::Client, "app");
    let mut batch = recipient.batch().unwrap();
    let mut nonces = HashSet::from([[0; 12]]);
    for _ in 0..1000 {
        let bytes = batch.seal(b"").unwrap();
        assert!(nonces.insert(*Envelope::at_start(&bytes).unwrap().nonce().unwrap()));
    }
}

#[test]
fn a_value_opens_for_its_own_kind_and_id_only() {
    let (_, private_key, recipient) = owner(Kind::Client, "tenant-1");
    let bytes = recipient.seal(b"value").unwrap();
    let envelope = Envelope::at_start(&bytes).unwrap();
    for (kind, id, opens) in [
        (Kind::Client, "tenant-1", true),
        (Kind::Zone, "tenant-1", false),
        (Kind::Client, "tenant-2", false),
        (Kind::Client, "Tenant-1", false),
        (Kind::Client, "tenant-10", false),
    ] {
        let opened = open(&envelope, &Owner::new(kind, id).unwrap(), &private_key);
        assert_eq!(
            opened.err(),
            (!opens).then_some(OpenError::NotAuthentic),
            "{kind} {id}"
        );
    }
}

#[test]
fn another_key_is_refused_before_it_is_used() {
    let (owner, _, recipient) = owner(Kind::Client, "app");
    let bytes = recipient.seal(b"value").unwrap();
    let envelope = Envelope::at_start(&bytes).unwrap();
    let other = PrivateKey::generate().unwrap();
    assert_eq!(
        open(&envelope, &owner, &other).err(),
        Some(OpenError::OtherKey)
    );
}

#[test]
fn a_schedule_opens_its_own_encapsulation_only() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    let mut batches = [recipient.batch().unwrap(), recipient.batch().unwrap()];
    let bytes = [
        recipient.seal(b"value").unwrap(),
        recipient.seal(b"value").unwrap(),
        batches[0].seal(b"value").unwrap(),
        batches[1].seal(b"value").unwrap(),
    ];
    let envelopes = bytes
        .each_ref()
        .map(|bytes| Envelope::at_start(bytes).unwrap());
    for (i, for_schedule) in envelopes.iter().enumerate() {
        let schedule = Schedule::derive(for_schedule, &owner, &private_key).unwrap();
        for (j, envelope) in envelopes.iter().enumerate() {
            let refused = (i != j).then_some(OpenError::OtherSchedule);
            assert_eq!(schedule.open(envelope).err(), refused, "{i} and {j}");
        }
    }
}

#[test]
fn a_batchs_schedule_does_not_open_a_value_made_to_look_single_shot() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    let mut bytes = recipient.batch().unwrap().seal(b"value").unwrap();
    let schedule =
        Schedule::derive(&Envelope::at_start(&bytes).unwrap(), &owner, &private_key).unwrap();
    bytes[20..32].fill(0);
    let envelope = Envelope::at_start(&bytes).unwrap();
    assert_eq!(
        schedule.open(&envelope).err(),
        Some(OpenError::OtherSchedule)
    );
    assert_eq!(
        open(&envelope, &owner, &private_key).err(),
        Some(OpenError::NotAuthentic)
    );
}

#[test]
fn an_encapsulated_key_of_low_order_is_refused() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    let mut bytes = recipient.seal(b"value").unwrap();
    bytes[32..64].fill(0);
    let envelope = Envelope::at_start(&bytes).unwrap();
    assert_eq!(
        open(&envelope, &owner, &private_key).err(),
        Some(OpenError::LowOrder)
    );
}

#[test]
fn a_recipient_with_another_keys_id_is_refused() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    let other = PrivateKey::generate().unwrap().public_key();
    let checked = Recipient::checked(owner.clone(), private_key.public_key(), recipient.key_id());
    assert_eq!(checked.unwrap().key_id(), recipient.key_id());
    assert_eq!(
        Recipient::checked(owner, other, recipient.key_id()).err(),
        Some(KeyError::OtherKeyId {
            found: other.key_id(),
            stated: recipient.key_id()
        }),
    );
}

#[test]
fn a_value_as_long_as_an_envelope_holds_is_sealed_and_a_longer_one_is_not() {
    let (_, _, recipient) = owner(Kind::Client, "app");
    // What follows the header is at most 2^28 bytes.
    assert_eq!(MAX_PLAINTEXT, (1 << 28) - 60);
    // Never touched, and so never really there.
    let value = vec![0; MAX_PLAINTEXT + 1];
    let longest = recipient.seal(&value[1..]).unwrap();
    assert_eq!(longest.len(), 20 + (1 << 28));
    assert!(Envelope::at_start(&longest).is_some());
    let too_long = Err(SealError::TooLong(value.len()));
    assert_eq!(recipient.seal(&value), too_long);
    assert_eq!(recipient.batch().unwrap().seal(&value), too_long);
}
