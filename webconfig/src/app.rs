//! What all requests share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::SettingsView;
use tokio::sync::Semaphore;

use crate::audit::Audit;
use crate::change::{self, Changed, Changes, NotChanged};
use crate::fleet::Fleet;
use crate::sessions::Sessions;
use crate::throttle::Throttle;
use crate::users::{UserName, UsersFile};

/// Passwords that are hashed at once: each takes 19 MiB and a processor.
const MAX_HASHING: usize = 2;

/// Changes whose users are remembered.
const MAX_AUTHORS: usize = 1000;

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
    /// Room to hash a password.
    pub hashing: Semaphore,
    /// Whether browsers come by TLS.
    pub is_https: bool,
    /// Changes that are being made: the program's end waits for them.
    pub changing: daemon::Sessions,
    made: Mutex<Made>,
}

/// Changes that were made here.
#[derive(Default)]
struct Made {
    /// Who made which: servers know the page's certificate alone.
    authors: BTreeMap<u64, UserName>,
    last: Option<Undo>,
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
            hashing: Semaphore::new(MAX_HASHING),
            is_https,
            changing: daemon::Sessions::default(),
            made: Mutex::default(),
        }
    }

    /// Changes settings of all servers for a user.
    ///
    /// # Errors
    /// As [`change::change`]; a conflict names the user that was faster, where it was one of this page.
    pub async fn change(
        &self,
        number: u64,
        changes: Changes,
        by: &UserName,
    ) -> Result<Changed, NotChanged> {
        let _changing = self.changing.begin();
        let before = self.stored(number, &changes);
        let told: Vec<_> = changes.iter().map(told).collect();
        let changed = match change::change(&self.fleet, number, changes).await {
            Ok(changed) => changed,
            Err(error) => {
                tracing::info!(user = %by, %error, "a change of settings was not made");
                return Err(self.with_user(error, number));
            }
        };
        tracing::info!(user = %by, number = changed.number, changes = told.join(", "), "settings were changed");
        if let Some(number) = changed.number {
            let mut made = self.lock();
            made.last = before.map(|changes| Undo {
                number,
                changes,
                by: by.clone(),
            });
            made.authors.insert(number, by.clone());
            if made.authors.len() > MAX_AUTHORS {
                made.authors.pop_first();
            }
        }
        // What is shown next is as it is now.
        self.fleet.ask_settings().await;
        self.fleet.servers.iter().for_each(|server| server.wake());
        Ok(changed)
    }

    /// How the change that made these settings is taken back.
    #[must_use]
    pub fn undo(&self, number: u64) -> Option<Undo> {
        self.lock()
            .last
            .clone()
            .filter(|undo| undo.number == number)
    }

    /// The user that made the settings of this number, if it was one of this page since it was started.
    #[must_use]
    pub fn author(&self, number: u64) -> Option<UserName> {
        self.lock().authors.get(&number).cloned()
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

    fn with_user(&self, error: NotChanged, seen: u64) -> NotChanged {
        let later = self.lock();
        let user = later.authors.range(seen.saturating_add(1)..).next_back();
        match (error, user) {
            (NotChanged::Conflict(why), Some((number, user))) => {
                NotChanged::Conflict(format!("{why} (change {number} was {user}'s)"))
            }
            (error, _) => error,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told((name, value): (&String, &Option<String>)) -> String {
    match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("{name} reset"),
    }
}
