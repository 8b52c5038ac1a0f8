//! The balancer's permission for one session, until it is handed back.

use std::sync::Arc;
use std::time::Duration;

use balancer::{Ending, EndpointId, Lease, ListenerId};

use crate::chooser::{Checker, Chooser};

/// Why a session cannot stay where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Its endpoint does not answer any more.
    Down,
    /// Its database is something else than the session needs.
    Role,
}

/// A place on an endpoint. Dropped, it is handed back as one whose session has ended in good order.
pub struct Leased<C: Checker> {
    name: Arc<str>,
    endpoint: EndpointId,
    listener: ListenerId,
    /// The balancer's permission: there until it is handed back.
    lease: Option<Lease>,
    /// The endpoint was known to be down.
    is_last_resort: bool,
    chooser: Arc<Chooser<C>>,
}

impl<C: Checker> Leased<C> {
    pub(crate) fn new(listener: ListenerId, lease: Lease, chooser: Arc<Chooser<C>>) -> Self {
        Self {
            name: lease.name().into(),
            endpoint: lease.endpoint(),
            listener,
            lease: Some(lease),
            is_last_resort: false,
            chooser,
        }
    }

    /// On one that is down, where none serves.
    pub(crate) fn last_resort(
        listener: ListenerId,
        lease: Lease,
        chooser: Arc<Chooser<C>>,
    ) -> Self {
        let mut leased = Self::new(listener, lease, chooser);
        leased.is_last_resort = true;
        leased
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn connected(&self, latency: Duration) {
        if let Some(lease) = &self.lease {
            self.chooser.connected(lease, latency);
        }
    }

    pub(crate) fn failed(mut self, why: &str) {
        if let Some(lease) = self.lease.take() {
            self.chooser.connect_failed(lease, why);
        }
    }

    pub(crate) fn lost(mut self) {
        self.end(Ending::Lost);
    }

    /// Returns when the session cannot stay. That a last resort is down is no reason: it was when the
    /// session was sent there.
    pub(crate) async fn leaving(&self) -> Leaving {
        let (listener, endpoint) = (self.listener, self.endpoint);
        match self.is_last_resort {
            true => self.chooser.leaving_anew(listener, endpoint).await,
            false => self.chooser.leaving(listener, endpoint).await,
        }
    }

    pub(crate) async fn doubt(&self) {
        self.chooser.doubt(self.endpoint).await;
    }

    pub(crate) fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    fn end(&mut self, ending: Ending) {
        if let Some(lease) = self.lease.take() {
            self.chooser.ended(lease, ending);
        }
    }
}

impl<C: Checker> Drop for Leased<C> {
    fn drop(&mut self) {
        self.end(Ending::Finished);
    }
}
