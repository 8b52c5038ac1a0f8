//! One of `databases`, as an operator writes it.

use std::fmt;

use chooser::Endpoint;
use chooser::settings::{Share, Written, value};
use control::Count;
use serde::{Deserialize, Serialize};

use crate::config::{DatabaseAddress, PatroniAddress};

/// A database, and how much of the sessions it gets: `db-2:5432 weight=2 backup`. Behind it may stand which
/// Patroni is asked what it is: `patroni=http://db-2:8008`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listed {
    /// Where it is.
    pub address: DatabaseAddress,
    /// How many sessions it gets.
    pub share: Share,
    /// Who is asked what it is, if not the database itself.
    pub patroni: Option<PatroniAddress>,
}

impl Listed {
    /// As the balancer knows it; `max_connections` holds where it has none of its own.
    #[must_use]
    pub fn endpoint(&self, max_connections: Option<Count>) -> Endpoint {
        let name = self.address.to_string();
        self.share.endpoint(&name, max_connections)
    }
}

impl From<DatabaseAddress> for Listed {
    fn from(address: DatabaseAddress) -> Self {
        Self {
            address,
            share: Share::default(),
            patroni: None,
        }
    }
}

impl TryFrom<String> for Listed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let written = Written::from(text.as_str());
        let mut listed = Self::from(DatabaseAddress::try_from(written.name.to_owned())?);
        for (word, given) in written.words() {
            let why = |why| format!("`{}`: {why}", written.name);
            if word == "patroni" {
                listed.patroni = Some(value(word, given).map_err(why)?);
            } else if !listed.share.take(word, given).map_err(why)? {
                return Err(why(format!(
                    "`{word}` is none of weight=, backup, max_connections=, patroni="
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
        write!(f, "{}{}", self.address, self.share)?;
        match &self.patroni {
            Some(patroni) => write!(f, " patroni={patroni}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        Listed::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn a_database_is_written_with_its_share_and_its_patroni() {
        for (text, written) in [
            ("db-1:5432", "db-1:5432"),
            (
                " db-1:5432  patroni=https://db-1 backup",
                "db-1:5432 backup patroni=https://db-1:8008",
            ),
        ] {
            assert_eq!(read(text).as_deref(), Ok(written));
            assert_eq!(read(written).as_deref(), Ok(written));
        }
        for (wrong, says) in [
            ("db-1:5432 patroni", "`db-1:5432`: patroni needs a value"),
            (
                "db-1:5432 patroni=db-1",
                "`db-1:5432`: patroni: `db-1` is no address",
            ),
            ("db-1:5432 patronis=x", "`patronis` is none of weight="),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
