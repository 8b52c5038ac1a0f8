//! Of whom it is asked what a database is: of itself, or of its Patroni. Both give the same answer.

use std::time::Duration;

use super::login::Login;
use super::patroni::{Connection, Patroni};
use super::problem::Problem;
use super::question::Answer;
use super::session::Session;
use crate::config::{self, PatroniAddress};
use crate::database::Database;

/// Who is asked.
pub enum Source {
    /// The database, as this user.
    Database(Login),
    /// Patroni.
    Patroni(Patroni),
}

/// A connection on which it is asked again and again.
pub enum Conversation {
    /// A session with the database.
    Session(Session),
    /// HTTP with Patroni.
    Http(Connection),
}

impl Source {
    /// From the configuration, of a database that has this Patroni; `None` where nobody is to be asked.
    ///
    /// # Errors
    /// In a line: keys that do not go together, or a file that cannot be used.
    pub fn new(
        config: &config::Monitor,
        patroni: Option<&PatroniAddress>,
    ) -> Result<Option<Self>, String> {
        let login = Login::new(config)?;
        let patroni = Patroni::new(patroni, config.patroni_ca.as_deref())?;
        match (login, patroni) {
            (Some(_), Some(patroni)) => Err(format!(
                "database.monitor.user is set, and Patroni is to be asked at {}; set one of the two",
                patroni.address()
            )),
            (login, patroni) => Ok(login.map(Self::Database).or(patroni.map(Self::Patroni))),
        }
    }

    /// That there was no answer for so long.
    #[must_use]
    pub fn silent(&self, limit: Duration) -> Problem {
        match self {
            Self::Database(_) => Problem::Silent(limit),
            Self::Patroni(patroni) => patroni.silent(limit).into(),
        }
    }

    /// Begins to ask.
    ///
    /// # Errors
    /// It is not reached, or lets nobody in.
    pub async fn open(&self, database: &Database) -> Result<Conversation, Problem> {
        Ok(match self {
            Self::Database(login) => Conversation::Session(Session::open(database, login).await?),
            Self::Patroni(patroni) => Conversation::Http(patroni.connect().await?),
        })
    }
}

impl Conversation {
    /// Asks how the database stands.
    ///
    /// # Errors
    /// There is no answer, or none as it should be. The conversation is of no use then.
    pub async fn ask(&mut self) -> Result<Answer, Problem> {
        match self {
            Self::Session(session) => session.ask().await,
            Self::Http(connection) => Ok(connection.ask().await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(patroni: Option<&str>, fields: &[(&str, &str)]) -> Result<Option<Source>, String> {
        let mut table = serde_json::json!({});
        for (key, value) in fields {
            table[*key] = (*value).into();
        }
        let patroni = patroni.map(|url| url.to_owned().try_into().unwrap());
        Source::new(&serde_json::from_value(table).unwrap(), patroni.as_ref())
    }

    #[test]
    fn who_is_asked_is_one_of_two_or_nobody() {
        assert!(matches!(new(None, &[]), Ok(None)));
        let user = new(None, &[("user", "u")]);
        assert!(matches!(user, Ok(Some(Source::Database(_)))));
        let patroni = new(Some("http://db-1"), &[]);
        assert!(matches!(patroni, Ok(Some(Source::Patroni(_)))));
    }

    #[test]
    fn keys_that_do_not_go_together_are_refused() {
        for (patroni, fields, says) in [
            (Some("http://db-1"), [("user", "u")], "set one of the two"),
            (
                Some("http://db-1"),
                [("password_file", "p")],
                "database.monitor.user is not",
            ),
            (
                Some("https://db-1"),
                [("database", "d")],
                "`database.monitor.patroni_ca` is not set",
            ),
            (
                Some("http://db-1"),
                [("patroni_ca", "c")],
                "is asked in clear",
            ),
            (None, [("patroni_ca", "c")], "no Patroni is asked"),
            (
                Some("https://db-1"),
                [("patroni_ca", "/no/such/file")],
                "database.monitor.patroni_ca: /no/such/file: ",
            ),
        ] {
            let error = new(patroni, &fields).err().unwrap();
            assert!(error.contains(says), "{patroni:?} {fields:?}: {error}");
        }
    }
}
