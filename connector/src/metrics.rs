//! What the connector counts.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The connector's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sessions: Gauge<i64, AtomicI64>,
    /// Sessions ever.
    pub sessions_started: Counter,
    /// Tunnels that could not be opened.
    pub tunnels_failed: Counter,
    /// Sessions whose tunnel broke under them.
    pub tunnels_lost: Counter,
    /// Cancel requests carried.
    pub cancels: Counter,
    /// Applications of users that may not use this connector.
    pub users_refused: Counter,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("pgseal_connector");
        let sessions = Gauge::default();
        registry.register("sessions", "Sessions open now", sessions.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sessions_started = counter("sessions_started", "Sessions ever");
        let tunnels_failed = counter("tunnels_failed", "Tunnels that could not be opened");
        let tunnels_lost = counter("tunnels_lost", "Sessions whose tunnel broke under them");
        let cancels = counter("cancels", "Cancel requests carried");
        let users_refused = counter("users_refused", "Connections of users not in allow_users");
        Self {
            registry,
            sessions,
            sessions_started,
            tunnels_failed,
            tunnels_lost,
            cancels,
            users_refused,
        }
    }

    /// All of them in the OpenMetrics text format, with this many sessions open.
    #[must_use]
    pub fn render(&self, sessions: usize) -> String {
        self.sessions
            .set(i64::try_from(sessions).unwrap_or(i64::MAX));
        let mut out = String::new();
        // Writing to a String does not fail.
        match text::encode(&mut out, &self.registry) {
            Ok(()) => out,
            Err(_) => String::new(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
