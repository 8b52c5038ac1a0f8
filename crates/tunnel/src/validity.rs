//! From when until when a certificate is valid (RFC 5280, section 4.1.2.5).
//!
//! What a handshake checks is webpki's matter. This reads the certificates of the program's own
//! files, so that their end is known before it comes; never a peer's.

use std::time::SystemTime;

use rustls_pki_types::CertificateDer;

/// DER's tags of what stands before and in a Validity (X.690, section 8; RFC 5280, section 4.1).
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A certificate's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Valid from this moment,
    pub not_before: SystemTime,
    /// to this one.
    pub not_after: SystemTime,
}

impl Validity {
    /// Reads it; `None` where the certificate cannot be read.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (mut fields, _) = expect(certificate, SEQUENCE)?;
        if let Some((_, rest)) = expect(fields, VERSION) {
            fields = rest;
        }
        // Serial number, signature algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            fields = expect(fields, tag)?.1;
        }
        let (validity, _) = expect(fields, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, rest) = time(rest)?;
        rest.is_empty().then_some(Self {
            not_before,
            not_after,
        })
    }
}

/// An element of this tag at the front: its content, and what stands behind it.
fn expect(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(input)?;
    (found == tag).then_some((content, rest))
}

/// The element at the front: tag, content, and what stands behind it. Lengths of up to three bytes.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = input.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, where 50 to 99 are of the last century, or `YYYYMMDDHHMMSSZ`.
fn time(input: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (tag, content, rest) = element(input)?;
    let text = std::str::from_utf8(content).ok()?;
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = match (tag, digits.len()) {
        (UTC_TIME, 12) if digits >= "50" => format!("19{digits}"),
        (UTC_TIME, 12) => format!("20{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Some((humantime::parse_rfc3339(&text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(from: (i32, u8, u8), to: (i32, u8, u8)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        // Until 2049 a certificate has UTCTime, from 2050 on GeneralizedTime.
        let validity = Validity::of(&certificate((1999, 12, 31), (2049, 6, 1))).unwrap();
        assert_eq!(validity.not_before, at("1999-12-31T00:00:00Z"));
        assert_eq!(validity.not_after, at("2049-06-01T00:00:00Z"));
        let validity = Validity::of(&certificate((2020, 2, 29), (2120, 1, 1))).unwrap();
        assert_eq!(validity.not_after, at("2120-01-01T00:00:00Z"));
        let (seconds, rest) = time(b"\x17\x0d261122000841Zrest").unwrap();
        assert_eq!((seconds, rest), (at("2026-11-22T00:08:41Z"), &b"rest"[..]));
    }

    #[test]
    fn a_certificate_that_is_cut_anywhere_has_no_validity() {
        let whole = certificate((2020, 1, 1), (2120, 1, 1));
        let none = |bytes: &[u8]| Validity::of(&CertificateDer::from(bytes)).is_none();
        assert!(!none(&whole));
        assert!((0..whole.len()).all(|end| none(&whole[..end])));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for content in [
            &b"\x17\x0d261322000841Z"[..],
            b"\x17\x0d26112200084+Z",
            b"\x17\x0b2611220008Z",
            b"\x17\x0d2611220008410",
            b"\x18\x0d261122000841Z",
            b"\x0c\x0d261122000841Z",
            b"\x17\x85\x01\x01\x01\x01\x01",
            b"\x17\x0d\xff61122000841Z",
        ] {
            assert!(time(content).is_none(), "{}", content.escape_ascii());
        }
    }
}
