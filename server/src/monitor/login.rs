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
