//! Cross-checks with the `hpke` crate: what one seals the other opens. HPKE's `info` is put
//! together here once more, from the format's description.

use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender};
use pgseal_envelope::{Kind, Owner, PrivateKey, Recipient, find, open};

/// Lengths around AES-GCM's blocks, and one that needs all four bytes of none.
const LENGTHS: [usize; 9] = [0, 1, 15, 16, 17, 64, 1000, 4096, 70_000];

/// Owners of both kinds, the shortest and the longest.
fn owners() -> [Owner; 4] {
    let (longest_client, longest_zone) = ("c".repeat(128), "z".repeat(64));
    [
        Owner::new(Kind::Client, "a").unwrap(),
        Owner::new(Kind::Client, &longest_client).unwrap(),
        Owner::new(Kind::Zone, "tenant-1").unwrap(),
        Owner::new(Kind::Zone, &longest_zone).unwrap(),
    ]
}

/// Both libraries' views of one key pair and owner.
struct Pair {
    owner: Owner,
    private_key: PrivateKey,
    recipient: Recipient,
    theirs: <X25519HkdfSha256 as Kem>::PrivateKey,
    theirs_public: <X25519HkdfSha256 as Kem>::PublicKey,
    info: Vec<u8>,
}

fn pair(owner: Owner) -> Pair {
    let (theirs, theirs_public) = X25519HkdfSha256::gen_keypair();
    let private_key = PrivateKey::from_bytes(theirs.to_bytes().into());
    let public_key = private_key.public_key();
    assert_eq!(
        public_key.as_bytes().as_slice(),
        theirs_public.to_bytes().as_slice()
    );

    let recipient = Recipient::new(owner.clone(), public_key);
    let mut info = b"pgseal envelope v1\0".to_vec();
    info.extend(b"\xF5pgs\x01\x01\0\0");
    info.extend(recipient.key_id().as_bytes());
    info.push(owner.kind().byte());
    info.extend(u16::try_from(owner.id().len()).unwrap().to_be_bytes());
    info.extend(owner.id().as_bytes());
    Pair {
        owner,
        private_key,
        recipient,
        theirs,
        theirs_public,
        info,
    }
}

/// An envelope around what their library returned.
fn envelope(pair: &Pair, nonce: [u8; 12], enc: &[u8], sealed: &[u8]) -> Vec<u8> {
    let length = u32::try_from(12 + enc.len() + sealed.len()).unwrap();
    let mut bytes = b"\xF5pgs\x01\x01\0\0".to_vec();
    bytes.extend(pair.recipient.key_id().as_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(nonce);
    bytes.extend(enc);
    bytes.extend(sealed);
    bytes
}

fn plaintext(length: usize) -> Vec<u8> {
    (0..=255).cycle().take(length).collect()
}

#[test]
fn what_the_hpke_crate_seals_opens_here() {
    for pair in owners().map(pair) {
        for plaintext in LENGTHS.map(plaintext) {
            let (enc, sealed) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &pair.theirs_public,
                &pair.info,
                &plaintext,
                b"",
            )
            .unwrap();
            let bytes = envelope(&pair, [0; 12], &enc.to_bytes(), &sealed);
            let (_, envelope) = find(&bytes).unwrap();
            let opened = open(&envelope, &pair.owner, &pair.private_key).unwrap();
            assert_eq!(opened.expose_secret(), plaintext);
        }
    }
}

#[test]
fn what_is_sealed_here_the_hpke_crate_opens() {
    for pair in owners().map(pair) {
        for plaintext in LENGTHS.map(plaintext) {
            let bytes = pair.recipient.seal(&plaintext).unwrap();
            let enc = Deserializable::from_bytes(&bytes[32..64]).unwrap();
            let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &pair.theirs,
                &enc,
                &pair.info,
                &bytes[64..],
                b"",
            );
            assert_eq!(opened.unwrap(), plaintext);
        }
    }
}

#[test]
fn a_batch_under_the_hpke_crates_exported_key_opens_here() {
    for pair in owners().map(pair) {
        let (enc, context) = setup_sender::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &pair.theirs_public,
            &pair.info,
        )
        .unwrap();
        let mut key = [0; 32];
        context.export(b"pgseal batch v1", &mut key).unwrap();
        let cipher = Aes256Gcm::new(&key.into());
        for (number, plaintext) in (1..).zip(LENGTHS.map(plaintext)) {
            let nonce = [number; 12];
            let sealed = cipher.encrypt(&nonce.into(), plaintext.as_slice()).unwrap();
            let bytes = envelope(&pair, nonce, &enc.to_bytes(), &sealed);
            let (_, envelope) = find(&bytes).unwrap();
            let opened = open(&envelope, &pair.owner, &pair.private_key).unwrap();
            assert_eq!(opened.expose_secret(), plaintext);
        }
    }
}

#[test]
fn a_batch_sealed_here_opens_under_the_hpke_crates_exported_key() {
    for pair in owners().map(pair) {
        let mut batch = pair.recipient.batch().unwrap();
        for plaintext in LENGTHS.map(plaintext) {
            let bytes = batch.seal(&plaintext).unwrap();
            let enc = Deserializable::from_bytes(&bytes[32..64]).unwrap();
            let context = setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &pair.theirs,
                &enc,
                &pair.info,
            )
            .unwrap();
            let mut key = [0; 32];
            context.export(b"pgseal batch v1", &mut key).unwrap();
            let nonce: [u8; 12] = bytes[20..32].try_into().unwrap();
            let opened = Aes256Gcm::new(&key.into()).decrypt(&nonce.into(), &bytes[64..]);
            assert_eq!(opened.unwrap(), plaintext);
        }
    }
}
