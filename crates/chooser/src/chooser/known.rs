//! What is known of the endpoints, for operators who look at it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use balancer::{Change, Output, State, Status};

use crate::chooser::{Checker, Chooser, Inner};

/// What is known of one endpoint.
#[derive(Debug, Clone)]
pub struct Known {
    /// How it is.
    pub status: Status,
    /// Checks that it failed, since the program started.
    pub checks_failed: u64,
    /// Sessions that it did not take, since the program started.
    pub connects_failed: u64,
    /// What was met where it was asked and did not answer, the last time.
    pub last_failure: Option<Noted>,
    /// What has last become of it; nothing before its first check.
    pub last_change: Option<Noted>,
}

/// What happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// By the system's clock.
    pub at: SystemTime,
    /// As in the log.
    pub what: String,
}

impl Noted {
    pub(super) fn now(what: impl Into<String>) -> Self {
        Self {
            at: SystemTime::now(),
            what: what.into(),
        }
    }
}

impl<C: Checker> Chooser<C> {
    /// All endpoints, in the order in which they were listed first.
    #[must_use]
    pub fn known(&self) -> Vec<Known> {
        let mut inner = self.lock();
        let listed: Vec<_> = inner.balancer.endpoints(Instant::now()).collect();
        let known = |status: Status| Known {
            checks_failed: self.counts.checks_failed(&status.name),
            connects_failed: self.counts.connects_failed(&status.name),
            last_failure: inner.causes.get(&status.endpoint).cloned(),
            last_change: inner.changes.get(&status.endpoint).cloned(),
            status,
        };
        listed.into_iter().map(known).collect()
    }

    /// The names of the endpoints among which a new session of this listener, the first being 0, is
    /// chosen at this moment, those that are full included.
    #[must_use]
    pub fn served_by(&self, listener: usize) -> Vec<Arc<str>> {
        let listener = self.listeners.get(listener);
        listener.map_or_else(Vec::new, |(id, _)| self.lock().balancer.served_by(*id))
    }

    /// Returns when each endpoint has been asked once, and sessions of every listener have where to go.
    pub async fn settled(&self) {
        let mut events = self.events();
        while !self.is_settled() {
            // The sender lives as long as `self`, so waiting cannot fail.
            let _ = events.changed().await;
        }
    }

    fn is_settled(&self) -> bool {
        let is_asked = |it: &Status| it.state != State::New;
        let mut listeners = 0..self.listeners.len();
        self.endpoints().iter().all(is_asked) && listeners.all(|it| !self.served_by(it).is_empty())
    }
}

impl<C: Checker> Inner<C> {
    /// Writes down what has become of endpoints that are listed still.
    pub(super) fn note(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let Output::Event(event) = output
                && event.change != Change::Removed
            {
                let noted = Noted::now(event.to_string());
                self.changes.insert(event.endpoint, noted);
            }
        }
    }
}
