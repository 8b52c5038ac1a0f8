//! One session's way to a server: by the chooser, or to the only one there is.

use std::sync::Arc;
use std::time::Duration;

use chooser::{Leaving, Search, Unserved};

use crate::servers::fleet::Fleet;
use crate::servers::{Server, Servers};

/// A session's search for a server.
pub struct Way<'a> {
    servers: &'a Servers,
    search: Option<Search<Arc<Fleet>>>,
    /// Where there is one server: it was asked.
    asked: bool,
}

/// The server that one session goes to. Dropped, it is handed back as one whose session has ended in
/// good order.
pub struct Chosen {
    /// Which.
    pub server: Arc<Server>,
    at: Option<chooser::Chosen<Arc<Fleet>>>,
}

impl<'a> Way<'a> {
    pub(super) fn new(servers: &'a Servers, listener: usize) -> Self {
        Self {
            servers,
            search: servers.chooser.as_ref().map(|it| it.search(listener)),
            asked: false,
        }
    }

    /// Whether to stay with a server that is doubted: there is no other left.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        self.search.as_ref().is_some_and(Search::is_patient)
    }

    /// Takes note that the session could not begin there.
    pub fn has_tried(&mut self, chosen: &Chosen) {
        if let (Some(search), Some(chosen)) = (&mut self.search, &chosen.at) {
            search.has_tried(chosen);
        }
    }

    /// Takes note that the session did not wait there any longer.
    pub fn found_slow(&mut self, chosen: &Chosen) {
        if let (Some(search), Some(chosen)) = (&mut self.search, &chosen.at) {
            search.found_slow(chosen);
        }
    }

    /// The server to try next; see [`Search::next`].
    ///
    /// # Errors
    /// There is none.
    pub async fn next(&mut self) -> Result<Chosen, Unserved> {
        let Some(search) = &mut self.search else {
            let first = !std::mem::replace(&mut self.asked, true);
            let only = self.servers.list().into_iter().find(|_| first);
            let server = only.ok_or(Unserved::Nobody)?;
            return Ok(Chosen { server, at: None });
        };
        loop {
            let chosen = search.next().await?;
            // One that was taken off the list at this moment is none any more.
            if let Some(server) = self.servers.fleet.at(chosen.name()) {
                let at = Some(chosen);
                return Ok(Chosen { server, at });
            }
            search.has_tried(&chosen);
        }
    }
}

impl Chosen {
    /// A session was opened there, and that took so long.
    pub fn connected(&self, latency: Duration) {
        if let Some(at) = &self.at {
            at.connected(latency);
        }
    }

    /// No session could be opened there, for this reason.
    pub fn failed(self, why: &str) {
        if let Some(at) = self.at {
            at.failed(why);
        }
    }

    /// Its session was lost.
    pub fn lost(self) {
        if let Some(at) = self.at {
            at.lost();
        }
    }

    /// Returns when the session cannot stay there; never where there is nowhere else to go.
    pub async fn leaving(&self) -> Leaving {
        match &self.at {
            Some(at) => at.leaving().await,
            None => std::future::pending().await,
        }
    }

    /// Returns when a check of the server has failed.
    pub async fn doubt(&self) {
        match &self.at {
            Some(at) => at.doubt().await,
            None => std::future::pending().await,
        }
    }
}
