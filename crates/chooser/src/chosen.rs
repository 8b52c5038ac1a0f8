//! An endpoint that a session was given, until it is handed back.

use std::sync::Arc;
use std::time::Duration;

use balancer::{Ending, EndpointId, Lease, ListenerId, Status};

use crate::chooser::{Chooser, Owner};

/// Why a session cannot stay where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Its endpoint does not answer any more.
    Down,
    /// Its database is something else than the session needs.
    Role,
}

/// The endpoint that one session goes to. Dropped, it is handed back as one whose session has ended in
/// good order.
pub struct Chosen<O: Owner> {
    name: Arc<str>,
    endpoint: EndpointId,
    listener: ListenerId,
    /// The balancer's permission: there until it is handed back, and not for a last resort.
    lease: Option<Lease>,
    chooser: Arc<Chooser<O>>,
}

impl<O: Owner> Chosen<O> {
    pub(crate) fn new(listener: ListenerId, lease: Lease, chooser: Arc<Chooser<O>>) -> Self {
        Self {
            name: lease.name().into(),
            endpoint: lease.endpoint(),
            listener,
            lease: Some(lease),
            chooser,
        }
    }

    /// One that is down, where none is up.
    pub(crate) fn last_resort(
        listener: ListenerId,
        status: &Status,
        chooser: Arc<Chooser<O>>,
    ) -> Self {
        Self {
            name: status.name.clone(),
            endpoint: status.endpoint,
            listener,
            lease: None,
            chooser,
        }
    }

    /// Its name in the list.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session was opened there, and that took so long.
    pub fn connected(&self, latency: Duration) {
        if let Some(lease) = &self.lease {
            self.chooser.connected(lease, latency);
        }
    }

    /// No session could be opened there, for this reason.
    pub fn failed(mut self, why: &str) {
        if let Some(lease) = self.lease.take() {
            self.chooser.connect_failed(lease, why);
        }
    }

    /// Its session was lost.
    pub fn lost(mut self) {
        self.end(Ending::Lost);
    }

    /// Returns when the session cannot stay there.
    pub async fn leaving(&self) -> Leaving {
        self.chooser.leaving(self.listener, self.endpoint).await
    }

    /// Returns when a check of the endpoint has failed.
    pub async fn doubt(&self) {
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

impl<O: Owner> Drop for Chosen<O> {
    fn drop(&mut self) {
        self.end(Ending::Finished);
    }
}
