//! As whom the server watches its database.

use std::path::PathBuf;

use keystore::Secret;

use super::problem::Problem;
use crate::config;

/// A user of the database, and where its password is.
#[derive(Debug)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The database that it connects to.
    pub database: String,
    password_file: Option<PathBuf>,
}

impl Login {
    /// From the configuration; `None` where there is no user.
    ///
    /// # Errors
    /// In a line: a key that says nothing without another, or a file that cannot be used.
    pub fn new(config: &config::Monitor) -> Result<Option<Self>, String> {
        let Some(user) = config.user.clone() else {
            return match config.password_file {
                Some(_) => Err(
                    "database.monitor.password_file is set, and database.monitor.user is not; \
                     set both, or leave the file out"
                        .to_owned(),
                ),
                None => Ok(None),
            };
        };
        for (key, name) in [("user", &user), ("database", &config.database)] {
            if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
                return Err(format!(
                    "database.monitor.{key}: a name has 1 to {MAX_NAME} bytes, and no NUL"
                ));
            }
        }
        if let Some(file) = &config.password_file {
            Secret::from_file(file)
                .map_err(|error| format!("database.monitor.password_file: {error}"))?;
        }
        Ok(Some(Self {
            user,
            database: config.database.clone(),
            password_file: config.password_file.clone(),
        }))
    }

    /// The password, read anew so that it can be changed.
    ///
    /// # Errors
    /// There is none, or its file cannot be used.
    pub fn password(&self) -> Result<Secret, Problem> {
        match &self.password_file {
            Some(file) => Secret::from_file(file).map_err(Problem::PasswordFile),
            None => Err(Problem::NoPassword),
        }
    }
}

/// Longer names PostgreSQL cuts off (`NAMEDATALEN`), and nobody means that.
const MAX_NAME: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn new(fields: &[(&str, &str)]) -> Result<bool, String> {
        let mut table = serde_json::json!({});
        for (key, value) in fields {
            table[*key] = (*value).into();
        }
        Login::new(&serde_json::from_value(table).unwrap()).map(|login| login.is_some())
    }

    #[test]
    fn without_a_user_nobody_logs_in_and_a_password_alone_is_refused() {
        assert_eq!(new(&[]), Ok(false));
        assert_eq!(new(&[("user", "u")]), Ok(true));
        let error = new(&[("password_file", "p")]).unwrap_err();
        assert!(error.contains("database.monitor.user is not"), "{error}");
    }

    #[test]
    fn names_and_files_that_cannot_be_right_are_refused() {
        let long = "u".repeat(64);
        for (fields, says) in [
            ([("user", "")].as_slice(), "database.monitor.user: "),
            (&[("user", &long)], "database.monitor.user: "),
            (&[("user", "u\0x")], "database.monitor.user: "),
            (
                &[("user", "u"), ("database", "")],
                "database.monitor.database: ",
            ),
            (
                &[("user", "u"), ("password_file", "/no/such/file")],
                "database.monitor.password_file: ",
            ),
        ] {
            let error = new(fields).unwrap_err();
            assert!(error.starts_with(says), "{fields:?}: {error}");
        }
    }
}
