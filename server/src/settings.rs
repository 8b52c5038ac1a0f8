//! The settings that hold on this server, and where each comes from: its own command line or
//! environment, the store, the configuration file, or the default; the first that says something.
//!
//! Which settings there are and which values are right is `control`'s; reading the store is
//! `settings/follow`, changing it `control/settings`; what a setting does, `shared` and who it asks.

mod configured;
mod follow;

use std::sync::{Mutex, MutexGuard, PoisonError};

use control::{BadSetting, Live, SettingsStatus};
use keystore::Error;

pub use configured::Configured;
pub use follow::follow;

/// What the store's record of settings says.
pub type Record = keystore::Settings;

/// Why the store's settings do not hold here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    /// They cannot be taken over; those that were before go on.
    NotTaken(String),
    /// The record cannot be relied on.
    Distrusted(String),
}

/// The settings of a server that runs.
#[derive(Debug)]
pub struct Settings {
    state: Mutex<State>,
    /// One reads the store at a time, so that none takes an older state over a newer one.
    reader: tokio::sync::Mutex<follow::Reader>,
}

#[derive(Debug)]
struct State {
    configured: Configured,
    live: Live,
    /// What the store said last, if it could be read at all.
    heard: Option<Record>,
    /// What it said when that was last taken over.
    taken: Option<Record>,
    problem: Option<Problem>,
}

impl Settings {
    /// At the start of a server, with what the store says.
    ///
    /// # Errors
    /// The record cannot be read, or not be relied on. One that cannot be taken over is no error:
    /// an operator is told by `/health`, and may change it through this server.
    pub fn new(configured: Configured, read: Result<Record, Error>) -> Result<Self, Error> {
        let mut state = State {
            live: configured.live().clone(),
            configured,
            heard: None,
            taken: None,
            problem: None,
        };
        match read {
            Ok(record) => state.take(record),
            Err(error @ Error::UnknownForm { .. }) => {
                state.problem = Some(Problem::NotTaken(error.to_string()));
            }
            Err(error) => return Err(error),
        }
        Ok(Self {
            state: Mutex::new(state),
            reader: tokio::sync::Mutex::default(),
        })
    }

    /// The settings that hold.
    #[must_use]
    pub fn live(&self) -> Live {
        self.lock().live.clone()
    }

    /// What the configuration says.
    #[must_use]
    pub fn configured(&self) -> Configured {
        self.lock().configured.clone()
    }

    /// Why nothing of the store's settings may be relied on, and so no session be let in: the record
    /// was altered, or there never was one that could be taken over.
    #[must_use]
    pub fn unknown(&self) -> bool {
        let state = self.lock();
        match &state.problem {
            Some(Problem::Distrusted(_)) => true,
            Some(Problem::NotTaken(_)) | None => state.taken.is_none(),
        }
    }

    /// How it stands with the store's settings, for people.
    #[must_use]
    pub fn status(&self) -> SettingsStatus {
        let state = self.lock();
        SettingsStatus {
            number: state.heard.as_ref().map(|record| record.number),
            taken: state.taken.as_ref().map(|record| record.number),
            problem: state.problem.as_ref().map(|problem| match problem {
                Problem::NotTaken(why) => format!("the store's settings are not taken over: {why}"),
                Problem::Distrusted(why) => {
                    format!("the store's settings cannot be relied on: {why}")
                }
            }),
        }
    }

    /// Every setting as it holds here.
    #[must_use]
    pub fn view(&self) -> control::SettingsView {
        let status = self.status();
        let state = self.lock();
        let none = Record::default();
        let taken = state.taken.as_ref().unwrap_or(&none);
        let last = state.heard.as_ref().and_then(|record| record.last.as_ref());
        control::SettingsView {
            number: status.number,
            taken: status.taken,
            problem: status.problem,
            last: last.map(|last| control::LastChange {
                by: last.by.clone(),
                at: last.at.to_string(),
            }),
            settings: state.configured.view(&state.live, taken),
        }
    }

    /// Whether a server could run with another configuration and what it last took from the store.
    ///
    /// # Errors
    /// It could not.
    pub fn admits(&self, configured: &Configured) -> Result<(), BadSetting> {
        match &self.lock().taken {
            Some(record) => configured.with(record).map(drop),
            None => Ok(()),
        }
    }

    /// Takes over another configuration. `apply` is given the settings that hold then.
    pub fn configure(&self, configured: Configured, apply: impl FnOnce(&Live)) {
        let mut state = self.lock();
        let problem = state.problem.clone();
        state.configured = configured;
        let taken = state.taken.clone();
        match taken.map_or(Ok(state.configured.live().clone()), |taken| {
            state.configured.with(&taken)
        }) {
            Ok(live) => state.live = live,
            // Another record has come since it was asked whether this can be; what holds goes on.
            Err(error) => state.problem = Some(Problem::NotTaken(error.to_string())),
        }
        if let (Some(Problem::NotTaken(_)), Some(heard)) = (&problem, state.heard.clone()) {
            // What did not go with the one may go with the other.
            state.take(heard);
            state.tell(problem.as_ref());
        }
        apply(&state.live);
    }

    /// Hears what the store says now. `apply` is given the settings that hold then, if they are
    /// others.
    fn hear(&self, read: Result<Record, Error>, apply: impl FnOnce(&Live)) {
        let mut state = self.lock();
        let (problem, live) = (state.problem.clone(), state.live.clone());
        match read {
            Ok(record) => match state.known_number() {
                Some(known) if record.number < known => {
                    state.problem = Some(Problem::Distrusted(format!(
                        "they went back from number {known} to {}; if a backup was restored, \
                         restart the server",
                        record.number
                    )));
                }
                _ if state.problem.is_none() && state.heard.as_ref() == Some(&record) => return,
                _ => state.take(record),
            },
            Err(error @ Error::UnknownForm { .. }) => {
                state.problem = Some(Problem::NotTaken(error.to_string()));
            }
            Err(error) => state.problem = Some(Problem::Distrusted(error.to_string())),
        }
        if state.live != live {
            apply(&state.live);
        }
        state.tell(problem.as_ref());
    }

    /// Says in the log how it stands at the start.
    pub fn tell(&self) {
        self.lock().tell(None);
    }

    /// No code that holds the lock can panic half-way through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn known_number(&self) -> Option<u64> {
        self.heard.as_ref().map(|record| record.number)
    }

    /// Takes over a record, or nothing of it.
    fn take(&mut self, record: Record) {
        match self.configured.with(&record) {
            Ok(live) => {
                self.live = live;
                self.taken = Some(record.clone());
                self.problem = None;
            }
            Err(error) => self.problem = Some(Problem::NotTaken(error.to_string())),
        }
        self.heard = Some(record);
    }

    /// Says what has come of it, once.
    fn tell(&self, before: Option<&Problem>) {
        let number = self.known_number();
        match &self.problem {
            problem if problem.as_ref() == before && problem.is_some() => {}
            Some(Problem::NotTaken(error)) if self.taken.is_none() => {
                tracing::error!(
                    error,
                    number,
                    "no new sessions: the store's settings are not known"
                );
            }
            Some(Problem::NotTaken(error)) => {
                tracing::error!(error, number, "the store's settings are not taken over");
            }
            Some(Problem::Distrusted(error)) => {
                tracing::error!(
                    error,
                    "no new sessions: the store's settings cannot be relied on"
                );
            }
            None => {
                let by = self.heard.as_ref().and_then(|record| record.last.as_ref());
                let by = by.map(|last| last.by.as_str());
                tracing::info!(number, by, "settings taken over");
            }
        }
    }
}

#[cfg(test)]
mod tests;
