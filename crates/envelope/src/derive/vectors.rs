//! HPKE's published vectors for KEM 0x0020, KDF 0x0001, AEAD 0x0002, step by step.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use serde::Deserialize;
use shake::{ExtendableOutput, Shake128, Shake128Reader, Update, XofReader};

use super::{KeySchedule, MODE_BASE, shared_secret};
use crate::PrivateKey;
use crate::vectors::{FORMAT, Hex};

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "the names of the published file")]
pub(crate) struct Vector {
    info: Hex,
    skEm: Hex,
    skRm: Hex,
    pkRm: Hex,
    enc: Hex,
    shared_secret: Hex,
    key_schedule_context: Hex,
    secret: Hex,
    key: Hex,
    base_nonce: Hex,
    exporter_secret: Hex,
    aad: Hex,
    pt: Hex,
    ct: Hex,
    exports: Vec<(Hex, usize, Hex)>,
    encryptions_accumulated: Hex,
    exports_accumulated: Hex,
}

fn vector() -> &'static Vector {
    FORMAT.hpke.as_ref().unwrap()
}

fn schedule() -> KeySchedule {
    KeySchedule::new(&vector().shared_secret.array(), &vector().info.0)
}

fn aead() -> Aes256Gcm {
    Aes256Gcm::new(&schedule().key().as_slice().try_into().unwrap())
}

/// The nonce of a sequence number (RFC 9180 5.2, `ComputeNonce`).
fn nonce(sequence: u32) -> [u8; 12] {
    let mut nonce = *schedule().base_nonce();
    for (byte, sequence) in nonce[8..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= sequence;
    }
    nonce
}

/// The accumulated values' next random input: a length in one byte, and so many bytes.
fn input(source: &mut Shake128Reader) -> Vec<u8> {
    let mut length = [0];
    source.read(&mut length);
    let mut bytes = vec![0; length[0].into()];
    source.read(&mut bytes);
    bytes
}

/// What the accumulated values are: a hash of a thousand.
fn accumulated(mut value: impl FnMut(u32, &mut Shake128Reader) -> Vec<u8>) -> [u8; 16] {
    let (mut source, mut sink) = (Shake128::default().finalize_xof(), Shake128::default());
    for number in 0..1000 {
        sink.update(&value(number, &mut source));
    }
    let mut hash = [0; 16];
    sink.finalize_xof().read(&mut hash);
    hash
}

#[test]
fn both_sides_reach_the_published_shared_secret() {
    let vector = vector();
    let sender = PrivateKey::from_bytes(vector.skEm.array());
    let recipient = PrivateKey::from_bytes(vector.skRm.array());
    let enc = vector.enc.array();
    assert_eq!(sender.public_key().as_bytes(), &enc);
    assert_eq!(recipient.public_key().as_bytes(), vector.pkRm.0.as_slice());
    for dh in [
        sender.agree(recipient.public_key().as_bytes()).unwrap(),
        recipient.agree(&enc).unwrap(),
    ] {
        let secret = shared_secret(&dh, &enc, &recipient.public_key());
        assert_eq!(secret.as_slice(), vector.shared_secret.0);
    }
}

#[test]
fn the_key_schedule_reaches_every_published_value() {
    let (vector, schedule) = (vector(), schedule());
    let context = [
        &[MODE_BASE],
        schedule.psk_id_hash.as_slice(),
        schedule.info_hash.as_slice(),
    ]
    .concat();
    assert_eq!(context, vector.key_schedule_context.0);
    assert_eq!(schedule.secret.as_slice(), vector.secret.0);
    assert_eq!(schedule.key().as_slice(), vector.key.0);
    assert_eq!(schedule.base_nonce().as_slice(), vector.base_nonce.0);
    assert_eq!(
        schedule.expand::<32>(b"exp").as_slice(),
        vector.exporter_secret.0
    );
}

#[test]
fn the_first_published_message_is_sealed_alike() {
    let Vector {
        aad: Hex(aad),
        pt: Hex(msg),
        ct,
        ..
    } = vector();
    assert_eq!(
        aead()
            .encrypt(&nonce(0).into(), Payload { msg, aad })
            .unwrap(),
        ct.0
    );
}

#[test]
fn a_thousand_messages_accumulate_to_the_published_value() {
    let aead = aead();
    let hash = accumulated(|sequence, source| {
        let (aad, msg) = (input(source), input(source));
        aead.encrypt(
            &nonce(sequence).into(),
            Payload {
                msg: &msg,
                aad: &aad,
            },
        )
        .unwrap()
    });
    assert_eq!(hash, vector().encryptions_accumulated.array());
}

#[test]
fn the_published_exports_come_out() {
    for (context, length, expected) in &vector().exports {
        let mut exported = vec![0; *length];
        schedule().export(&context.0, &mut exported);
        assert_eq!(exported, expected.0);
    }
}

#[test]
fn a_thousand_exports_accumulate_to_the_published_value() {
    let schedule = schedule();
    let hash = accumulated(|length, source| {
        let mut exported = vec![0; usize::try_from(length).unwrap()];
        schedule.export(&input(source), &mut exported);
        exported
    });
    assert_eq!(hash, vector().exports_accumulated.array());
}
