//! One session's way to an endpoint: whom it has tried, and how long it waits where nobody serves.

use std::sync::Arc;
use std::time::Duration;

use balancer::{EndpointId, ListenerId};
use tokio::time::{Instant, timeout};

use crate::chooser::{Answer, Checker, Chooser, Listener, Turn};
use crate::lease::Leased;

/// How often a session that waits asks again, whatever happens.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Why there is no endpoint for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    /// None is up and is what the session needs, or all were tried.
    #[error("nobody can take the session")]
    Nobody,
    /// None is known to be primary.
    #[error("no primary was found within wait_for_primary")]
    NoPrimary,
    /// All have `max_connections`, and too many wait.
    #[error("all have max_connections, and max_queue sessions wait")]
    QueueFull,
    /// All have had `max_connections` for too long.
    #[error("all had max_connections for longer than queue_timeout")]
    QueueTimeout,
}

/// One session's search.
pub struct Search<C: Checker> {
    chooser: Arc<Chooser<C>>,
    listener: ListenerId,
    settings: Listener,
    tried: Vec<EndpointId>,
    /// Of these the ones that were left because they were slow.
    slow: Vec<EndpointId>,
    patient: bool,
    /// When it began; later by as long as it has queued.
    begun: Instant,
}

impl<C: Checker> Search<C> {
    pub(crate) fn new(chooser: Arc<Chooser<C>>, listener: ListenerId, settings: Listener) -> Self {
        Self {
            chooser,
            listener,
            settings,
            tried: Vec::new(),
            slow: Vec::new(),
            patient: false,
            begun: Instant::now(),
        }
    }

    /// Whether to stay with an endpoint that is doubted: there is no other left.
    pub(crate) fn is_patient(&self) -> bool {
        self.patient
    }

    /// Takes note that the session could not begin there.
    pub(crate) fn has_tried(&mut self, leased: &Leased<C>) {
        self.tried.push(leased.endpoint());
    }

    /// Takes note that the session did not wait there any longer.
    pub(crate) fn found_slow(&mut self, leased: &Leased<C>) {
        self.slow.push(leased.endpoint());
        self.has_tried(leased);
    }

    /// The endpoint to try next. Waits for a primary, for a place, and after the program's start for
    /// the first answer of any.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn next(&mut self) -> Result<Leased<C>, Unserved> {
        loop {
            let mut events = self.chooser.events();
            match self.chooser.choose(self.listener, &self.tried) {
                Answer::Use(leased) => return Ok(leased),
                Answer::Queued(waiting) => {
                    let queued = Instant::now();
                    match waiting.turn().await {
                        Turn::Granted(leased) => return Ok(leased),
                        Turn::TooLate => return Err(Unserved::QueueTimeout),
                        Turn::Nobody => self.begun += queued.elapsed(),
                    }
                }
                Answer::QueueFull => return Err(Unserved::QueueFull),
                _ if self.tries_slow_ones_again() => continue,
                Answer::NoPrimary => {
                    let waited = self.begun.elapsed();
                    let left = self.settings.wait_for_primary.saturating_sub(waited);
                    if left.is_zero() {
                        return Err(Unserved::NoPrimary);
                    }
                    // Those that were tried may have recovered by then.
                    self.tried.clear();
                    let _ = timeout(left.min(ASK_AGAIN), events.changed()).await;
                }
                Answer::NobodyYet => {
                    let _ = timeout(ASK_AGAIN, events.changed()).await;
                }
                Answer::Nobody => return self.last_resort(),
            }
        }
    }

    /// To be slow is better than to be refused: of all that are down, one may answer.
    fn last_resort(&mut self) -> Result<Leased<C>, Unserved> {
        self.patient = true;
        let leased = self.chooser.last_resort(self.listener, &self.tried);
        leased.ok_or(Unserved::Nobody)
    }

    fn tries_slow_ones_again(&mut self) -> bool {
        let slow = std::mem::take(&mut self.slow);
        self.tried.retain(|tried| !slow.contains(tried));
        self.patient |= !slow.is_empty();
        !slow.is_empty()
    }
}
