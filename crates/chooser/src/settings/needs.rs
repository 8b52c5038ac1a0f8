//! What one listener's sessions need, as an operator writes it behind its address.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::{LagLimit, OnRoleChange, Policy, Target, Written, value};

/// What one listener's sessions need, as it is written; what is not said holds as for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// `target`
    pub target: Option<Target>,
    /// `policy`
    pub policy: Option<Policy>,
    /// `max_lag`
    pub max_lag: Option<LagLimit>,
    /// `fallback_to_primary`; the bare word is as good as `=true`.
    pub fallback_to_primary: Option<bool>,
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
            "fallback_to_primary" => {
                self.fallback_to_primary = Some(match given {
                    None | Some("true") => true,
                    Some("false") => false,
                    Some(other) => return Err(format!("{word}: `{other}` is none of true, false")),
                });
            }
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
                // A word ends at a space, and periods have some between their parts.
                write!(f, " {word}={}", value.replace(' ', ""))?;
            }
        }
        match self.fallback_to_primary {
            Some(true) => f.write_str(" fallback_to_primary"),
            Some(false) => f.write_str(" fallback_to_primary=false"),
            None => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_needs_is_read_and_written_as_it_was() {
        let read = |text: &str| {
            let mut needs = Needs::default();
            for (word, value) in Written::from(format!("a{text}").as_str()).words() {
                assert!(needs.take(word, value)?, "{word}");
            }
            Ok::<_, String>(needs)
        };
        for text in [
            "",
            " target=replica policy=peak-ewma max_lag=16MiB on_role_change=keep \
             fallback_to_primary",
            " fallback_to_primary=false",
            " max_lag=1m30s",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        let yes = read(" fallback_to_primary=true").unwrap();
        assert_eq!(yes.to_string(), " fallback_to_primary");
        let error = read(" fallback_to_primary=yes").unwrap_err();
        assert_eq!(error, "fallback_to_primary: `yes` is none of true, false");
        let mut needs = Needs::default();
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
