//! Every derivation of the format, its labels on top: key ids, and the key schedule of HPKE
//! (RFC 9180, Base mode) down to the keys a value is sealed with.
//!
//! X25519 itself is in `key`, AES-256-GCM in `cipher`. What this file keeps is wiped; of what the
//! libraries put on the stack on the way, nobody can promise that.

use hkdf::{Hkdf, HkdfExtract};
use sha2::{Digest, Sha256};
use x25519_dalek::SharedSecret;
use zeroize::{Zeroize, Zeroizing};

use crate::cipher::NONCE;
use crate::{KeyId, Owner, PublicKey};

/// Label of key ids.
const KEY_ID: &[u8] = b"pgseal key id v1";
/// Label of HPKE's `info`, the zero byte that ends it included.
const INFO: &[u8] = b"pgseal envelope v1\0";
/// Exporter context of a batch's key.
const BATCH: &[u8] = b"pgseal batch v1";

/// Suite 01: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
pub(crate) const SUITE: u8 = 0x01;
/// RFC 9180 4, the version label of every extract and expand.
const VERSION: &[u8] = b"HPKE-v1";
/// RFC 9180 4.1, `suite_id` inside the KEM 0x0020.
const KEM: &[u8] = b"KEM\x00\x20";
/// RFC 9180 5.1, `suite_id` of KEM 0x0020, KDF 0x0001, AEAD 0x0002.
const HPKE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x02";
/// RFC 9180 5, Base mode.
const MODE_BASE: u8 = 0x00;

/// Bytes of a SHA-256 hash, and so of everything extracted.
const HASH: usize = 32;
/// Bytes of an AES-256 key.
const KEY: usize = 32;

/// The id of a public key: first 8 bytes of SHA-256(`"pgseal key id v1"` ‖ suite ‖ public key).
pub(crate) fn key_id(public_key: &[u8; 32]) -> KeyId {
    let digest = Sha256::new()
        .chain_update(KEY_ID)
        .chain_update([SUITE])
        .chain_update(public_key)
        .finalize();
    let id = digest.first_chunk().expect("a hash has more than 8 bytes");
    KeyId::from_bytes(*id)
}

/// HPKE's `info`: label ‖ 00 ‖ the envelope's bytes 0 to 15 ‖ kind ‖ u16 length of id ‖ id.
pub(crate) fn info(header: &[u8; 16], owner: &Owner) -> Vec<u8> {
    let id = owner.id().as_bytes();
    let length = u16::try_from(id.len()).expect("an id has at most 128 bytes");
    [
        INFO,
        header,
        &[owner.kind().byte()],
        &length.to_be_bytes(),
        id,
    ]
    .concat()
}

/// The KEM's shared secret (RFC 9180 4.1, `ExtractAndExpand`), the same for both sides.
pub(crate) fn shared_secret(
    dh: &SharedSecret,
    enc: &[u8; 32],
    recipient: &PublicKey,
) -> Zeroizing<[u8; HASH]> {
    let eae_prk = labeled_extract(KEM, b"", b"eae_prk", dh.as_bytes());
    let kem_context: [&[u8]; 2] = [enc, recipient.as_bytes()];
    let mut shared_secret = Zeroizing::new([0; HASH]);
    labeled_expand(
        KEM,
        &eae_prk,
        b"shared_secret",
        &kem_context,
        shared_secret.as_mut_slice(),
    );
    shared_secret
}

/// HPKE's key schedule (RFC 9180 5.1) after its last extract: every key is one expand away.
pub(crate) struct KeySchedule {
    secret: Zeroizing<[u8; HASH]>,
    psk_id_hash: Zeroizing<[u8; HASH]>,
    info_hash: Zeroizing<[u8; HASH]>,
}

impl KeySchedule {
    /// The schedule of one encapsulation; without a pre-shared key, as in Base mode.
    pub(crate) fn new(shared_secret: &[u8; HASH], info: &[u8]) -> Self {
        KeySchedule {
            secret: labeled_extract(HPKE, shared_secret, b"secret", b""),
            psk_id_hash: labeled_extract(HPKE, b"", b"psk_id_hash", b""),
            info_hash: labeled_extract(HPKE, b"", b"info_hash", info),
        }
    }

    /// The key of a single-shot value.
    pub(crate) fn key(&self) -> Zeroizing<[u8; KEY]> {
        self.expand(b"key")
    }

    /// The nonce of a single-shot value: the one of sequence number 0.
    pub(crate) fn base_nonce(&self) -> Zeroizing<[u8; NONCE]> {
        self.expand(b"base_nonce")
    }

    /// The key of a batch's values: `Export("pgseal batch v1", 32)`.
    pub(crate) fn batch_key(&self) -> Zeroizing<[u8; KEY]> {
        let mut key = Zeroizing::new([0; KEY]);
        self.export(BATCH, key.as_mut_slice());
        key
    }

    /// RFC 9180 5.3, `Export(exporter_context, length of exported)`.
    fn export(&self, exporter_context: &[u8], exported: &mut [u8]) {
        let exporter_secret = self.expand(b"exp");
        labeled_expand(
            HPKE,
            &exporter_secret,
            b"sec",
            &[exporter_context],
            exported,
        );
    }

    fn expand<const LENGTH: usize>(&self, label: &[u8]) -> Zeroizing<[u8; LENGTH]> {
        let key_schedule_context: [&[u8]; 3] = [
            &[MODE_BASE],
            self.psk_id_hash.as_slice(),
            self.info_hash.as_slice(),
        ];
        let mut expanded = Zeroizing::new([0; LENGTH]);
        labeled_expand(
            HPKE,
            &self.secret,
            label,
            &key_schedule_context,
            expanded.as_mut_slice(),
        );
        expanded
    }
}

/// RFC 9180 4: HKDF-Extract(salt, `"HPKE-v1"` ‖ suite id ‖ label ‖ ikm).
fn labeled_extract(
    suite_id: &[u8],
    salt: &[u8],
    label: &[u8],
    ikm: &[u8],
) -> Zeroizing<[u8; HASH]> {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    for part in [VERSION, suite_id, label, ikm] {
        extract.input_ikm(part);
    }
    let (mut prk, _) = extract.finalize();
    let extracted = Zeroizing::new(prk.into());
    prk.zeroize();
    extracted
}

/// RFC 9180 4: HKDF-Expand(prk, u16 length ‖ `"HPKE-v1"` ‖ suite id ‖ label ‖ info, length), with
/// the length of `expanded`.
fn labeled_expand(
    suite_id: &[u8],
    prk: &[u8; HASH],
    label: &[u8],
    info: &[&[u8]],
    expanded: &mut [u8],
) {
    let length = u16::try_from(expanded.len())
        .expect("a few hashes long")
        .to_be_bytes();
    let labeled_info = [&[&length, VERSION, suite_id, label], info].concat();
    Hkdf::<Sha256>::from_prk(prk)
        .expect("a key of one hash's length is long enough")
        .expand_multi_info(&labeled_info, expanded)
        .expect("a few hashes long");
}

#[cfg(test)]
pub(crate) mod vectors;
