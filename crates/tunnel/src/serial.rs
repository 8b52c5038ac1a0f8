//! A certificate's serial number: the name by which it is revoked.
//!
//! Not its fingerprint: an ECDSA signature can be written in more than one way without changing
//! what is signed, so one certificate has several fingerprints, and one serial number.

use rustls_pki_types::CertificateDer;

/// Longest serial number, in bytes (RFC 5280, section 4.1.2.2). A certificate with a longer one, or
/// with none but zero, cannot be revoked, and so is not accepted.
const MAX_BYTES: usize = 20;

/// A serial number as lower-case hex, two digits a byte, without leading zero bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Box<str>);

/// The text is no serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is lower-case hex, two digits a byte, without leading zero bytes")]
pub struct BadSerial;

impl Serial {
    /// The serial number of a certificate; `None` where it cannot be read, or is longer than any
    /// that is known here.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        Self::from_bytes(parsed.serial())
    }

    /// From a big-endian number. Its sign is not looked at.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        let significant = bytes.get(start..)?;
        if significant.len() > MAX_BYTES {
            return None;
        }
        let hex: String = significant
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(Self(hex.into()))
    }

    /// As hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Serial {
    type Err = BadSerial;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let fits = !text.is_empty() && text.len() <= 2 * MAX_BYTES && text.len().is_multiple_of(2);
        let padded = text.starts_with("00");
        if !fits || padded || !text.bytes().all(is_hex) {
            return Err(BadSerial);
        }
        Ok(Self(text.into()))
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SerialNumber};

    #[test]
    fn a_serial_number_is_hex_without_leading_zero_bytes() {
        for (bytes, hex) in [
            (&[0x0a, 0xff, 0x01][..], "0aff01"),
            // A positive number whose first bit is set has a zero byte before it in DER.
            (&[0xab, 0xcd], "abcd"),
        ] {
            let mut params = CertificateParams::default();
            params.serial_number = Some(SerialNumber::from_slice(bytes));
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let serial = Serial::of(certificate.der()).unwrap();
            assert_eq!(serial.as_str(), hex);
            assert_eq!(hex.parse(), Ok(serial));
        }
        assert_eq!(Serial::from_bytes(&[0, 0, 7, 0]).unwrap().as_str(), "0700");
    }

    #[test]
    fn what_is_no_serial_number_is_refused() {
        let long = "ab".repeat(MAX_BYTES + 1);
        for text in ["", "a", "AB", "00", "0x1f", "00ab", "ab cd", "zz", &long] {
            assert_eq!(text.parse::<Serial>(), Err(BadSerial), "{text}");
        }
        assert_eq!(Serial::from_bytes(&[]), None);
        assert_eq!(Serial::from_bytes(&[0]), None);
        assert_eq!(Serial::from_bytes(&[1; MAX_BYTES + 1]), None);
        assert_eq!(Serial::of(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
