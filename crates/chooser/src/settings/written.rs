//! What an operator writes as one text: a member of a list, or an address to listen on, and words behind
//! it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
