//! What an operator writes as one text: a member of a list, or an address to listen on, and words behind
//! it.

use std::fmt;
use std::marker::PhantomData;

use balancer::{Endpoint, MAX_WEIGHT};
use control::Count;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::settings::{LagLimit, OnRoleChange, Policy, Target, number};

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
fn flag(word: &str, value: Option<&str>) -> Result<bool, String> {
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

/// An address of `listen`, and what the sessions need that come there: `127.0.0.1:9495 target=replica`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(
        serialize = "A: Clone + fmt::Display",
        deserialize = "A: TryFrom<String, Error = String>"
    )
)]
pub struct Bind<A> {
    /// The address.
    pub address: A,
    /// What is said of its sessions.
    pub needs: Needs,
}

impl<A: TryFrom<String, Error = String>> TryFrom<String> for Bind<A> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let written = Written::from(text.as_str());
        let address = A::try_from(written.name.to_owned())?;
        let mut needs = Needs::default();
        for (word, value) in written.words() {
            let known = needs.take(word, value);
            if !known.map_err(|why| format!("`{}`: {why}", written.name))? {
                return Err(format!(
                    "`{}`: `{word}` is none of target=, policy=, max_lag=, fallback_to_primary, \
                     on_role_change=",
                    written.name
                ));
            }
        }
        Ok(Self { address, needs })
    }
}

impl<A: fmt::Display> From<Bind<A>> for String {
    fn from(bind: Bind<A>) -> Self {
        bind.to_string()
    }
}

impl<A: fmt::Display> fmt::Display for Bind<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address, self.needs)
    }
}

/// `listen` and `api_listen`: one, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrSeveral<T>(pub Vec<T>);

impl<T: fmt::Display> fmt::Display for OneOrSeveral<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// As it is written: a single one without a list around it.
impl<T: Serialize> Serialize for OneOrSeveral<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de, T: TryFrom<String, Error = String>> Deserialize<'de> for OneOrSeveral<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts(PhantomData))
    }
}

/// A text, or a list of them.
struct Texts<T>(PhantomData<T>);

impl<'de, T: TryFrom<String, Error = String>> Visitor<'de> for Texts<T> {
    type Value = OneOrSeveral<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address to listen on, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrSeveral<T>, E> {
        let one = T::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(OneOrSeveral(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrSeveral<T>, A::Error> {
        let mut several = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            several.push(T::try_from(text).map_err(A::Error::custom)?);
        }
        if several.is_empty() {
            return Err(A::Error::custom(
                "the list is empty; name one address at least",
            ));
        }
        Ok(OneOrSeveral(several))
    }
}

/// A name that stands twice in a list, where there is one.
#[must_use]
pub fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    let mut pairs = names.windows(2);
    pairs.find_map(|pair| (pair.first() == pair.last()).then(|| pair.first().copied())?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
