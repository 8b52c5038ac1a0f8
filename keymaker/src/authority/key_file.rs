//! The authority's private key at rest: PKCS#8 (RFC 5958), encrypted with PBES2 (RFC 8018).
//!
//! The key is derived from the passphrase with scrypt (RFC 7914), N = 2^14, r = 8, p = 5, one of
//! OWASP's recommendations and the most memory (16 MiB) that OpenSSL takes without being told;
//! then AES-256-CBC. `openssl pkey -in ca.key` reads it.

use std::path::Path;

use keystore::Secret;
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use zeroize::Zeroizing;

use crate::Error;

const LABEL: &str = "ENCRYPTED PRIVATE KEY";
const LOG_N: u8 = 14;
const R: u32 = 8;
const P: u32 = 5;

pub fn encrypt(key: &KeyPair, passphrase: &Secret) -> Result<Zeroizing<String>, Error> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for bytes in [&mut salt, &mut iv] {
        getrandom::fill(bytes).map_err(|_| keystore::Error::NoRandom)?;
    }
    let cost = scrypt::Params::new(LOG_N, R, P).expect("the cost is within scrypt's limits");
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
        .map_err(pkcs8::Error::from)?;
    let encrypted = PrivateKeyInfoRef::try_from(key.serialized_der())?
        .encrypt_with_params(scheme, passphrase.expose_secret())?;
    Ok(encrypted
        .to_pem(LABEL, LineEnding::LF)
        .map_err(pkcs8::Error::from)?)
}

pub fn decrypt(path: &Path, pem: &str, passphrase: &Secret) -> Result<Zeroizing<KeyPair>, Error> {
    let unfit = |what| Error::Unfit {
        path: path.into(),
        what,
    };
    let not_encrypted = || unfit("is not an encrypted private key (PKCS#8, PEM)");
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| not_encrypted())?;
    if label != LABEL {
        return Err(not_encrypted());
    }
    let encrypted =
        EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| not_encrypted())?;
    let key = encrypted
        .decrypt(passphrase.expose_secret())
        .map_err(|_| Error::WrongPassphrase { path: path.into() })?;
    let key = KeyPair::try_from(key.as_bytes()).map(Zeroizing::new);
    match key {
        Ok(key) if key.algorithm() == &PKCS_ECDSA_P256_SHA256 => Ok(key),
        _ => Err(unfit("is not a P-256 key")),
    }
}
