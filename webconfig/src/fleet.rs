//! The servers, and what is known of each: it is heard from them all the time.
//!
//! A connection to each server tells at once how it stands; every second it is asked for the rest, and
//! for its settings when they have changed.

mod listen;
mod prospects;
mod rates;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use control::{Client, ClientError, SettingsView, Standing, Status};
use tokio::sync::{Notify, watch};
use tunnel::{ClientTls, Revoked};

use crate::users::UserName;

pub use prospects::{Flow, Prospects};
pub use rates::{Rates, SAMPLES};

/// What an admin's program knows of revoked servers is as good as what they tell it.
const MAX_CRL_AGE: Duration = Duration::from_secs(3600);

/// All servers.
pub struct Fleet {
    /// In the order of the configuration.
    pub servers: Vec<Arc<Server>>,
    /// Certificates that are revoked, as the servers tell.
    pub revoked: Revoked,
    /// Counts what was heard.
    changed: watch::Sender<u64>,
}

/// One of them.
pub struct Server {
    /// Where its control API is.
    pub address: String,
    /// Asks it.
    pub client: Client,
    known: Mutex<Known>,
    /// Its settings have changed, or are thought to have.
    wake: Notify,
}

/// What is known of a server; all of it from before, while it is silent.
#[derive(Clone, Default)]
pub struct Known {
    /// When it said something last.
    pub heard: Option<Instant>,
    /// Why it says nothing now.
    pub silent: Option<String>,
    /// As it told last.
    pub standing: Option<Standing>,
    /// As it answered last,
    pub status: Option<Status>,
    /// or why it does not.
    pub unanswered: Option<String>,
    /// The settings that hold there.
    pub settings: Option<SettingsView>,
    /// It was away, and may have been started with other settings of its own.
    settings_due: bool,
    /// When it took over the settings that hold there, if it was heard to.
    pub took: Option<SystemTime>,
    /// Values opened and refused.
    pub rates: Rates,
    /// What each zone mode would make of them.
    pub prospects: Prospects,
}

/// A server and what is known of it at one moment.
#[derive(Clone)]
pub struct Seen {
    /// Where its control API is.
    pub address: String,
    /// What is known.
    pub known: Known,
}

/// The revoked certificates, none of which is known yet.
#[must_use]
pub fn revoked() -> Revoked {
    Revoked::new(MAX_CRL_AGE, Instant::now())
}

impl Fleet {
    /// The servers at these addresses. Nothing is asked yet.
    #[must_use]
    pub fn new(
        addresses: impl IntoIterator<Item = String>,
        tls: &Arc<ClientTls>,
        revoked: Revoked,
        limit: Duration,
    ) -> Arc<Self> {
        let server = |address: String| {
            Arc::new(Server {
                client: Client::new(address.clone(), tls.clone(), limit).keeping(revoked.clone()),
                address,
                known: Mutex::default(),
                wake: Notify::new(),
            })
        };
        Arc::new(Self {
            servers: addresses.into_iter().map(server).collect(),
            revoked,
            changed: watch::Sender::new(0),
        })
    }

    /// Begins to hear from every server, for as long as the program runs.
    pub fn start(self: &Arc<Self>) {
        for server in &self.servers {
            tokio::spawn(listen::listen(server.clone(), self.clone()));
            tokio::spawn(listen::ask(server.clone(), self.clone()));
        }
    }

    /// What is known of each now.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        let seen = |server: &Arc<Server>| Seen {
            address: server.address.clone(),
            known: server.lock().clone(),
        };
        self.servers.iter().map(seen).collect()
    }

    /// The servers, those that are heard first.
    #[must_use]
    pub fn by_readiness(&self) -> Vec<Arc<Server>> {
        let mut servers = self.servers.clone();
        servers.sort_by_cached_key(|server| server.lock().silent.is_some());
        servers
    }

    /// Tells when something has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Asks every server for its settings, and waits for the answers; those that are silent are left as
    /// they are.
    pub async fn ask_settings(&self) {
        let asked = self.servers.iter().map(|server| {
            let server = server.clone();
            tokio::spawn(async move { server.ask_settings().await })
        });
        let asked: Vec<_> = asked.collect();
        for asked in asked {
            // A server that does not answer says so by being silent.
            let _ = asked.await;
        }
        self.has_changed();
    }

    /// Says that something has.
    pub fn has_changed(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Server {
    /// Asks it for a user, or for nobody in particular.
    #[must_use]
    pub fn client_for(&self, user: Option<&UserName>) -> Client {
        match user {
            Some(user) => self.client.on_behalf_of(user),
            None => self.client.clone(),
        }
    }

    /// Asks for its status at once, and so for its settings if they have changed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    async fn ask_settings(&self) -> Result<(), ClientError> {
        let settings = self.client.settings().await?;
        let mut known = self.lock();
        known.settings = Some(settings);
        known.settings_due = false;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
