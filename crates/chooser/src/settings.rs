//! What an operator says of the choice between endpoints, as it is written in the configuration. What
//! it means is `balancer`'s.

use std::fmt;

use balancer::{Endpoint, MAX_WEIGHT, MaxLag};
use control::{ByteSize, Count, Period};
use serde::{Deserialize, Serialize};

/// A choice is written as one of a few words.
macro_rules! words {
    ($choice:ident: $($variant:ident = $word:literal),+) => {
        impl TryFrom<String> for $choice {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                match text.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is none of {}", [$($word),+].join(", "))),
                }
            }
        }

        impl From<$choice> for String {
            fn from(choice: $choice) -> Self {
                match choice {
                    $($choice::$variant => $word.to_owned(),)+
                }
            }
        }
    };
}

/// What the database behind a listener's endpoints must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Whatever it is.
    #[default]
    Any,
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

words!(Target: Any = "any", Primary = "primary", Replica = "replica");

impl From<Target> for balancer::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::Any => Self::Any,
            Target::Primary => Self::Primary,
            Target::Replica => Self::Replica,
        }
    }
}

/// How one is chosen of those that serve equally well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Policy {
    /// In turn.
    #[default]
    RoundRobin,
    /// The one with the fewest sessions.
    LeastConnections,
    /// Of two drawn by lot, the one that connects faster and has fewer sessions.
    PeakEwma,
}

words!(
    Policy: RoundRobin = "round-robin", LeastConnections = "least-connections", PeakEwma = "peak-ewma"
);

impl From<Policy> for balancer::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::RoundRobin => Self::RoundRobin,
            Policy::LeastConnections => Self::LeastConnections,
            Policy::PeakEwma => Self::PeakEwma,
        }
    }
}

/// What becomes of sessions whose database is something else than they need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OnRoleChange {
    /// They end with an error, and their applications connect again.
    #[default]
    Close,
    /// They go on where they are.
    Keep,
}

words!(OnRoleChange: Close = "close", Keep = "keep");

/// `max_lag`: a size of WAL, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LagLimit {
    /// So many bytes behind.
    Bytes(ByteSize),
    /// So long behind.
    Time(Period),
}

impl TryFrom<String> for LagLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let size = text.parse().map(Self::Bytes);
        size.or_else(|_| text.parse().map(Self::Time)).map_err(|_| {
            format!("`{text}` is neither a size nor a period of time; write it like 16MiB or 10s")
        })
    }
}

impl From<LagLimit> for String {
    fn from(limit: LagLimit) -> Self {
        match limit {
            LagLimit::Bytes(size) => size.into(),
            LagLimit::Time(period) => period.into(),
        }
    }
}

impl From<LagLimit> for MaxLag {
    fn from(limit: LagLimit) -> Self {
        match limit {
            LagLimit::Bytes(size) => Self {
                bytes: u64::try_from(size.0).ok(),
                time: None,
            },
            LagLimit::Time(period) => Self {
                bytes: None,
                time: Some(period.0),
            },
        }
    }
}

/// `checks`: how it is found out whether a server is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// `checks.interval`
    pub interval: Period,
    /// `checks.down_interval`
    pub down_interval: Period,
    /// `checks.timeout`
    pub timeout: Period,
    /// `checks.fall`
    pub fall: Count,
    /// `checks.rise`
    pub rise: Count,
    /// `checks.slow_start`
    pub slow_start: Period,
}

impl Default for Checks {
    fn default() -> Self {
        let checks = balancer::Checks::default();
        let count = |count: u32| Count(usize::try_from(count).unwrap_or(usize::MAX));
        Self {
            interval: Period(checks.interval),
            down_interval: Period(checks.down_interval),
            timeout: Period(checks.timeout),
            fall: count(checks.fall),
            rise: count(checks.rise),
            slow_start: Period(checks.slow_start),
        }
    }
}

impl From<&Checks> for balancer::Checks {
    fn from(checks: &Checks) -> Self {
        Self {
            interval: checks.interval.0,
            down_interval: checks.down_interval.0,
            timeout: checks.timeout.0,
            fall: number(checks.fall),
            rise: number(checks.rise),
            slow_start: checks.slow_start.0,
        }
    }
}

/// As the balancer counts; more than that is as good as no limit.
fn number(count: Count) -> u32 {
    u32::try_from(count.0).unwrap_or(u32::MAX)
}

/// One of a list, or an address to listen on, as it is written: a name and words behind it, such as
/// `db-2:9393 weight=2 backup`.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The name.
    pub name: &'a str,
    words: &'a str,
}

impl<'a> From<&'a str> for Written<'a> {
    fn from(text: &'a str) -> Self {
        let text = text.trim();
        let (name, words) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        Self { name, words }
    }
}

impl<'a> Written<'a> {
    /// The words behind the name, each with its value if it has one.
    pub fn words(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.words
            .split_whitespace()
            .map(|word| match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            })
    }
}

/// Reads the value of a word, and says which word it is that cannot be read.
///
/// # Errors
/// In a line: there is no value, or it is none of those that can be.
pub fn value<T: TryFrom<String>>(word: &str, value: Option<&str>) -> Result<T, String>
where
    T::Error: fmt::Display,
{
    let value = value.ok_or_else(|| format!("{word} needs a value: {word}=…"))?;
    T::try_from(value.to_owned()).map_err(|why| format!("{word}: {why}"))
}

/// Takes note of a word that is there or not, and has no value.
///
/// # Errors
/// In a line: it has one.
pub fn flag(word: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None => Ok(true),
        Some(value) => Err(format!("{word} has no value, and `{value}` was given")),
    }
}

