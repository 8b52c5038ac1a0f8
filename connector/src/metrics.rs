//! What the connector counts.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use chooser::Counts;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tunnel::{Certificates, unix_seconds};

/// What is not counted, but so at a moment.
#[derive(Debug)]
pub struct Levels<'a> {
    /// Sessions open.
    pub sessions: usize,
    /// Tunnels that wait for one.
    pub warm_tunnels: usize,
    /// How long ago the list of revoked certificates was confirmed.
    pub revocation_list_age: Duration,
    /// The connector's own certificate, and its CA's.
    pub certificates: &'a Certificates,
}

/// The connector's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sessions: Gauge<i64, AtomicI64>,
    warm_tunnels: Gauge<i64, AtomicI64>,
    revocation_list_age: Gauge<f64, AtomicU64>,
    certificate_expires: Gauge<u64, AtomicU64>,
    ca_expires: Gauge<u64, AtomicU64>,
    /// What is counted of each server, where there are several.
    pub servers: Counts,
    /// Sessions ever.
    pub sessions_started: Counter,
    /// Of these the ones that began on a tunnel that was open already.
    pub sessions_on_warm_tunnels: Counter,
    /// Tunnels that could not be opened.
    pub tunnels_failed: Counter,
    /// Sessions whose tunnel broke under them.
    pub tunnels_lost: Counter,
    /// Servers that broke off telling who is revoked and how they stand, or could not be heard.
    pub watches_lost: Counter,
    /// Cancel requests carried.
    pub cancels: Counter,
    /// Connections that were closed because too many had not begun.
    pub connections_dropped: Counter,
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
        let warm_tunnels = Gauge::default();
        registry.register(
            "warm_tunnels",
            "Tunnels open now that wait for a session",
            warm_tunnels.clone(),
        );
        let revocation_list_age = Gauge::<f64, AtomicU64>::default();
        let certificate_expires = Gauge::<u64, AtomicU64>::default();
        let ca_expires = Gauge::<u64, AtomicU64>::default();
        registry.register(
            "revocation_list_age_seconds",
            "How long ago the list of revoked certificates was confirmed",
            revocation_list_age.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the program's own certificate expires, since 1970",
            certificate_expires.clone(),
        );
        registry.register(
            "ca_expiry_timestamp_seconds",
            "When the first of the CA's certificates expires, since 1970",
            ca_expires.clone(),
        );
        let servers = Counts::new("server");
        servers.register(&mut registry);
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sessions_started = counter("sessions_started", "Sessions ever");
        let sessions_on_warm_tunnels = counter(
            "sessions_on_warm_tunnels",
            "Sessions that took a tunnel that was open already",
        );
        let tunnels_failed = counter("tunnels_failed", "Tunnels that could not be opened");
        let tunnels_lost = counter("tunnels_lost", "Sessions whose tunnel broke under them");
        let watches_lost = counter(
            "watches_lost",
            "Times that a server was not heard of who is revoked and how it stands, or no more",
        );
        let cancels = counter("cancels", "Cancel requests carried");
        let connections_dropped = counter(
            "connections_dropped",
            "Connections closed because too many had not begun a session",
        );
        let users_refused = counter("users_refused", "Connections of users not in allow_users");
        Self {
            registry,
            sessions,
            warm_tunnels,
            revocation_list_age,
            certificate_expires,
            ca_expires,
            servers,
            sessions_started,
            sessions_on_warm_tunnels,
            tunnels_failed,
            tunnels_lost,
            watches_lost,
            cancels,
            connections_dropped,
            users_refused,
        }
    }

    /// Takes over what is so now.
    pub fn set(&self, levels: &Levels<'_>) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.sessions.set(number(levels.sessions));
        self.warm_tunnels.set(number(levels.warm_tunnels));
        self.revocation_list_age
            .set(levels.revocation_list_age.as_secs_f64());
        self.certificate_expires
            .set(unix_seconds(levels.certificates.expires));
        self.ca_expires
            .set(unix_seconds(levels.certificates.ca_expires));
    }

    /// All of them in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
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
