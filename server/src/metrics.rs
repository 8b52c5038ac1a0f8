//! What the server counts. Never a value, a key or an id; counting never steers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use chooser::Counts;
use keystore::Withheld;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tunnel::{Certificates, unix_seconds};

use crate::access::{Access, ByOwner};
use crate::databases::Node;
use crate::monitor::OfDatabases;
use crate::prospects::Prospects;

/// Why an envelope was refused. For the log and the metrics; the session is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A suite or flags that this version does not know.
    Unsupported,
    /// The key id is not in the store.
    UnknownKey,
    /// The store did not answer, and the key is not in memory.
    StoreSilent,
    /// Zone mode does not open this kind.
    ZoneMode,
    /// It is another client's, or the zone does not list this client.
    NotPermitted,
    /// The zone's tag does not stand before it in the row.
    NotTagged,
    /// Its key was retired.
    Retired,
    /// Its zone is to be destroyed.
    Destroying,
    /// Its key was destroyed, and with it every value that was sealed to it.
    Shredded,
    /// It has been altered, or sealed wrong.
    NotAuthentic,
    /// It opens to bytes that are no text in the session's encoding, and stands in text.
    NotText,
    /// Too many of its row were not authentic; this one was not tried.
    Untried,
    /// It stands in a row over `max_open_row`, or would make its field far longer.
    RowTooLong,
    /// It stands in the data of a COPY whose statement could not be read.
    CopyUnread,
}

impl Reason {
    const ALL: [Self; 14] = [
        Self::Unsupported,
        Self::UnknownKey,
        Self::StoreSilent,
        Self::ZoneMode,
        Self::NotPermitted,
        Self::NotTagged,
        Self::Retired,
        Self::Destroying,
        Self::Shredded,
        Self::NotAuthentic,
        Self::NotText,
        Self::Untried,
        Self::RowTooLong,
        Self::CopyUnread,
    ];

    /// Whether it is found only once it is known that the session's client may open for the owner.
    #[must_use]
    pub fn comes_after_permission(self) -> bool {
        match self {
            Self::NotTagged
            | Self::Retired
            | Self::Destroying
            | Self::Shredded
            | Self::NotAuthentic
            | Self::NotText
            | Self::Untried => true,
            Self::Unsupported
            | Self::UnknownKey
            | Self::StoreSilent
            | Self::ZoneMode
            | Self::NotPermitted
            | Self::RowTooLong
            | Self::CopyUnread => false,
        }
    }

    /// Its name in the log and as a metric's label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::UnknownKey => "unknown_key",
            Self::StoreSilent => "store_silent",
            Self::ZoneMode => "zone_mode",
            Self::NotPermitted => "not_permitted",
            Self::NotTagged => "not_tagged",
            Self::Retired => "retired",
            Self::Destroying => "destroying",
            Self::Shredded => "shredded",
            Self::NotAuthentic => "not_authentic",
            Self::NotText => "not_text",
            Self::Untried => "untried",
            Self::RowTooLong => "row_too_long",
            Self::CopyUnread => "copy_unread",
        }
    }
}

impl From<Withheld> for Reason {
    fn from(why: Withheld) -> Self {
        match why {
            Withheld::Retired => Self::Retired,
            Withheld::Destroying => Self::Destroying,
            Withheld::Destroyed => Self::Shredded,
        }
    }
}

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpenedLabels {
    owner: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: Reason,
}

/// What is not counted, but so at a moment.
#[derive(Debug)]
pub struct Levels<'a> {
    /// Sessions open.
    pub sessions: usize,
    /// How long ago the list of revoked certificates was confirmed.
    pub revocation_list_age: Duration,
    /// How long ago the store answered.
    pub store_age: Duration,
    /// The revision of the store that the keys in memory are of.
    pub store_revision: u64,
    /// The server's own certificate, and its CA's.
    pub certificates: &'a Certificates,
}

