//! When the certificates of a program's own files expire, and what to say of it in time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Serial;
use crate::material::MaterialFile;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// From so long before the end an operator is told,
const SOON: Duration = DAY.saturating_mul(30);
/// and from so long before it, told that it is urgent.
const URGENT: Duration = DAY.saturating_mul(7);

/// A program's own certificate and those of the CAs it trusts, as operators look at them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// By which the program's own certificate is revoked.
    pub serial: Serial,
    /// When that expires.
    pub expires: SystemTime,
    /// When the first of the CA's certificates expires.
    pub ca_expires: SystemTime,
    /// All of them, by what they are called in the log.
    pub(crate) all: Vec<(String, SystemTime)>,
}

/// A certificate that expires soon, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Which one, with its key in the configuration and its file.
    pub certificate: String,
    /// When, as in RFC 3339.
    pub expires: String,
    /// Whole days until then; 0 on the last, and after.
    pub days: u64,
    /// It has less than a week left.
    pub urgent: bool,
}

impl Certificates {
    /// Those that expire within 30 days of `now`, or have.
    pub fn expiring(&self, now: SystemTime) -> impl Iterator<Item = Expiring> {
        let left = move |expires: SystemTime| expires.duration_since(now).unwrap_or_default();
        self.all
            .iter()
            .filter(move |(_, expires)| left(*expires) <= SOON)
            .map(move |(certificate, expires)| Expiring {
                certificate: certificate.clone(),
                expires: rfc3339(*expires),
                days: left(*expires).as_secs() / DAY.as_secs(),
                urgent: left(*expires) <= URGENT,
            })
    }
}

/// What the `index`th certificate of a file is called in the log, of `count` in it.
pub(crate) fn name(file: &MaterialFile, index: usize, count: usize) -> String {
    match count {
        1 => file.to_string(),
        _ => format!("{file} (certificate {} of {count})", index + 1),
    }
}

/// A moment as in RFC 3339, to the second.
#[must_use]
pub fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// Seconds since 1970, for metrics and the control API; 0 for what was before.
#[must_use]
pub fn unix_seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_of_a_month_before_they_expire_and_urgently_a_week_before() {
        let end = UNIX_EPOCH + 10_000 * DAY;
        let certificates = Certificates {
            serial: "ab".parse().unwrap(),
            expires: end,
            ca_expires: end + 365 * DAY,
            all: vec![("own".into(), end), ("ca".into(), end + 365 * DAY)],
        };
        let told = |now: SystemTime| -> Vec<(String, u64, bool)> {
            let expiring = certificates.expiring(now);
            expiring
                .map(|it| (it.certificate, it.days, it.urgent))
                .collect()
        };
        let second = Duration::from_secs(1);
        assert_eq!(told(end - 30 * DAY - second), []);
        assert_eq!(told(end - 30 * DAY), [("own".into(), 30, false)]);
        assert_eq!(told(end - 7 * DAY - second), [("own".into(), 7, false)]);
        assert_eq!(told(end - 7 * DAY), [("own".into(), 7, true)]);
        assert_eq!(told(end + 300 * DAY), [("own".into(), 0, true)]);
        let both = [("own".into(), 0, true), ("ca".into(), 1, true)];
        assert_eq!(told(end + 364 * DAY), both);
        let first = certificates.expiring(end).next().unwrap();
        assert_eq!(first.expires, "1997-05-19T00:00:00Z");
        assert_eq!(unix_seconds(end), 10_000 * 24 * 3600);
    }
}
