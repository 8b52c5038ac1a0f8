//! What is counted of each endpoint.

use std::sync::atomic::AtomicI64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = [(&'static str, String); 1];

/// Metrics with a label of one endpoint each. Cheap to share.
#[derive(Debug, Clone)]
pub struct Counts {
    label: &'static str,
    up: Family<Labels, Gauge<i64, AtomicI64>>,
    distrusted: Family<Labels, Gauge<i64, AtomicI64>>,
    checks_failed: Family<Labels, Counter>,
    connects_failed: Family<Labels, Counter>,
}

impl Counts {
    /// All at zero. The label is what an endpoint is called, and their names begin with it.
    #[must_use]
    pub fn new(label: &'static str) -> Self {
        Self {
            label,
            up: Family::default(),
            distrusted: Family::default(),
            checks_failed: Family::default(),
            connects_failed: Family::default(),
        }
    }

    /// Makes them part of the program's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let name = |what| format!("{}_{what}", self.label);
        registry.register(
            name("up"),
            "Whether it answers, where there is a choice",
            self.up.clone(),
        );
        registry.register(
            name("distrusted"),
            "Whether something speaks against its database, which gets no sessions then",
            self.distrusted.clone(),
        );
        registry.register(
            name("checks_failed"),
            "Checks that it failed",
            self.checks_failed.clone(),
        );
        registry.register(
            name("connects_failed"),
            "Sessions that it did not take and that went on to the next",
            self.connects_failed.clone(),
        );
    }

    pub(crate) fn is_up(&self, name: &str, up: bool) {
        let of = self.of(name);
        self.up.get_or_create(&of).set(up.into());
        // The others begin at 0 with it: a first failure that nobody can compare is not noticed.
        drop(self.distrusted.get_or_create(&of));
        drop(self.checks_failed.get_or_create(&of));
        drop(self.connects_failed.get_or_create(&of));
    }

    pub(crate) fn is_distrusted(&self, name: &str, distrusted: bool) {
        let gauge = self.distrusted.get_or_create(&self.of(name));
        gauge.set(distrusted.into());
    }

    pub(crate) fn check_failed(&self, name: &str) {
        self.checks_failed.get_or_create(&self.of(name)).inc();
    }

    pub(crate) fn connect_failed(&self, name: &str) {
        self.connects_failed.get_or_create(&self.of(name)).inc();
    }

    pub(crate) fn checks_failed(&self, name: &str) -> u64 {
        let count = self.checks_failed.get(&self.of(name));
        count.map_or(0, |count| count.get())
    }

    pub(crate) fn connects_failed(&self, name: &str) -> u64 {
        let count = self.connects_failed.get(&self.of(name));
        count.map_or(0, |count| count.get())
    }

    /// It is not listed any more; what was counted stays.
    pub(crate) fn removed(&self, name: &str) {
        self.up.remove(&self.of(name));
        self.distrusted.remove(&self.of(name));
    }

    fn of(&self, name: &str) -> Labels {
        [(self.label, name.to_owned())]
    }
}