/// The server's counters; cheap to share.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sessions: Gauge<i64, AtomicI64>,
    revocation_list_age: Gauge<f64, AtomicU64>,
    store_age: Gauge<f64, AtomicU64>,
    store_revision: Gauge<u64, AtomicU64>,
    certificate_expires: Gauge<u64, AtomicU64>,
    ca_expires: Gauge<u64, AtomicU64>,
    /// Data sessions ever.
    pub sessions_started: Counter,
    /// Peers that were turned away before a session began.
    pub peers_refused: Counter,
    /// Connections that were closed because too many had not begun.
    pub peers_dropped: Counter,
    /// Values sealed to clients that were opened.
    pub opened_client: Counter,
    /// Values sealed to zones that were opened.
    pub opened_zone: Counter,
    /// Rows over `max_open_row` that passed unopened.
    pub long_rows_passed: Counter,
    /// Cancel requests that found their session.
    pub cancels: Counter,
    /// Those that found none here.
    pub cancels_unknown: Counter,
    /// What each zone mode would make of values; for the status alone.
    pub prospects: Prospects,
    refused: Family<RefusedLabels, Counter>,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let opened = Family::<OpenedLabels, Counter>::default();
        let metrics = Self {
            registry: Registry::with_prefix("pgseal_server"),
            sessions: Gauge::default(),
            revocation_list_age: Gauge::default(),
            store_age: Gauge::default(),
            store_revision: Gauge::default(),
            certificate_expires: Gauge::default(),
            ca_expires: Gauge::default(),
            sessions_started: Counter::default(),
            peers_refused: Counter::default(),
            peers_dropped: Counter::default(),
            opened_client: opened.get_or_create_owned(&OpenedLabels { owner: "client" }),
            opened_zone: opened.get_or_create_owned(&OpenedLabels { owner: "zone" }),
            long_rows_passed: Counter::default(),
            cancels: Counter::default(),
            cancels_unknown: Counter::default(),
            prospects: Prospects::default(),
            refused: Family::default(),
        };
        metrics.register(opened)
    }

    fn register(mut self, opened: Family<OpenedLabels, Counter>) -> Self {
        let registry = &mut self.registry;
        registry.register("sessions", "Data sessions open now", self.sessions.clone());
        registry.register(
            "revocation_list_age_seconds",
            "How long ago the list of revoked certificates was confirmed",
            self.revocation_list_age.clone(),
        );
        registry.register(
            "store_age_seconds",
            "How long ago the store of keys answered",
            self.store_age.clone(),
        );
        registry.register(
            "store_revision",
            "The revision of the store that keys in memory are of",
            self.store_revision.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the program's own certificate expires, since 1970",
            self.certificate_expires.clone(),
        );
        registry.register(
            "ca_expiry_timestamp_seconds",
            "When the first of the CA's certificates expires, since 1970",
            self.ca_expires.clone(),
        );
        registry.register(
            "sessions_started",
            "Data sessions ever",
            self.sessions_started.clone(),
        );
        registry.register(
            "peers_refused",
            "Peers turned away before a session began",
            self.peers_refused.clone(),
        );
        registry.register(
            "peers_dropped",
            "Connections closed because too many had not begun",
            self.peers_dropped.clone(),
        );
        registry.register(
            "values_opened",
            "Sealed values opened, by kind of owner",
            opened,
        );
        registry.register(
            "values_refused",
            "Sealed values refused, by reason",
            self.refused.clone(),
        );
        registry.register(
            "long_rows_passed",
            "Rows over max_open_row that passed unopened",
            self.long_rows_passed.clone(),
        );
        registry.register(
            "cancels",
            "Cancel requests that found their session",
            self.cancels.clone(),
        );
        registry.register(
            "cancels_unknown",
            "Cancel requests whose session is not here; they were put to the peers",
            self.cancels_unknown.clone(),
        );
        self
    }

    /// Adds the counts by owner, with a label for each.
    pub fn add_owners(&mut self, access: &Arc<Access>) {
        self.registry
            .register_collector(Box::new(ByOwner(access.clone())));
    }

    /// Adds what is known of databases that are watched.
    pub fn add_databases(&mut self, nodes: &[Arc<Node>]) {
        let watched = nodes.iter().filter_map(|node| {
            let heard = node.monitor.as_ref()?.heard().clone();
            Some((node.database.address().to_string(), heard))
        });
        let watched = OfDatabases(watched.collect());
        self.registry.register_collector(Box::new(watched));
    }

    /// Adds what is counted of each database, where there is a choice.
    #[must_use]
    pub fn count_databases(&mut self) -> Counts {
        let counts = Counts::new("database");
        counts.register(&mut self.registry);
        counts
    }

    /// Counts a refused envelope.
    pub fn refused(&self, reason: Reason) {
        self.refused.get_or_create(&RefusedLabels { reason }).inc();
    }

    /// Values opened and refused since the start.
    #[must_use]
    pub fn values(&self) -> control::Values {
        let of = |reason| {
            self.refused
                .get(&RefusedLabels { reason })
                .map_or(0, |c| c.get())
        };
        control::Values {
            opened: self.opened_client.get() + self.opened_zone.get(),
            refused: Reason::ALL.into_iter().map(of).sum(),
        }
    }

    /// Takes over what is so now.
    pub fn set(&self, levels: &Levels<'_>) {
        self.sessions
            .set(i64::try_from(levels.sessions).unwrap_or(i64::MAX));
        self.revocation_list_age
            .set(levels.revocation_list_age.as_secs_f64());
        self.store_age.set(levels.store_age.as_secs_f64());
        self.store_revision.set(levels.store_revision);
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
