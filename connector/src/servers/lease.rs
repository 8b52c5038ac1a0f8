//! A server that a session was given, until it is handed back.

use std::sync::Arc;
use std::time::Duration;

use balancer::{Ending, EndpointId, Lease};

use crate::servers::Server;
use crate::servers::driver::Driver;

/// Why a session cannot stay where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Its server does not answer any more.
    Down,
    /// Its server's database is something else than the session needs.
    Role,
}

/// The server that one session goes to. Dropped, it is handed back as one whose session has ended
/// in good order.
pub struct Chosen {
    /// Which.
    pub server: Arc<Server>,
    /// Who knows how it is, where there are several.
    at: Option<(Arc<Driver>, EndpointId)>,
    lease: Option<Leased>,
}

/// The balancer's permission, which has to find its way back to it.
pub(super) struct Leased {
    /// There until it is handed back.
    pub(super) lease: Option<Lease>,
    endpoint: EndpointId,
    driver: Arc<Driver>,
}

impl Chosen {
    /// The only server there is.
    pub(super) fn alone(server: Arc<Server>) -> Self {
        Self {
            server,
            at: None,
            lease: None,
        }
    }

    pub(super) fn leased(server: Arc<Server>, leased: Leased) -> Self {
        Self {
            server,
            at: Some((leased.driver.clone(), leased.endpoint)),
            lease: Some(leased),
        }
    }

    /// One that is down, where none is up.
    pub(super) fn last_resort(
        server: Arc<Server>,
        driver: &Arc<Driver>,
        endpoint: EndpointId,
    ) -> Self {
        Self {
            server,
            at: Some((driver.clone(), endpoint)),
            lease: None,
        }
    }

    /// A session was opened there, and that took so long.
    pub fn connected(&self, latency: Duration) {
        if let Some(leased) = &self.lease {
            leased.connected(latency);
        }
    }

    /// No session could be opened there, for this reason.
    pub fn failed(self, why: &str) {
        if let Some(mut leased) = self.lease
            && let Some(lease) = leased.lease.take()
        {
            leased.driver.connect_failed(lease, self.server.place, why);
        }
    }

    /// Its session was lost.
    pub fn lost(self) {
        if let Some(mut leased) = self.lease {
            leased.end(Ending::Lost);
        }
    }

    /// Returns when the session cannot stay there; never where there is nowhere else to go.
    pub async fn leaving(&self) -> Leaving {
        match &self.at {
            Some((driver, endpoint)) => driver.leaving(*endpoint).await,
            None => std::future::pending().await,
        }
    }

    /// Returns when a check of the server has failed.
    pub async fn doubt(&self) {
        match &self.at {
            Some((driver, endpoint)) => driver.doubt(*endpoint).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn endpoint(&self) -> Option<EndpointId> {
        self.at.as_ref().map(|(_, endpoint)| *endpoint)
    }
}

impl Leased {
    pub(super) fn new(lease: Lease, driver: Arc<Driver>) -> Self {
        Self {
            endpoint: lease.endpoint(),
            lease: Some(lease),
            driver,
        }
    }

    /// The name of its endpoint: the server's address.
    pub(super) fn name(&self) -> &str {
        self.lease.as_ref().map_or("", Lease::name)
    }

    fn connected(&self, latency: Duration) {
        if let Some(lease) = &self.lease {
            self.driver.connected(lease, latency);
        }
    }

    fn end(&mut self, ending: Ending) {
        if let Some(lease) = self.lease.take() {
            self.driver.ended(lease, ending);
        }
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.end(Ending::Finished);
    }
}
