//! Every bit and every length of an envelope counts.

use pgseal_envelope::{Form, Kind, OpenError, armor, envelopes, find, open, open_field};

use crate::{judge, owner};

/// What becomes of an envelope with one bit of this byte flipped.
fn outcome(byte: usize) -> &'static [Option<OpenError>] {
    match byte {
        0..5 => &[None],
        5 => &[Some(OpenError::UnknownSuite(0))],
        6..8 => &[Some(OpenError::Flags(0))],
        8..16 => &[Some(OpenError::OtherKey)],
        // A shorter length cuts the tag, a longer one reaches beyond the field.
        16..20 => &[None, Some(OpenError::NotAuthentic)],
        _ => &[Some(OpenError::NotAuthentic)],
    }
}

fn every_flipped_bit_is_refused(kind: Kind, id: &str, batch: bool) {
    let (owner, private_key, recipient) = owner(kind, id);
    let value = b"a value";
    let mut bytes = match batch {
        true => recipient.batch().unwrap().seal(value).unwrap(),
        false => recipient.seal(value).unwrap(),
    };
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            bytes[byte] ^= 1 << bit;
            let error = find(&bytes).map(|(offset, envelope)| {
                assert_eq!(offset, 0);
                match open(&envelope, &owner, &private_key)
                    .map(|_| "opened")
                    .unwrap_err()
                {
                    OpenError::UnknownSuite(suite) => {
                        assert_eq!(suite, 1 ^ (1 << bit));
                        OpenError::UnknownSuite(0)
                    }
                    OpenError::Flags(flags) => {
                        assert_eq!(flags.count_ones(), 1);
                        OpenError::Flags(0)
                    }
                    error => error,
                }
            });
            assert!(
                outcome(byte).contains(&error),
                "bit {bit} of byte {byte}: {error:?}"
            );
            bytes[byte] ^= 1 << bit;
        }
    }
    let (_, envelope) = find(&bytes).unwrap();
    assert_eq!(
        open(&envelope, &owner, &private_key)
            .unwrap()
            .expose_secret(),
        value
    );
}

#[test]
fn every_flipped_bit_of_a_clients_value_is_refused() {
    every_flipped_bit_is_refused(Kind::Client, "app", false);
}

#[test]
fn every_flipped_bit_of_a_zones_value_is_refused() {
    every_flipped_bit_is_refused(Kind::Zone, "tenant-1", false);
}

#[test]
fn every_flipped_bit_of_a_batchs_value_is_refused() {
    every_flipped_bit_is_refused(Kind::Zone, "tenant-1", true);
}

#[test]
fn a_truncated_envelope_is_none_at_any_length() {
    let (_, _, recipient) = owner(Kind::Client, "app");
    let bytes = recipient.seal(b"a value").unwrap();
    for length in 0..bytes.len() {
        assert_eq!(envelopes(&bytes[..length]).count(), 0, "{length} bytes");
    }
}

#[test]
fn bytes_appended_stay_and_bytes_appended_with_their_length_are_refused() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    let mut bytes = recipient.seal(b"a value").unwrap();
    bytes.push(b'!');
    let edit = open_field(&bytes, Form::Bytes, judge(&owner, &private_key));
    assert_eq!(edit.bytes.unwrap().as_slice(), b"a value!");

    bytes[19] += 1;
    let edit = open_field(&bytes, Form::Bytes, judge(&owner, &private_key));
    assert_eq!((edit.opened, edit.refused), (0, 1));
}

#[test]
fn every_character_of_an_armor_changed_to_any_other_keeps_it_shut() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    // 81 bytes: no unused bits in the last character, so that each of them counts.
    let armored = armor(&recipient.seal(b"v").unwrap()).into_bytes();
    let judge = judge(&owner, &private_key);
    for place in 0..armored.len() {
        for character in [b'A', b'B', b'-', b'_', b'.', b'=', b'+', b'\n', 0, 0xff] {
            let mut altered = armored.clone();
            if altered[place] == character {
                continue;
            }
            altered[place] = character;
            let edit = open_field(&altered, Form::Text, &judge);
            assert_eq!(edit.opened, 0, "{character} at {place}");
            assert!(edit.bytes.is_none());
        }
    }
    assert_eq!(open_field(&armored, Form::Text, &judge).opened, 1);
}

#[test]
fn a_truncated_armor_is_none_at_any_length() {
    let (_, _, recipient) = owner(Kind::Client, "app");
    let armored = armor(&recipient.seal(b"a value").unwrap());
    for length in 0..armored.len() {
        let edit = open_field(
            &armored.as_bytes()[..length],
            Form::Text,
            |_| unreachable!(),
        );
        assert_eq!((edit.opened, edit.refused), (0, 0), "{length} characters");
    }
}
