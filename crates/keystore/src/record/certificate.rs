//! Certificates that were issued, and those that were revoked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The longest serial number, in bytes (RFC 5280, section 4.1.2.2).
const MAX_SERIAL: usize = 20;

/// A certificate's serial number, which names it for as long as the CAs in use do not repeat one.
///
/// Lower-case hexadecimal, two digits a byte, without leading zero bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

/// A text that is no serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate's serial number: 1 to 20 bytes in hexadecimal, with or without colons")]
pub struct NotASerial;

impl Serial {
    /// Of the number's bytes, as they stand in the certificate.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotASerial> {
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let digits = bytes.get(zeros..).unwrap_or_default();
        if digits.is_empty() || digits.len() > MAX_SERIAL {
            return Err(NotASerial);
        }
        Ok(Serial(
            digits.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = NotASerial;

    /// Takes what `openssl x509 -serial` and browsers show: either case, colons between bytes.
    fn from_str(text: &str) -> Result<Self, NotASerial> {
        let digits: String = text.chars().filter(|&c| c != ':').collect();
        if !digits.is_ascii() || digits.len() > 2 * (MAX_SERIAL + 1) {
            return Err(NotASerial);
        }
        let padded = format!("{}{digits}", "0".repeat(digits.len() % 2));
        let bytes = (0..padded.len()).step_by(2).map(|at| {
            let pair = padded.get(at..at + 2).filter(|pair| !pair.starts_with('+'));
            u8::from_str_radix(pair.unwrap_or_default(), 16).map_err(|_| NotASerial)
        });
        Self::from_bytes(&bytes.collect::<Result<Vec<_>, _>>()?)
    }
}

impl TryFrom<String> for Serial {
    type Error = NotASerial;

    fn try_from(text: String) -> Result<Self, NotASerial> {
        // Another spelling would be another name for the same certificate.
        text.parse::<Serial>()
            .ok()
            .filter(|serial| serial.0 == text)
            .ok_or(NotASerial)
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number.
    pub serial: Serial,
    /// Whose it is: `client/<id>`, `server/<id>` or `admin/<id>`.
    pub identity: String,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// Until when it is valid.
    pub expires: Timestamp,
}

/// A certificate that nobody is to accept any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Whose it was, as far as it is known: `client/<id>`, `server/<id>` or `admin/<id>`.
    pub identity: Option<String>,
    /// When it was revoked.
    pub at: Timestamp,
    /// Until when it would have been valid, as far as it is known; it leaves the list after that.
    pub expires: Option<Timestamp>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// All revoked certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    /// Counts the changes of the list.
    pub number: u64,
    /// The certificates, by serial number.
    pub certificates: BTreeMap<Serial, Revoked>,
}

/// The body of a certificate.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateBody {
    pub identity: String,
    pub recorded: Timestamp,
    pub expires: Timestamp,
}

impl CertificateBody {
    pub fn certificate(self, serial: Serial) -> Certificate {
        Certificate {
            serial,
            identity: self.identity,
            recorded: self.recorded,
            expires: self.expires,
        }
    }
}

/// The body of the revocations: one record, so that none can be taken out of it unnoticed.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationsBody {
    pub number: u64,
    pub revoked: BTreeMap<Serial, Revoked>,
}

impl From<RevocationsBody> for Revocations {
    fn from(body: RevocationsBody) -> Self {
        Revocations {
            number: body.number,
            certificates: body.revoked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_read_in_every_spelling_and_written_in_one() {
        for text in ["0a1b", "A1B", "0A:1B", "00:0a:1b", "a1b"] {
            assert_eq!(text.parse::<Serial>().unwrap().as_str(), "0a1b", "{text}");
        }
        let long = "ff".repeat(MAX_SERIAL + 1);
        for text in [
            "",
            "0",
            "00",
            "0x12",
            "+1",
            "12 34",
            "é",
            "1+",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<Serial>(), Err(NotASerial), "{text}");
        }
        assert_eq!(Serial::from_bytes(&[0, 0x0a, 0x1b]), "a1b".parse());
        assert_eq!(Serial::try_from("A1B".to_owned()), Err(NotASerial));
    }
}
