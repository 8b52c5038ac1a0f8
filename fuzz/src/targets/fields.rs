//! Envelopes in a field: found where the format says, and each replaced by what was sealed in it, or
//! left as it is. Fields are made of values, tags and other bytes, so it is known what opens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envelope::{Envelope, Form, OpenError, Owner, Verdict, armor, open_field};

use crate::input::Input;
use crate::sealed;

/// Envelopes as they are.
pub fn in_binary(bytes: &[u8]) {
    check(bytes, Form::Bytes);
    let alone = found(bytes, Form::Bytes);
    assert!(
        envelope::envelopes(bytes)
            .map(|(at, _)| at)
            .eq(alone.iter().map(|it| it.start))
    );
    let first = alone.first().map(|it| it.start);
    assert_eq!(envelope::find(bytes).map(|(at, _)| at), first);
    made(bytes, Form::Bytes);
}

/// Envelopes in text armor.
pub fn in_armor(bytes: &[u8]) {
    check(bytes, Form::Text);
    made(bytes, Form::Text);
}

/// A field of values, tags and bytes between them; then the same, spoiled.
fn made(bytes: &[u8], form: Form) {
    let mut input = Input::new(bytes);
    let (mut field, mut expected) = (Vec::<u8>::new(), Vec::<u8>::new());
    for _ in 0..input.below(5) {
        // No envelope begins or ends in these, and no tag ends in them.
        let between = input
            .bytes(12)
            .iter()
            .filter(|byte| !b"\xf5.]".contains(byte));
        let between: Vec<u8> = between.copied().collect();
        field.extend(&between);
        expected.extend(&between);
        let value = sealed::any(&mut input);
        let tag = match (&value.owner, input.any()) {
            (Owner::Zone(zone), true) => format!("[{zone}]"),
            _ => String::new(),
        };
        let envelope = written(&value.envelope, form);
        field.extend(tag.as_bytes());
        field.extend(&envelope);
        match sealed::admits(form, &value.plaintext) {
            true => expected.extend(&value.plaintext),
            false => expected.extend([tag.as_bytes(), &envelope].concat()),
        }
    }
    let edit = open_field(&field, form, |candidate| sealed::judge(&candidate));
    let opened = edit.bytes.as_ref().map_or(&field, |bytes| bytes);
    assert_eq!(*opened, expected);
    check(&input.spoiled(field), form);
}

/// What [`open_field`] makes of a field is what the format says, read by somebody else.
fn check(field: &[u8], form: Form) {
    let found = found(field, form);
    let (mut expected, mut kept, mut opened) = (Vec::<u8>::new(), 0, 0);
    let mut seen = Vec::new();
    let edit = open_field(field, form, |candidate| {
        let before = seen.last().map_or(0, |it: &Found| it.end);
        let it = found.get(seen.len()).expect("there is an envelope").clone();
        assert_eq!(candidate.envelope.as_bytes(), it.envelope);
        assert_eq!(candidate.before, &field[before..it.start]);
        says(&candidate.envelope, &it.envelope);
        let verdict = sealed::judge(&candidate);
        assert_eq!(candidate.form, form);
        if let Verdict::Opened { plaintext, tag } = &verdict {
            let tag = tag.as_ref().map_or(0, |zone| {
                let tag = format!("[{zone}]");
                let stands = candidate.before.ends_with(tag.as_bytes());
                assert_eq!(candidate.tagged_in_field(zone), stands);
                if stands { tag.len() } else { 0 }
            });
            expected.extend(&field[kept..it.start - tag]);
            expected.extend(plaintext.expose_secret());
            kept = it.end;
            opened += 1;
        }
        seen.push(it);
        verdict
    });
    assert_eq!(seen, found);
    scheduled(&found);
    assert_eq!((edit.opened, edit.refused), (opened, found.len() - opened));
    expected.extend(&field[kept..]);
    match edit.bytes {
        None => assert_eq!(opened, 0),
        Some(bytes) => assert_eq!(*bytes, expected),
    }
}

