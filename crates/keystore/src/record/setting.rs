//! The settings that a fleet shares. What their names and values mean is not known here.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The name of a setting: 1 to 64 of `a-z 0-9 _ .`, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SettingName(String);

/// The value of a setting: 1 to 256 bytes of text without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SettingValue(String);

/// A text that cannot be a setting's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASetting {
    /// Not its name.
    #[error("not a setting's name: 1 to 64 of a-z 0-9 _ . with a letter first")]
    Name,
    /// Not its value.
    #[error("not a setting's value: 1 to 256 bytes of text without control characters")]
    Value,
}

impl SettingName {
    const MAX: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingValue {
    const MAX: usize = 256;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SettingName {
    type Error = NotASetting;

    fn try_from(text: String) -> Result<Self, NotASetting> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        match begins && text.len() <= Self::MAX && text.chars().all(known) {
            true => Ok(SettingName(text)),
            false => Err(NotASetting::Name),
        }
    }
}

impl TryFrom<String> for SettingValue {
    type Error = NotASetting;

    fn try_from(text: String) -> Result<Self, NotASetting> {
        match (1..=Self::MAX).contains(&text.len()) && !text.chars().any(char::is_control) {
            true => Ok(SettingValue(text)),
            false => Err(NotASetting::Value),
        }
    }
}

impl FromStr for SettingName {
    type Err = NotASetting;

    fn from_str(text: &str) -> Result<Self, NotASetting> {
        text.to_owned().try_into()
    }
}

impl FromStr for SettingValue {
    type Err = NotASetting;

    fn from_str(text: &str) -> Result<Self, NotASetting> {
        text.to_owned().try_into()
    }
}

impl From<SettingName> for String {
    fn from(name: SettingName) -> Self {
        name.0
    }
}

impl From<SettingValue> for String {
    fn from(value: SettingValue) -> Self {
        value.0
    }
}

impl Borrow<str> for SettingName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One setting that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it is set to.
    pub value: SettingValue,
    /// Who set it, as the audit log says it.
    pub by: String,
    /// When it was set.
    pub at: Timestamp,
}

/// All settings that are set: one record, so that they are read all or not at all, and none can be
/// taken out or put back by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Counts the changes, each setting's by itself: as many as entries of the audit log.
    pub number: u64,
    /// Who made the last change, and when; `None` before the first.
    pub last: Option<LastChange>,
    /// The settings.
    pub set: BTreeMap<SettingName, Setting>,
}

/// The last change of any setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastChange {
    /// Who made it, as the audit log says it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Settings {
    /// As they would be once these changes were made: what [`Author::change_settings`] makes of them.
    ///
    /// [`Author::change_settings`]: crate::Author::change_settings
    #[must_use]
    pub fn with(mut self, changes: &BTreeMap<SettingName, Option<SettingValue>>, by: &str) -> Self {
        let at = Timestamp::now();
        for (name, value) in changes {
            self.change(name, value.as_ref(), by, at);
        }
        self
    }

    /// Sets a setting, or with `None` takes it back. Answers what it was before; no change, and
    /// `None`, if it is so already.
    pub(crate) fn change(
        &mut self,
        name: &SettingName,
        value: Option<&SettingValue>,
        by: &str,
        at: Timestamp,
    ) -> Option<Before> {
        let before = self.set.get(name).map(|setting| setting.value.clone());
        if before.as_ref() == value {
            return None;
        }
        match value.cloned() {
            Some(value) => {
                let by = by.to_owned();
                self.set.insert(name.clone(), Setting { value, by, at });
            }
            None => {
                self.set.remove(name);
            }
        }
        self.number = self.number.saturating_add(1);
        self.last = Some(LastChange { by: by.into(), at });
        Some(Before(before))
    }
}

/// What a setting was before it was changed, if it was set.
pub(crate) struct Before(pub Option<SettingValue>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_bounded_text() {
        let long = "a".repeat(65);
        for name in ["zone_mode", "log.level", "a", "a1", &long[1..]] {
            assert_eq!(name.parse::<SettingName>().unwrap().as_str(), name);
        }
        for name in ["", "A", "1a", ".a", "_a", "a-b", "a b", "a/b", "ä", &long] {
            assert_eq!(name.parse::<SettingName>(), Err(NotASetting::Name));
        }
        let long = "a".repeat(257);
        for value in ["on", "64MiB", " ", "für", &long[1..]] {
            assert_eq!(value.parse::<SettingValue>().unwrap().as_str(), value);
        }
        for value in ["", "a\nb", "\u{1b}[2J", &long] {
            assert_eq!(value.parse::<SettingValue>(), Err(NotASetting::Value));
        }
    }

    #[test]
    fn a_change_that_changes_nothing_is_not_counted() {
        let mut settings = Settings::default();
        let [name, other]: [SettingName; 2] = ["mode", "other"].map(|name| name.parse().unwrap());
        let on: SettingValue = "on".parse().unwrap();
        let [one, two] = [1, 2].map(|time| Timestamp::from_seconds(time).unwrap());
        assert!(settings.change(&name, Some(&on), "a", one).is_some());
        let set = settings.clone();
        assert!(settings.change(&name, Some(&on), "b", two).is_none());
        assert!(settings.change(&other, None, "b", two).is_none());
        assert_eq!(settings, set);
        assert_eq!((set.number, set.set["mode"].by.as_str()), (1, "a"));
        let before = settings.change(&name, None, "b", two).unwrap();
        assert_eq!(before.0, Some(on));
        let last = settings.last.unwrap();
        assert_eq!((settings.number, last.by.as_str()), (2, "b"));
        assert!(settings.set.is_empty());
    }

    #[test]
    fn a_count_that_is_at_its_end_stays_there() {
        let mut settings = Settings {
            number: u64::MAX,
            ..Settings::default()
        };
        let (name, on) = ("mode".parse().unwrap(), "on".parse().unwrap());
        let at = Timestamp::from_seconds(1).unwrap();
        assert!(settings.change(&name, Some(&on), "a", at).is_some());
        assert_eq!(settings.number, u64::MAX);
    }
}
