//! Fields made to be slow or to ask for memory. None of these would end if the work grew with the
//! square of the field.

use pgseal_envelope::{Form, Kind, Verdict, armor, envelopes, find, open_field};

use crate::{judge, owner};

const START: &[u8] = b"\xF5pgs\x01";
/// Bytes of each field.
const SIZE: usize = 4 << 20;

/// The first 20 bytes of an envelope, with this suite and length.
fn header(suite: u8, length: u32) -> Vec<u8> {
    [START, &[suite, 0, 0], &[7; 8], &length.to_be_bytes()].concat()
}

/// `part` again and again, to the size of a field.
fn repeated(part: &[u8]) -> Vec<u8> {
    part.repeat(SIZE / part.len())
}

/// How many envelopes a judge gets to see, who refuses them all; the field must stay as it is.
fn seen(field: &[u8], form: Form) -> usize {
    let edit = open_field(field, form, |_| Verdict::Refused);
    assert!(edit.bytes.is_none());
    assert_eq!(edit.opened, 0);
    edit.refused
}

#[test]
fn a_field_of_nothing_but_magics_holds_no_envelope() {
    for part in [START, b"\xF5pgs", b"\xF5", b"\xF5pgs\x01\x01\0\0"] {
        assert_eq!(seen(&repeated(part), Form::Bytes), 0);
    }
}

#[test]
fn a_field_of_headers_that_reach_beyond_its_end_holds_no_envelope() {
    let size = u32::try_from(SIZE).unwrap();
    for length in [size, 1 << 28, u32::MAX] {
        assert_eq!(seen(&repeated(&header(1, length)), Form::Bytes), 0);
    }
}

#[test]
fn a_header_that_swallows_the_rest_of_the_field_is_one_envelope() {
    let field = repeated(&header(1, 60));
    let swallowing = [header(2, u32::try_from(field.len()).unwrap()), field].concat();
    assert_eq!(seen(&swallowing, Form::Bytes), 1);
}

#[test]
fn a_field_of_the_smallest_envelopes_shows_each_once() {
    let part = [header(9, 16), vec![0; 16]].concat();
    assert_eq!(seen(&repeated(&part), Form::Bytes), SIZE / part.len());
}

#[test]
fn a_field_of_nothing_but_prefixes_of_armor_holds_no_envelope() {
    for part in ["pgs1.", "pgs1", "pgs1.9XBncwEB", "."] {
        assert_eq!(seen(&repeated(part.as_bytes()), Form::Text), 0);
    }
}

#[test]
fn armor_that_announces_much_and_breaks_off_holds_no_envelope() {
    let half = u32::try_from(SIZE / 2).unwrap();
    for length in [half, 1 << 28, u32::MAX] {
        // The length is within the field, but the next prefix's dot is no base64url.
        let armored = armor(&[header(1, length), vec![7]].concat());
        assert_eq!(seen(&repeated(armored.as_bytes()), Form::Text), 0);
    }
}

#[test]
fn the_longest_envelope_is_found_and_a_longer_one_is_none() {
    let longest = 1 << 28;
    // Never touched beyond its first page, and so never really there.
    let mut field = vec![0; 20 + longest + 1];
    for (suite, length, found) in [
        (1, longest, Some(20 + longest)),
        (2, longest, Some(20 + longest)),
        (1, longest + 1, None),
        (2, longest + 1, None),
    ] {
        field[..20].copy_from_slice(&header(suite, u32::try_from(length).unwrap()));
        let envelope = pgseal_envelope::Envelope::at_start(&field);
        assert_eq!(envelope.map(|envelope| envelope.as_bytes().len()), found);
    }
}

#[test]
fn a_thousand_values_of_a_field_open_in_their_places() {
    let (owner, private_key, recipient) = owner(Kind::Client, "app");
    let mut batch = recipient.batch().unwrap();
    let (mut field, mut opened) = (Vec::new(), Vec::new());
    for number in 0..1000 {
        let value = format!("<{number}>").into_bytes();
        field.extend(batch.seal(&value).unwrap());
        field.push(b' ');
        opened.extend(value);
        opened.push(b' ');
    }
    assert_eq!(envelopes(&field).count(), 1000);
    assert_eq!(find(&field).map(|(offset, _)| offset), Some(0));
    let edit = open_field(&field, Form::Bytes, judge(&owner, &private_key));
    assert_eq!(edit.opened, 1000);
    assert_eq!(*edit.bytes.unwrap(), opened);
}
