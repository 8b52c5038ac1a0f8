//! What all sessions of a connector share.

use std::sync::Arc;
use std::time::Duration;

use daemon::{Connections, Places, Sessions, Shutdown};
use tokio::sync::Semaphore;
use tunnel::{ClientTls, List, Revoked, Tuning};

use crate::api::Listening;
use crate::config::Config;
use crate::listen::Source;
use crate::metrics::Metrics;
use crate::running::Running;
use crate::servers::Servers;
use crate::users::AllowUsers;

/// Tunnels that are opened for cancel requests at once; more requests wait.
const OPENING_FOR_CANCELS: usize = 16;

/// Tunnels that wait at each server, where it is known how servers are.
const WARM_TUNNELS: usize = 4;

/// How long servers may take to their first word before the connector takes over without it.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// One connector, as its sessions and its API see it.
pub struct Shared {
    /// Where sessions and requests go.
    pub servers: Servers,
    /// Its end of TLS, for data sessions and the control API.
    pub tls: Arc<ClientTls>,
    /// Whose certificates are revoked, as the servers have told.
    pub revoked: Revoked,
    /// Who may connect by unix socket.
    pub allow_users: AllowUsers,
    /// Whether applications may create zones.
    pub zones_allowed: bool,
    /// So many tunnels to each server wait for sessions.
    pub warm_tunnels: usize,
    /// How long a tunnel may take to open.
    pub connect_timeout: Duration,
    /// How long the server may take to its first answer.
    pub answer_timeout: Duration,
    /// How long an application may take to its start-up message.
    pub startup_timeout: Duration,
    /// Connections that have not begun a session.
    pub starting: Arc<Places<Source>>,
    /// Whose turn it is to open a tunnel for a cancel request.
    pub opening_for_cancels: Semaphore,
    /// TCP options of its connections.
    pub tuning: Tuning,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Where applications connect, and what their sessions need.
    pub listeners: Vec<Listening>,
    /// All connections that were accepted.
    pub connections: Connections,
    /// The sessions that run.
    pub sessions: Sessions,
    /// The same, one by one, once they have begun on a server.
    pub running: Running,
    /// Set off when running sessions are to end at once.
    pub ending: Shutdown,
}

/// What is made of the configuration first, for it may be wrong.
pub struct Parts {
    /// Where sessions and requests go.
    pub servers: Servers,
    /// The connector's end of TLS.
    pub tls: Arc<ClientTls>,
    /// Whose certificates are revoked: nothing heard yet.
    pub revoked: Revoked,
    /// Who may connect by unix socket.
    pub allow_users: AllowUsers,
    /// All at zero.
    pub metrics: Arc<Metrics>,
}

impl Shared {
    /// From the configuration, and what was made of it.
    #[must_use]
    pub fn new(config: &Config, parts: Parts, ending: Shutdown) -> Self {
        let Parts {
            servers,
            tls,
            revoked,
            allow_users,
            metrics,
        } = parts;
        let has_choice = servers.has_choice();
        Self {
            servers,
            tls,
            revoked,
            allow_users,
            zones_allowed: config.local_api.zones,
            warm_tunnels: match config.warm_tunnels {
                Some(count) => count.0,
                None if has_choice => WARM_TUNNELS,
                None => 0,
            },
            connect_timeout: config.connect_timeout.0,
            answer_timeout: config.answer_timeout.0,
            startup_timeout: config.startup_timeout.0,
            starting: Arc::new(Places::new(daemon::within_file_limit(
                config.max_starting.0,
            ))),
            opening_for_cancels: Semaphore::new(OPENING_FOR_CANCELS),
            tuning: config.tuning(),
            metrics,
            listeners: Listening::all(config),
            connections: Connections::default(),
            sessions: Sessions::default(),
            running: Running::default(),
            ending,
        }
    }

    /// Returns when it is known which certificates are revoked and, where there are several servers, of each
    /// listener to whom its sessions go; after a while in any case: servers that are down are down for
    /// everybody.
    pub async fn knows_servers(&self) {
        let known = async {
            self.revoked.changed(&List::default()).await;
            if let Some(chooser) = self.servers.ways().chooser() {
                chooser.settled().await;
            }
        };
        // In either case what is to be known is known.
        let _ = tokio::time::timeout(FIRST_WORD, known).await;
    }
}
