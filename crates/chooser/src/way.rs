//! One session's way to an endpoint: by the chooser, or to the only one there is.

use std::sync::Arc;
use std::time::Duration;

use crate::chooser::{Checker, Chooser};
use crate::lease::{Leased, Leaving};
use crate::search::{Search, Unserved};

/// Where sessions can go.
pub enum Ways<C: Checker> {
    /// To one endpoint, of this name: nobody checks it, and sessions go there whatever is known of it.
    One(Arc<str>),
    /// To one of several.
    Several(Arc<Chooser<C>>),
}

/// One session's way.
pub enum Way<C: Checker> {
    /// To the only endpoint, until it was tried.
    One(Option<Arc<str>>),
    /// To one of several.
    Several(Search<C>),
}

/// The endpoint that one session goes to. Dropped, it is handed back as one whose session has ended in
/// good order.
pub struct Chosen<C: Checker> {
    name: Arc<str>,
    leased: Option<Leased<C>>,
}

impl<C: Checker> Ways<C> {
    /// What chooses, where there is something to choose.
    #[must_use]
    pub fn chooser(&self) -> Option<&Arc<Chooser<C>>> {
        match self {
            Self::One(_) => None,
            Self::Several(chooser) => Some(chooser),
        }
    }

    /// The way of a session of this listener, the first being 0.
    #[must_use]
    pub fn way(&self, listener: usize) -> Way<C> {
        match self {
            Self::One(name) => Way::One(Some(name.clone())),
            Self::Several(chooser) => Way::Several(chooser.search(listener)),
        }
    }
}

impl<C: Checker> Way<C> {
    /// The endpoint to try next; see `Search::next`.
    ///
    /// # Errors
    /// There is none.
    pub async fn next(&mut self) -> Result<Chosen<C>, Unserved> {
        match self {
            Self::One(name) => {
                let name = name.take().ok_or(Unserved::Nobody)?;
                Ok(Chosen { name, leased: None })
            }
            Self::Several(search) => {
                let leased = search.next().await?;
                let name = leased.name().into();
                Ok(Chosen {
                    name,
                    leased: Some(leased),
                })
            }
        }
    }

    /// Whether there may be another endpoint that takes what one does not.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        matches!(self, Self::Several(_))
    }

    /// Whether to stay with an endpoint that is doubted: there is no other left.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Several(search) => search.is_patient(),
        }
    }

    /// Takes note that the session could not begin there.
    pub fn has_tried(&mut self, chosen: &Chosen<C>) {
        if let (Self::Several(search), Some(leased)) = (self, &chosen.leased) {
            search.has_tried(leased);
        }
    }

    /// Takes note that the session did not wait there any longer.
    pub fn found_slow(&mut self, chosen: &Chosen<C>) {
        if let (Self::Several(search), Some(leased)) = (self, &chosen.leased) {
            search.found_slow(leased);
        }
    }
}

impl<C: Checker> Chosen<C> {
    /// Its name in the list.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session was opened there, and that took so long.
    pub fn connected(&self, latency: Duration) {
        if let Some(leased) = &self.leased {
            leased.connected(latency);
        }
    }

    /// No session could be opened there, for this reason.
    pub fn failed(self, why: &str) {
        if let Some(leased) = self.leased {
            leased.failed(why);
        }
    }

    /// Its session was lost.
    pub fn lost(self) {
        if let Some(leased) = self.leased {
            leased.lost();
        }
    }

    /// Returns when the session cannot stay there; never where there is nowhere else to go.
    pub async fn leaving(&self) -> Leaving {
        match &self.leased {
            Some(leased) => leased.leaving().await,
            None => std::future::pending().await,
        }
    }

    /// Returns when a check of the endpoint has failed, or is made because it has fallen silent, and
    /// another was heard later.
    pub async fn doubt(&self) {
        match &self.leased {
            Some(leased) => leased.doubt().await,
            None => std::future::pending().await,
        }
    }
}
