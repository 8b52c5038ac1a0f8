//! What all sessions of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use control::{Live, LogLevel, Standing};
use daemon::{Connections, LogHandle, Places, Predecessor, Sessions, Shutdown, Subnet};
use tokio::sync::watch;
use tunnel::{Identity, Revoked, ServerTls, Tuning};

use crate::Prepared;
use crate::access::Access;
use crate::cancel::Cancels;
use crate::config::Config;
use crate::connectors::Connectors;
use crate::databases::Databases;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::listen::Source;
use crate::metrics::Metrics;
use crate::opener::Policy;
use crate::peers::Peers;
use crate::refusals::RefusalLog;
use crate::settings::Settings;
use crate::standing;

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
    /// The databases it stands before.
    pub databases: Databases,
    /// How long one may take to its first answer to a start-up packet.
    pub answer_timeout: Duration,
    /// How this server stands for each of its listeners, as it was told last.
    pub standings: Vec<watch::Sender<Standing>>,
    /// The store, and the keys in memory.
    pub keys: Keys,
    /// The settings that hold, and where they come from.
    pub settings: Settings,
    /// Those of them under which rows are opened.
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
    /// Those of them on which connectors listen.
    pub connectors: Arc<Connectors>,
    /// All connections that were accepted.
    pub connections: Connections,
    /// The data sessions that run.
    pub sessions: Sessions,
    /// Those of them that can be cancelled.
    pub cancels: Arc<Cancels>,
    /// The process whose place this one has taken, and that may have sessions still.
    pub predecessor: Predecessor,
    /// The other servers of the fleet.
    pub peers: Peers,
    /// Networks whose connections say for whom they are.
    pub proxied_from: Vec<Subnet>,
    /// How long a peer may take to its certificate.
    pub startup_timeout: Duration,
    /// How long it may then take to its start-up message.
    pub tunnel_timeout: Duration,
    /// TCP options of its connections.
    pub tuning: Tuning,
    /// Set off when running sessions are to end at once.
    pub ending: Shutdown,
    /// The server is ending.
    draining: AtomicBool,
    /// An operator has asked for the same, and may take it back.
    drained: AtomicBool,
    log: LogHandle,
}

impl Shared {
    /// At the start of a server.
    #[must_use]
    pub fn new(
        config: &Config,
        prepared: Prepared,
        log: LogHandle,
        ending: Shutdown,
        predecessor: Predecessor,
    ) -> Self {
        let Prepared {
            tls,
            peers,
            revoked,
            databases,
            mut metrics,
            keys,
            settings,
        } = prepared;
        let live = settings.live();
        let access = Arc::<Access>::default();
        if config.metrics_by_owner {
            metrics.add_owners(&access);
        }
        let shared = Self {
            id: tls.setup().identity.id.clone(),
            tls,
            revoked,
            databases,
            answer_timeout: config.database.answer_timeout.0,
            standings: config
                .listen
                .0
                .iter()
                .map(|_| watch::Sender::default())
                .collect(),
            keys,
            settings,
            policy: ArcSwap::from_pointee(Policy::from(&live)),
            limits: Limits::new(&live),
            metrics,
            access,
            refusals: RefusalLog::default(),
            starting: Arc::new(Places::new(daemon::within_file_limit(
                config.max_starting.0,
            ))),
            controlling: Arc::new(Places::new(daemon::within_file_limit(MAX_CONTROLLING))),
            connectors: Arc::default(),
            connections: Connections::default(),
            sessions: Sessions::default(),
            cancels: Arc::default(),
            predecessor,
            peers,
            proxied_from: config.proxy_protocol_from.clone(),
            startup_timeout: config.startup_timeout.0,
            tunnel_timeout: config.tunnel_timeout.0,
            tuning: config.tuning(),
            ending,
            draining: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            log,
        };
        shared.apply(&live);
        shared.publish();
        shared
    }

    /// From now on these settings hold: for every session's next row, and for what begins.
    pub fn apply(&self, live: &Live) {
        self.policy.store(Arc::new(Policy::from(live)));
        self.limits.set(live);
        self.revoked.set_max_age(live.max_crl_age.0);
        self.keys.contact.set_max_stale(live.max_stale.0);
        self.log.set_level(match live.log_level {
            LogLevel::Error => daemon::LogLevel::Error,
            LogLevel::Warn => daemon::LogLevel::Warn,
            LogLevel::Info => daemon::LogLevel::Info,
            LogLevel::Debug => daemon::LogLevel::Debug,
        });
    }

    /// From now on there are no new sessions.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.publish();
    }

    /// Whether an operator wants no new sessions from now on. True where that is another wish than before.
    pub fn set_drained(&self, drained: bool) -> bool {
        let changes = self.drained.swap(drained, Ordering::Relaxed) != drained;
        self.publish();
        changes
    }

    /// Tells how the server stands now for each listener, if that is other than was told last.
    pub fn publish(&self) {
        for (listener, standing) in self.standings.iter().enumerate() {
            standing.send_if_modified(|told| {
                let now = standing::now(self, listener);
                let before = std::mem::replace(told, now);
                before != *told
            });
        }
    }

    /// True while there are no new sessions.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed) || self.drained.load(Ordering::Relaxed)
    }
}

impl From<&Live> for Policy {
    fn from(live: &Live) -> Self {
        Self {
            zone_mode: live.zone_mode,
            on_refused: live.on_refused,
        }
    }
}
