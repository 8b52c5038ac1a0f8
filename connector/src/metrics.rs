//! What the connector counts.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tunnel::{Certificates, unix_seconds};

/// What is not counted, but so at a moment.
#[derive(Debug)]
pub struct Levels<'a> {
    /// Sessions open.
    pub sessions: usize,
    /// How long ago the list of revoked certificates was confirmed.
    pub revocation_list_age: Duration,
    /// The connector's own certificate, and its CA's.
    pub certificates: &'a Certificates,
}

/// Which of several servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: String,
}

impl ServerLabels {
    fn of(address: &str) -> Self {
        Self {
            server: address.to_owned(),
        }
    }
}

/// The connector's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sessions: Gauge<i64, AtomicI64>,
    revocation_list_age: Gauge<f64, AtomicU64>,
    certificate_expires: Gauge<u64, AtomicU64>,
    ca_expires: Gauge<u64, AtomicU64>,
    server_up: Family<ServerLabels, Gauge>,
    server_distrusted: Family<ServerLabels, Gauge>,
    checks_failed: Family<ServerLabels, Counter>,
    connects_failed: Family<ServerLabels, Counter>,
    /// Sessions ever.
    pub sessions_started: Counter,
    /// Tunnels that could not be opened.
    pub tunnels_failed: Counter,
    /// Sessions whose tunnel broke under them.
    pub tunnels_lost: Counter,
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
        let server_up = Family::<ServerLabels, Gauge>::default();
        registry.register(
            "server_up",
            "Whether a server is up, where there are several",
            server_up.clone(),
        );
        let server_distrusted = Family::<ServerLabels, Gauge>::default();
        registry.register(
            "server_distrusted",
            "Whether a server claims that its database is primary although a newer one was promoted",
            server_distrusted.clone(),
        );
        let checks_failed = Family::<ServerLabels, Counter>::default();
        registry.register(
            "checks_failed",
            "Checks that a server failed",
            checks_failed.clone(),
        );
        let connects_failed = Family::<ServerLabels, Counter>::default();
        registry.register(
            "connects_failed",
            "Sessions that a server did not take and that went on to the next",
            connects_failed.clone(),
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sessions_started = counter("sessions_started", "Sessions ever");
        let tunnels_failed = counter("tunnels_failed", "Tunnels that could not be opened");
        let tunnels_lost = counter("tunnels_lost", "Sessions whose tunnel broke under them");
        let cancels = counter("cancels", "Cancel requests carried");
        let connections_dropped = counter(
            "connections_dropped",
            "Connections closed because too many had not begun a session",
        );
        let users_refused = counter("users_refused", "Connections of users not in allow_users");
        Self {
            registry,
            sessions,
            revocation_list_age,
            certificate_expires,
            ca_expires,
            server_up,
            server_distrusted,
            checks_failed,
            connects_failed,
            sessions_started,
            tunnels_failed,
            tunnels_lost,
            cancels,
            connections_dropped,
            users_refused,
        }
    }

    /// A server has come up, or gone down.
    pub fn server_is(&self, address: &str, up: bool) {
        let labels = ServerLabels::of(address);
        self.server_up.get_or_create(&labels).set(up.into());
    }

    /// A server is not listed any more.
    pub fn server_removed(&self, address: &str) {
        let labels = ServerLabels::of(address);
        self.server_up.remove(&labels);
        self.server_distrusted.remove(&labels);
    }

    /// A server's database claims to be a primary that was replaced, or does not any more.
    pub fn server_is_distrusted(&self, address: &str, distrusted: bool) {
        let labels = ServerLabels::of(address);
        self.server_distrusted
            .get_or_create(&labels)
            .set(distrusted.into());
    }

    /// A server has failed a check.
    pub fn check_failed(&self, address: &str) {
        let labels = ServerLabels::of(address);
        self.checks_failed.get_or_create(&labels).inc();
    }

    /// A server has not taken a session.
    pub fn connect_failed(&self, address: &str) {
        let labels = ServerLabels::of(address);
        self.connects_failed.get_or_create(&labels).inc();
    }

    /// Takes over what is so now.
    pub fn set(&self, levels: &Levels<'_>) {
        self.sessions
            .set(i64::try_from(levels.sessions).unwrap_or(i64::MAX));
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
