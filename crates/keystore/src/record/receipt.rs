//! Receipts for destroyed keys, signed, so that they prove something without the store.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Timestamp;
use crate::Error;

/// What stands before a statement that is signed.
const LABEL: &[u8] = b"pgseal receipt v1\0";

/// States that a key's private half was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Whose key it was: `client/<id>` or `zone/<id>`.
    pub owner: String,
    /// Its version.
    pub version: u32,
    /// Its id, as it stands in envelopes.
    pub key_id: String,
    /// SHA-256 of the public key, 64 hexadecimal digits.
    pub fingerprint: String,
    /// When it was removed.
    pub destroyed: Timestamp,
    /// The store's revision at which it was removed.
    pub revision: u64,
    /// The store it was removed from: its id, 32 hexadecimal digits.
    pub store: String,
}

/// The body of a receipt: the statement as it was signed, and its signature (Ed25519, RFC 8032).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptBody {
    pub statement: String,
    pub signature: String,
}

/// The key that a store signs its receipts with.
pub(crate) struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| Error::NoRandom)?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    pub fn from_seed(seed: &[u8]) -> Option<Self> {
        let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).ok()?);
        Some(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    pub fn seed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_bytes().to_vec())
    }

    /// The public half, base64.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.verifying_key().as_bytes())
    }

    pub fn sign(&self, receipt: &Receipt) -> ReceiptBody {
        let statement =
            serde_json::to_string(receipt).expect("a receipt is made of text and numbers");
        let signature = self.0.sign(&signed(&statement));
        ReceiptBody {
            signature: STANDARD.encode(signature.to_bytes()),
            statement,
        }
    }
}

impl ReceiptBody {
    /// What it states, if this public key (base64) has signed it.
    pub fn verify(&self, public: &str) -> Option<Receipt> {
        let key: [u8; 32] = STANDARD.decode(public).ok()?.try_into().ok()?;
        let signature: [u8; 64] = STANDARD.decode(&self.signature).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&key)
            .ok()?
            .verify_strict(&signed(&self.statement), &Signature::from_bytes(&signature))
            .ok()?;
        serde_json::from_str(&self.statement).ok()
    }
}

fn signed(statement: &str) -> Vec<u8> {
    [LABEL, statement.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_good_for_its_statement_and_its_signer_alone() {
        let receipt = Receipt {
            owner: "zone/tenant-1".into(),
            version: 1,
            key_id: "60ae988d541df243".into(),
            fingerprint: "0".repeat(64),
            destroyed: Timestamp::from_seconds(1_796_083_200).unwrap(),
            revision: 7,
            store: "0".repeat(32),
        };
        let [key, other] = [(); 2].map(|()| SigningKey::generate().unwrap());
        let key = SigningKey::from_seed(&key.seed()).unwrap();
        let body = key.sign(&receipt);
        assert_eq!(body.verify(&key.public()), Some(receipt));
        assert_eq!(body.verify(&other.public()), None);
        let altered = ReceiptBody {
            statement: body.statement.replace("\"version\":1", "\"version\":2"),
            ..body
        };
        assert_eq!(altered.verify(&key.public()), None);
    }
}
