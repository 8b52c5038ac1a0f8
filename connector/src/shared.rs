//! What all sessions of a connector share.

use std::sync::Arc;
use std::time::Duration;

use daemon::{Places, Sessions, Shutdown};
use tokio::sync::Semaphore;
use tunnel::{ClientTls, Revoked, Tuning};

use crate::config::Config;
use crate::listen::Source;
use crate::metrics::Metrics;
use crate::users::AllowUsers;

/// Tunnels that are opened for cancel requests at once; more requests wait.
const OPENING_FOR_CANCELS: usize = 16;

/// One connector, as its sessions and its API see it.
pub struct Shared {
    /// The server's address.
    pub server: String,
    /// Its end of TLS, for data sessions and the control API.
    pub tls: Arc<ClientTls>,
    /// Whose certificates are revoked, as the server has told.
    pub revoked: Revoked,
    /// The server's control API.
    pub control: control::Client,
    /// Who may connect by unix socket.
    pub allow_users: AllowUsers,
    /// Whether applications may create zones.
    pub zones_allowed: bool,
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
    pub metrics: Metrics,
    /// The sessions that run.
    pub sessions: Sessions,
    /// Set off when running sessions are to end at once.
    pub ending: Shutdown,
}

impl Shared {
    /// From the configuration, its end of TLS, and who may connect.
    #[must_use]
    pub fn new(
        config: &Config,
        tls: ClientTls,
        revoked: Revoked,
        allow_users: AllowUsers,
        ending: Shutdown,
    ) -> Self {
        let tls = Arc::new(tls);
        let control = config
            .control
            .as_ref()
            .unwrap_or(&config.server)
            .as_str()
            .to_owned();
        Self {
            server: config.server.as_str().to_owned(),
            control: control::Client::new(control, tls.clone(), config.connect_timeout.0),
            tls,
            revoked,
            allow_users,
            zones_allowed: config.local_api.zones,
            connect_timeout: config.connect_timeout.0,
            answer_timeout: config.answer_timeout.0,
            startup_timeout: config.startup_timeout.0,
            starting: Arc::new(Places::new(daemon::within_file_limit(
                config.max_starting.0,
            ))),
            opening_for_cancels: Semaphore::new(OPENING_FOR_CANCELS),
            tuning: config.tuning(),
            metrics: Metrics::new(),
            sessions: Sessions::default(),
            ending,
        }
    }
}
