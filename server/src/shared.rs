//! What all sessions of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use daemon::{Places, Sessions, Shutdown};
use tunnel::{Identity, Revoked, ServerTls};

use crate::access::Access;
use crate::cancel::Cancels;
use crate::config::Config;
use crate::database::Database;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::listen::Source;
use crate::metrics::Metrics;
use crate::opener::Policy;
use crate::refusals::RefusalLog;

/// Connections to the control API at once. Each connector keeps one.
const MAX_CONTROLLING: usize = 4096;

/// One server, as its sessions and interfaces see it.
pub struct Shared {
    /// Its id, from its certificate.
    pub id: String,
    /// Its end of TLS.
    pub tls: ServerTls,
    /// Whose certificates are revoked.
    pub revoked: Revoked,
    /// The database it stands before.
    pub database: Database,
    /// The store, and the keys in memory.
    pub keys: Keys,
    /// The settings that apply live.
    pub policy: ArcSwap<Policy>,
    /// How much memory opening may take.
    pub limits: Limits,
    /// What it counts.
    pub metrics: Metrics,
    /// What it counts by session and owner.
    pub access: Arc<Access>,
    /// What it says of refused values.
    pub refusals: RefusalLog,
    /// Connections that have not begun what they came for.
    pub starting: Arc<Places<Source>>,
    /// Connections to the control API.
    pub controlling: Arc<Places<Identity>>,
    /// The data sessions that run.
    pub sessions: Sessions,
    /// Those of them that can be cancelled.
    pub cancels: Arc<Cancels>,
    /// How long a peer may take to its start-up message.
    pub startup_timeout: Duration,
    /// Set off when running sessions are to end at once.
    pub ending: Shutdown,
    draining: AtomicBool,
}

impl Shared {
    /// At the start of a server.
    #[must_use]
    pub fn new(
        config: &Config,
        tls: ServerTls,
        revoked: Revoked,
        database: Database,
        keys: Keys,
        ending: Shutdown,
    ) -> Self {
        let access = Arc::<Access>::default();
        let mut metrics = Metrics::new();
        if config.metrics_by_owner {
            metrics.add_owners(&access);
        }
        Self {
            id: tls.setup().identity.id.clone(),
            tls,
            revoked,
            database,
            keys,
            policy: ArcSwap::from_pointee(Policy::from(config)),
            limits: Limits::new(config.max_open_row.0, config.open_memory.0),
            metrics,
            access,
            refusals: RefusalLog::default(),
            starting: Arc::new(Places::new(daemon::within_file_limit(
                config.max_starting.0,
            ))),
            controlling: Arc::new(Places::new(daemon::within_file_limit(MAX_CONTROLLING))),
            sessions: Sessions::default(),
            cancels: Arc::default(),
            startup_timeout: config.startup_timeout.0,
            ending,
            draining: AtomicBool::new(false),
        }
    }

    /// Takes over the settings that apply live; every running session's next row is under them.
    pub fn apply(&self, config: &Config) {
        self.policy.store(Arc::new(Policy::from(config)));
        self.revoked.set_max_age(config.max_crl_age.0);
        self.keys.contact.set_max_stale(config.max_stale.0);
    }

    /// From now on there are no new sessions.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// True once there are no new sessions.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Self {
        Self {
            zone_mode: config.zone_mode,
            on_refused: config.on_refused,
        }
    }
}