/// How much one of a list gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// `weight`: relative to the others'.
    pub weight: u32,
    /// `backup`: only while no other can.
    pub backup: bool,
    /// `max_connections`, where it is not what holds for all.
    pub max_connections: Option<Count>,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            weight: 1,
            backup: false,
            max_connections: None,
        }
    }
}

impl Share {
    /// Takes a word if it is one of these. False where it is none.
    ///
    /// # Errors
    /// In a line: its value cannot be.
    pub fn take(&mut self, word: &str, given: Option<&str>) -> Result<bool, String> {
        match word {
            "weight" => {
                let weight = given.and_then(|text| text.parse().ok());
                let fits = weight.filter(|weight| *weight <= MAX_WEIGHT);
                self.weight =
                    fits.ok_or_else(|| format!("weight: write a number from 0 to {MAX_WEIGHT}"))?;
            }
            "backup" => self.backup = flag(word, given)?,
            "max_connections" => {
                let count = given.and_then(|text| text.parse().ok());
                let fits = count.filter(|count| *count > 0);
                let count = fits.ok_or("max_connections: write a number above 0")?;
                self.max_connections = Some(Count(count));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The endpoint of this name; `max_connections` holds where it has none of its own.
    #[must_use]
    pub fn endpoint(&self, name: &str, max_connections: Option<Count>) -> Endpoint {
        Endpoint {
            name: name.to_owned(),
            weight: self.weight,
            backup: self.backup,
            max_connections: self.max_connections.or(max_connections).map(number),
        }
    }
}

/// As it was written: what is as it is by default is left out.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weight != 1 {
            write!(f, " weight={}", self.weight)?;
        }
        if self.backup {
            f.write_str(" backup")?;
        }
        match self.max_connections {
            Some(count) => write!(f, " max_connections={}", count.0),
            None => Ok(()),
        }
    }
}

/// What one listener's sessions need, as it is written; what is not said holds as for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// `target`
    pub target: Option<Target>,
    /// `policy`
    pub policy: Option<Policy>,
    /// `max_lag`
    pub max_lag: Option<LagLimit>,
    /// `fallback_to_primary`
    pub fallback_to_primary: bool,
    /// `on_role_change`
    pub on_role_change: Option<OnRoleChange>,
}

impl Needs {
    /// Takes a word if it is one of these. False where it is none.
    ///
    /// # Errors
    /// In a line: its value cannot be.
    pub fn take(&mut self, word: &str, given: Option<&str>) -> Result<bool, String> {
        match word {
            "target" => self.target = Some(value(word, given)?),
            "policy" => self.policy = Some(value(word, given)?),
            "max_lag" => self.max_lag = Some(value(word, given)?),
            "fallback_to_primary" => self.fallback_to_primary = flag(word, given)?,
            "on_role_change" => self.on_role_change = Some(value(word, given)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// As they were written.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            ("target", self.target.map(String::from)),
            ("policy", self.policy.map(String::from)),
            ("max_lag", self.max_lag.map(String::from)),
            ("on_role_change", self.on_role_change.map(String::from)),
        ];
        for (word, value) in words {
            if let Some(value) = value {
                write!(f, " {word}={value}")?;
            }
        }
        if self.fallback_to_primary {
            f.write_str(" fallback_to_primary")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lag_is_limited_in_bytes_or_in_time() {
        let limit = |text: &str| LagLimit::try_from(text.to_owned()).map(MaxLag::from);
        let bytes = limit("16MiB").unwrap();
        assert_eq!((bytes.bytes, bytes.time), (Some(16 << 20), None));
        let time = limit("10s").unwrap();
        assert_eq!(
            (time.bytes, time.time),
            (None, Some(Duration::from_secs(10)))
        );
        assert!(limit("soon").unwrap_err().contains("16MiB or 10s"));
    }

    #[test]
    fn what_one_of_a_list_gets_is_read_and_written_as_it_was() {
        let read = |text| {
            let mut share = Share::default();
            let written = Written::from(text);
            for (word, value) in written.words() {
                assert!(share.take(word, value)?, "{word}");
            }
            Ok::<_, String>((written.name, share))
        };
        for text in [
            "db:1",
            "db:1 weight=0",
            "db:1 weight=256 backup max_connections=7",
        ] {
            let (name, share) = read(text).unwrap();
            assert_eq!(format!("{name}{share}"), text);
        }
        assert_eq!(read(" db:1   backup ").unwrap().0, "db:1");
        for (text, why) in [
            ("db:1 weight=257", "from 0 to 256"),
            ("db:1 weight", "from 0 to 256"),
            ("db:1 weight=-1", "from 0 to 256"),
            ("db:1 backup=yes", "has no value"),
            ("db:1 max_connections", "a number above 0"),
            ("db:1 max_connections=0", "a number above 0"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!(Share::default().take("colour", None), Ok(false));
    }

    #[test]
    fn what_a_listener_needs_is_read_and_written_as_it_was() {
        let text = " target=replica policy=peak-ewma max_lag=16MiB on_role_change=keep \
                    fallback_to_primary";
        let mut needs = Needs::default();
        for (word, value) in Written::from(format!("a{text}").as_str()).words() {
            assert!(needs.take(word, value).unwrap(), "{word}");
        }
        assert_eq!(needs.to_string(), text);
        assert_eq!(Needs::default().to_string(), "");
        let error = needs.take("target", Some("master")).unwrap_err();
        assert_eq!(error, "target: `master` is none of any, primary, replica");
        assert!(
            needs
                .take("max_lag", None)
                .unwrap_err()
                .contains("needs a value")
        );
    }
}
