//! Periods, sizes and counts as people write them: `10s`, `500ms`, `64MiB`, `4096`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time, written as a number and a unit: `500ms`, `10s`, `5m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(pub Duration);

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|_| format!("`{text}` is no period of time; write it like 500ms, 10s or 5m"))
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// A number of bytes, written as `4096`, `64KiB`, `64MiB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "String")]
pub struct ByteSize(pub usize);

/// A number may also stand in the file as a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Number(usize),
    Text(String),
}

/// How many of something, one at least: `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "String")]
pub struct Count(pub usize);

impl TryFrom<SizeText> for Count {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, Self::Error> {
        let count = match &text {
            SizeText::Number(count) => Some(*count),
            SizeText::Text(text) => text.parse().ok(),
        };
        match count {
            Some(count @ 1..) => Ok(Self(count)),
            _ => Err("write a number that is not 0, like 4096".to_owned()),
        }
    }
}

impl From<Count> for String {
    fn from(count: Count) -> Self {
        count.0.to_string()
    }
}

/// How many of something, or none: `4`, `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "String")]
pub struct CountOrNone(pub usize);

impl TryFrom<SizeText> for CountOrNone {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, Self::Error> {
        let count = match &text {
            SizeText::Number(count) => Some(*count),
            SizeText::Text(text) => text.parse().ok(),
        };
        let count = count.ok_or("write a number, like 4, or 0 for none")?;
        Ok(Self(count))
    }
}

impl From<CountOrNone> for String {
    fn from(count: CountOrNone) -> Self {
        count.0.to_string()
    }
}

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl ByteSize {
    /// So many MiB.
    #[must_use]
    pub const fn mebibytes(count: usize) -> Self {
        Self(count << 20)
    }
}

impl TryFrom<SizeText> for ByteSize {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, String> {
        match text {
            SizeText::Number(bytes) => Ok(Self(bytes)),
            SizeText::Text(text) => text.parse(),
        }
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = UNITS
            .iter()
            .find_map(|(name, factor)| Some((text.strip_suffix(name)?, *factor)))
            .unwrap_or((text, 1));
        digits
            .trim()
            .parse::<usize>()
            .ok()
            .and_then(|count| count.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no size; write it like 4096, 64KiB or 64MiB"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |factor: usize| self.0 >= factor && self.0.is_multiple_of(factor);
        match UNITS.iter().find(|(_, factor)| whole(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => self.0.fmt(f),
        }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Result<usize, String> {
        text.parse::<ByteSize>().map(|size| size.0)
    }

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("2 GiB"), Ok(2 << 30));
        assert_eq!(String::from(ByteSize::mebibytes(64)), "64MiB");
        assert_eq!(String::from(ByteSize(1000)), "1000");
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "-1", "1.5MiB", "64MB", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_read_and_written_and_none_is_0() {
        let count = |text: &str| Count::try_from(SizeText::Text(text.into()));
        assert_eq!(count("4096"), Ok(Count(4096)));
        assert_eq!(Count::try_from(SizeText::Number(1)), Ok(Count(1)));
        assert_eq!(String::from(Count(4096)), "4096");
        for text in ["0", "", "-1", "4KiB"] {
            assert!(count(text).is_err(), "{text}");
        }
        assert!(Count::try_from(SizeText::Number(0)).is_err());
    }

    #[test]
    fn periods_are_read_and_written() {
        assert_eq!(
            Period::try_from("1500ms".to_owned()),
            Ok(Period(Duration::from_millis(1500)))
        );
        assert_eq!(String::from(Period::seconds(30)), "30s");
        assert!(Period::try_from("soon".to_owned()).is_err());
        assert!(Period::try_from("10".to_owned()).is_err());
    }
}
