//! What all sessions of a connector share.

use std::sync::Arc;
use std::time::Duration;

use daemon::{Sessions, Shutdown};
use rustls::ClientConfig;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::users::AllowUsers;

/// One connector, as its sessions and its API see it.
pub struct Shared {
    /// The server's address.
    pub server: String,
    /// TLS for data sessions.
    pub tls: Arc<ClientConfig>,
    /// The server's control API.
    pub control: control::Client,
    /// Who may connect by unix socket.
    pub allow_users: AllowUsers,
    /// Whether applications may create zones.
    pub zones_allowed: bool,
    /// How long a tunnel may take to open.
    pub connect_timeout: Duration,
    /// How long an application may take to its start-up message.
    pub startup_timeout: Duration,
    /// What it counts.
    pub metrics: Metrics,
    /// The sessions that run.
    pub sessions: Sessions,
    /// Set off when running sessions are to end at once.
    pub ending: Shutdown,
}

impl Shared {
    /// From the configuration, the two TLS set-ups, and who may connect.
    #[must_use]
    pub fn new(
        config: &Config,
        tls: Arc<ClientConfig>,
        control_tls: Arc<ClientConfig>,
        allow_users: AllowUsers,
        ending: Shutdown,
    ) -> Self {
        let control = config
            .control
            .as_ref()
            .unwrap_or(&config.server)
            .as_str()
            .to_owned();
        Self {
            server: config.server.as_str().to_owned(),
            tls,
            control: control::Client::new(control, control_tls, config.connect_timeout.0),
            allow_users,
            zones_allowed: config.local_api.zones,
            connect_timeout: config.connect_timeout.0,
            startup_timeout: config.startup_timeout.0,
            metrics: Metrics::new(),
            sessions: Sessions::default(),
            ending,
        }
    }
}