/// What an envelope says of itself is what stands in it.
fn says(envelope: &Envelope<'_>, bytes: &[u8]) {
    assert_eq!(envelope.suite(), bytes[5]);
    assert_eq!(envelope.flags().to_be_bytes(), bytes[6..8]);
    assert_eq!(envelope.key_id().as_bytes()[..], bytes[8..16]);
    let known = bytes[5..8] == [1, 0, 0];
    let nonce = known.then(|| &bytes[20..32]);
    assert_eq!(envelope.nonce().ok().map(|it| &it[..]), nonce);
    let enc = known.then(|| &bytes[32..64]);
    assert_eq!(envelope.enc().ok().map(|it| &it[..]), enc);
    let id = envelope.schedule_id().ok();
    assert_eq!(id.map(|id| id.key_id()), known.then(|| envelope.key_id()));
    let is_batch = nonce.map(|nonce| *nonce != [0; 12]);
    assert_eq!(id.map(|id| id.is_batch()), is_batch);
}

/// A schedule opens the values that name it as their own key does, and no others.
fn scheduled(found: &[Found]) {
    let envelopes = found.iter().map(|it| Envelope::at_start(&it.envelope));
    let envelopes: Vec<_> = envelopes.map(|it| it.expect("it was found")).collect();
    for one in &envelopes {
        let Some(schedule) = sealed::schedule(one) else {
            continue;
        };
        for other in &envelopes {
            let opened = schedule.open(other).map(|it| it.into_bytes());
            if other.schedule_id() == one.schedule_id() {
                let alone = sealed::opened(other).map(|it| it.into_bytes());
                assert_eq!(opened.ok(), alone);
            } else {
                let expected = other.schedule_id().err();
                assert_eq!(opened.err(), expected.or(Some(OpenError::OtherSchedule)));
            }
        }
    }
}

/// An envelope in a field, and where it stands there.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    start: usize,
    end: usize,
    envelope: Vec<u8>,
}

/// "A start that is no envelope moves it on by one byte, an envelope to its end."
fn found(field: &[u8], form: Form) -> Vec<Found> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < field.len() {
        let at = &field[start..];
        let envelope = match form {
            Form::Bytes => envelope_at(at).map(|it| (it.to_vec(), it.len())),
            Form::Text => armored_at(at),
        };
        start += match envelope {
            None => 1,
            Some((envelope, length)) => {
                let end = start + length;
                found.push(Found {
                    start,
                    end,
                    envelope,
                });
                length
            }
        };
    }
    found
}

/// "An envelope starts with magic and version, and its length is in the suite's range and not beyond
/// the field's end."
fn envelope_at(bytes: &[u8]) -> Option<&[u8]> {
    let [0xf5, b'p', b'g', b's', 1, suite, ..] = bytes else {
        return None;
    };
    let length = u32::from_be_bytes(bytes.get(16..20)?.try_into().ok()?) as usize;
    let least = if *suite == 1 { 60 } else { 16 };
    let whole = bytes.get(..20 + length)?;
    (least..=1 << 28).contains(&length).then_some(whole)
}

/// "The first 28 characters give the header, and the armor is exactly ⌈(20 + length) × 8 / 6⌉
/// characters."
fn armored_at(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let text = bytes.strip_prefix(b"pgs1.")?;
    let header = URL_SAFE_NO_PAD.decode(text.get(..28)?).ok()?;
    let length = u32::from_be_bytes(header[16..20].try_into().ok()?) as usize;
    let characters = ((20 + length) * 8).div_ceil(6);
    let envelope = URL_SAFE_NO_PAD.decode(text.get(..characters)?).ok()?;
    let whole = envelope_at(&envelope)?.len() == envelope.len();
    whole.then_some((envelope, 5 + characters))
}

fn written(envelope: &[u8], form: Form) -> Vec<u8> {
    match form {
        Form::Bytes => envelope.to_vec(),
        Form::Text => armor(envelope).into_bytes(),
    }
}
