//! How much one of a list gets, as an operator writes it behind its name.

use std::fmt;

use balancer::{Endpoint, MAX_WEIGHT};
use control::Count;

use crate::settings::number;

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

/// Takes note of a word that is there or not, and has no value.
///
/// # Errors
/// In a line: it has one.
fn flag(word: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None => Ok(true),
        Some(value) => Err(format!("{word} has no value, and `{value}` was given")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Written;

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
}
