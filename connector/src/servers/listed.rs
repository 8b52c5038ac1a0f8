//! One of `servers`, as an operator writes it.

use std::fmt;

use chooser::settings::{Share, Written, value};
use daemon::HostPort;
use serde::{Deserialize, Serialize};

/// A server, and how much of the sessions it gets: `db-2:9393 weight=2 backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listed {
    /// Where its sessions go.
    pub address: HostPort,
    /// How many.
    pub share: Share,
    /// Its own address for the control API, where something stands before its data port.
    pub control: Option<HostPort>,
}

impl From<HostPort> for Listed {
    fn from(address: HostPort) -> Self {
        Self {
            address,
            share: Share::default(),
            control: None,
        }
    }
}

impl TryFrom<String> for Listed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let written = Written::from(text.as_str());
        let mut listed = Self::from(HostPort::try_from(written.name.to_owned())?);
        for (word, given) in written.words() {
            let why = |why| format!("`{}`: {why}", written.name);
            if word == "control" {
                listed.control = Some(value(word, given).map_err(why)?);
            } else if !listed.share.take(word, given).map_err(why)? {
                return Err(why(format!(
                    "`{word}` is none of weight=, backup, max_connections=, control="
                )));
            }
        }
        Ok(listed)
    }
}

impl From<Listed> for String {
    fn from(listed: Listed) -> Self {
        listed.to_string()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address.as_str(), self.share)?;
        match &self.control {
            Some(control) => write!(f, " control={}", control.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_and_written_as_it_was() {
        let read = |text: &str| Listed::try_from(text.to_owned());
        for text in ["db:1", "db:1 weight=2 backup control=db:2"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for (text, why) in [
            ("db", "no host and port"),
            ("db:1 wait=2", "`db:1`: `wait` is none of weight="),
            ("db:1 weight=many", "`db:1`: weight: write a number"),
            ("db:1 control=db", "`db:1`: control: "),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
