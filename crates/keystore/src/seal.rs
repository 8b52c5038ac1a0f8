//! Sealing of records, and everything that is derived from the master key.
//!
//! ```text
//! sealed  = salt (32) ‖ AES-256-GCM(key, nonce = 0, aad = "", body) ‖ tag (16)
//! key     = HKDF-SHA256(salt, ikm = master key, info, 32)
//! info    = "pgseal store v1" ‖ 00 ‖ store id (16) ‖ record name
//! ```
//!
//! A salt is drawn for each write, so a key seals one body and the nonce can be constant. The
//! record's name, which holds its kind, owner and version, ends `info`, and what stands before it
//! has a fixed length, so no two records of any two stores have the same key.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;
use crate::master_key::MasterKey;
use crate::name::RecordName;

/// Label of the keys of records.
const RECORD: &[u8] = b"pgseal store v1\0";
/// Label of the id of a master key.
const MASTER_KEY_ID: &[u8] = b"pgseal master key id v1";

const SALT: usize = 32;
const TAG: usize = 16;
/// What a sealed record is longer than its body, in bytes.
pub(crate) const OVERHEAD: usize = SALT + TAG;

/// Names a store: 16 random bytes, drawn when it is made.
#[derive(Clone, Copy)]
pub(crate) struct StoreId(pub(crate) [u8; 16]);

/// Seals the body of a record under its name.
pub(crate) fn seal(
    master: &MasterKey,
    store: StoreId,
    name: &RecordName,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|_| Error::NoRandom)?;
    Ok(seal_with_salt(master, store, name, &salt, body))
}

/// Opens a sealed record; `None` when it is not what was sealed under this name in this store.
pub(crate) fn unseal(
    master: &MasterKey,
    store: StoreId,
    name: &RecordName,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, rest) = sealed.split_first_chunk::<SALT>()?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG>()?;
    let mut body = Zeroizing::new(ciphertext.to_vec());
    let opened = cipher(master, store, name, salt).decrypt_inout_detached(
        &Nonce::default(),
        &[],
        body.as_mut_slice().into(),
        &Tag::from(*tag),
    );
    opened.is_ok().then_some(body)
}

/// The first 8 bytes of HKDF-SHA256(salt = "", ikm = master key, info = label).
pub(crate) fn master_key_id(master: &MasterKey) -> [u8; 8] {
    let mut id = [0; 8];
    Hkdf::<Sha256>::new(None, master.expose_secret())
        .expand(MASTER_KEY_ID, &mut id)
        .expect("8 bytes are less than HKDF's limit");
    id
}

fn seal_with_salt(
    master: &MasterKey,
    store: StoreId,
    name: &RecordName,
    salt: &[u8; SALT],
    body: &[u8],
) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(OVERHEAD + body.len());
    sealed.extend_from_slice(salt);
    sealed.extend_from_slice(body);
    let tag = cipher(master, store, name, salt)
        .encrypt_inout_detached(&Nonce::default(), &[], (&mut sealed[SALT..]).into())
        .expect("a record is far below AES-GCM's limit");
    sealed.extend_from_slice(&tag);
    sealed
}

/// AES-256-GCM under the key of one write of one record.
fn cipher(master: &MasterKey, store: StoreId, name: &RecordName, salt: &[u8; SALT]) -> Aes256Gcm {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), master.expose_secret())
        .expand_multi_info(
            &[RECORD, &store.0, name.to_string().as_bytes()],
            key.as_mut_slice(),
        )
        .expect("32 bytes are less than HKDF's limit");
    Aes256Gcm::new(&(*key).into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Secret;

    /// The vectors of `docs/keystore-format.md`.
    fn file() -> Value {
        serde_json::from_str(include_str!("../tests/vectors/store-v1.json")).unwrap()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let digits = text(value);
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn master(file: &Value) -> MasterKey {
        let secret = Secret::from(text(&file["master_key"]).to_owned());
        MasterKey::from_environment(&secret).unwrap()
    }

    /// Seals the body of one vector to its bytes, and opens them again.
    fn check(vector: &str) {
        let file = file();
        let master = master(&file);
        let store = StoreId(bytes(&file["store_id"]).try_into().unwrap());
        let vectors = file["seal"].as_array().unwrap();
        let vector = vectors.iter().find(|one| one["name"] == vector).unwrap();
        let name: RecordName = text(&vector["record"]).parse().unwrap();
        let salt = bytes(&vector["salt"]).try_into().unwrap();
        let (body, sealed) = (bytes(&vector["body"]), bytes(&vector["sealed"]));
        assert_eq!(seal_with_salt(&master, store, &name, &salt, &body), sealed);
        assert!(*unseal(&master, store, &name, &sealed).unwrap() == body);
    }

    macro_rules! vectors {
        ($($name:ident)*) => {
            $(#[test]
            fn $name() {
                check(stringify!($name));
            })*

            #[test]
            fn every_sealing_vector_is_a_test() {
                let file = file();
                let listed: Vec<_> = file["seal"].as_array().unwrap().iter()
                    .map(|vector| text(&vector["name"])).collect();
                assert_eq!(listed, [$(stringify!($name)),*]);
            }
        };
    }

    vectors! {
        header
        client_that_creates_zones
        client_that_does_not
        zone_with_a_list
        zone_for_all_by_an_operator
        client_key
        zone_key
        destroyed_key
        client_private
        zone_private
        client_key_id
        zone_key_id
        destroyed_key_id
        last_use
        used_up_today
        zone_to_be_destroyed
        clock
        receipt_key
        receipt
        certificate
        revocations
        settings
        audit_head
        audit_1
        audit_2
        audit_3
        audit_4
        audit_5
    }

    #[test]
    fn the_id_of_a_master_key_is_the_vector_s() {
        let file = file();
        assert_eq!(master(&file).id().to_string(), text(&file["master_key_id"]));
    }

    #[test]
    fn every_bit_of_a_sealed_record_counts_and_every_length_but_its_own_is_refused() {
        let master = MasterKey::generate().unwrap();
        let store = StoreId([7; 16]);
        let sealed = seal(&master, store, &RecordName::Header, b"body").unwrap();
        assert_eq!(sealed.len(), OVERHEAD + 4);
        for bit in 0..8 * sealed.len() {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&master, store, &RecordName::Header, &changed).is_none());
        }
        for length in 0..sealed.len() {
            assert!(unseal(&master, store, &RecordName::Header, &sealed[..length]).is_none());
        }
        assert!(unseal(&master, store, &RecordName::Header, &sealed).is_some());
    }

    #[test]
    fn one_body_sealed_twice_gives_different_bytes() {
        let master = MasterKey::generate().unwrap();
        let [one, other] = [(); 2]
            .map(|()| seal(&master, StoreId([7; 16]), &RecordName::Header, b"body").unwrap());
        assert_ne!(one[..SALT], other[..SALT]);
        assert_ne!(one[SALT..], other[SALT..]);
    }
}
