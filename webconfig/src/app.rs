//! What all requests share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::{Client, ClientError, SettingsView};
use tokio::sync::Semaphore;

use crate::asking::{self, NotDone};
use crate::audit::Audit;
use crate::change::{self, Changed, Changes, NotChanged};
use crate::codes::Codes;
use crate::destructions::Destructions;
use crate::fleet::Fleet;
use crate::sessions::Sessions;
use crate::throttle::Throttle;
use crate::users::{UserName, UsersFile};

/// Passwords that are hashed at once: each takes 19 MiB and a processor.
const MAX_HASHING: usize = 2;

/// The page's state.
pub struct App {
    /// The servers.
    pub fleet: Arc<Fleet>,
    /// What is remembered of the audit log.
    pub audit: Arc<Audit>,
    /// Who may sign in,
    pub users: UsersFile,
    /// and has.
    pub sessions: Sessions,
    /// Who guesses.
    pub throttle: Arc<Throttle>,
    /// Codes that were used.
    pub codes: Codes,
    /// Room to hash a password.
    pub hashing: Semaphore,
    /// Whether browsers come by TLS.
    pub is_https: bool,
    /// Changes that are being made: the program's end waits for them.
    pub changing: daemon::Sessions,
    /// Those of browsers.
    pub connections: daemon::Connections,
    /// Zones that one operator wants destroyed, and another has to confirm.
    pub destructions: Destructions,
    last: Mutex<Option<Undo>>,
}

/// How the last change is taken back, while nothing was changed since.
#[derive(Clone)]
pub struct Undo {
    /// The number of the settings that it made.
    pub number: u64,
    /// The names and values before it.
    pub changes: Changes,
    /// Who made it.
    pub by: UserName,
}

impl App {
    /// Nobody is signed in yet.
    #[must_use]
    pub fn new(fleet: Arc<Fleet>, users: UsersFile, sessions: Sessions, is_https: bool) -> Self {
        Self {
            fleet,
            audit: Arc::default(),
            users,
            sessions,
            throttle: Arc::default(),
            codes: Codes::default(),
            hashing: Semaphore::new(MAX_HASHING),
            is_https,
            changing: daemon::Sessions::default(),
            connections: daemon::Connections::default(),
            destructions: Destructions::default(),
            last: Mutex::default(),
        }
    }

    /// Changes settings of all servers for a user.
    ///
    /// # Errors
    /// As [`change::change`].
    pub async fn change(
        &self,
        number: u64,
        changes: Changes,
        by: &UserName,
    ) -> Result<Changed, NotChanged> {
        let _changing = self.changing.begin();
        let before = self.stored(number, &changes);
        let told: Vec<_> = changes.iter().map(told).collect();
        let changed = match change::change(&self.fleet, number, changes, Some(by)).await {
            Ok(changed) => changed,
            Err(error) => {
                tracing::info!(user = %by, %error, "a change of settings was not made");
                return Err(error);
            }
        };
        tracing::info!(user = %by, number = changed.number, changes = told.join(", "), "settings were changed");
        // One that changes nothing leaves the number as it is, and the change before it to be taken back.
        if let Some(made) = changed.number.filter(|made| *made > number) {
            *self.lock() = before.map(|changes| Undo {
                number: made,
                changes,
                by: by.clone(),
            });
        }
        // What is shown next is as it is now.
        self.fleet.ask_settings().await;
        self.fleet.servers.iter().for_each(|server| server.wake());
        Ok(changed)
    }

    /// Has a client or a zone changed for a user, through one server. A browser that goes away does not
    /// stop it half-way.
    ///
    /// # Errors
    /// It was not done, or it is not known whether it was.
    pub async fn owner_change<T, A, F>(
        self: &Arc<Self>,
        user: UserName,
        ask: F,
    ) -> Result<T, NotDone>
    where
        T: Send + 'static,
        A: Future<Output = Result<T, ClientError>> + Send,
        F: Fn(Client) -> A + Send + Sync + 'static,
    {
        let app = self.clone();
        let made = tokio::spawn(async move {
            let _changing = app.changing.begin();
            asking::change(&app.fleet, Some(&user), ask).await
        });
        made.await.unwrap_or(Err(NotDone::Interrupted))
    }

    /// How the change that made these settings is taken back.
    #[must_use]
    pub fn undo(&self, number: u64) -> Option<Undo> {
        self.lock().clone().filter(|undo| undo.number == number)
    }

    /// What the store has of these settings, as a server said with this number.
    fn stored(&self, number: u64, changes: &Changes) -> Option<Changes> {
        let seen = self.fleet.seen();
        let views = seen.iter().filter_map(|it| it.known.settings.as_ref());
        let view: &SettingsView = views.clone().find(|it| it.number == Some(number))?;
        let stored = |name: &String| {
            let setting = view.settings.iter().find(|it| it.name == *name)?;
            let stored = setting.stored.as_ref().map(|it| it.value.clone());
            Some((name.clone(), stored))
        };
        changes.keys().map(stored).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Undo>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told((name, value): (&String, &Option<String>)) -> String {
    match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("{name} reset"),
    }
}
