//! One session's way to a server: whom it has tried, and how long it waits where nobody serves.

use std::time::Duration;

use balancer::EndpointId;
use tokio::time::{Instant, timeout};

use crate::servers::driver::Answer;
use crate::servers::{Chosen, Servers};

/// How often a session that waits asks again, whatever happens.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Why there is no server for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    /// None is up and is what the session needs, or all were tried.
    #[error("no server can take the session")]
    Nobody,
    /// None is known to be primary.
    #[error("no primary was found within wait_for_primary")]
    NoPrimary,
    /// All have `max_connections`, and too many wait.
    #[error("every server has max_connections, and max_queue sessions wait")]
    QueueFull,
    /// All have had `max_connections` for too long.
    #[error("every server had max_connections for longer than queue_timeout")]
    QueueTimeout,
}

/// One session's search.
pub struct Search<'a> {
    servers: &'a Servers,
    tried: Vec<EndpointId>,
    /// Of these the ones that were left because they were slow.
    slow: Vec<EndpointId>,
    asked: bool,
    patient: bool,
    begun: Instant,
}

impl<'a> Search<'a> {
    pub(super) fn new(servers: &'a Servers) -> Self {
        Self {
            servers,
            tried: Vec::new(),
            slow: Vec::new(),
            asked: false,
            patient: false,
            begun: Instant::now(),
        }
    }

    /// Whether to stay with a server that is doubted: there is no other left.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        self.patient
    }

    /// Takes note that the session could not begin there.
    pub fn has_tried(&mut self, chosen: &Chosen) {
        self.tried.extend(chosen.endpoint());
    }

    /// Takes note that the session did not wait there any longer.
    pub fn found_slow(&mut self, chosen: &Chosen) {
        self.slow.extend(chosen.endpoint());
        self.has_tried(chosen);
    }

    /// The server to try next. Waits for a primary, for a place, and after the program's start for
    /// the first answer of any.
    ///
    /// # Errors
    /// There is none.
    pub async fn next(&mut self) -> Result<Chosen, Unserved> {
        let Some(driver) = &self.servers.driver else {
            return self.alone();
        };
        loop {
            let mut events = driver.events();
            match driver.choose(&self.tried) {
                Answer::Use(leased) => return self.chosen(leased),
                Answer::Queued(waiting) => {
                    let granted = waiting.granted().await;
                    return self.chosen(granted.ok_or(Unserved::QueueTimeout)?);
                }
                Answer::QueueFull => return Err(Unserved::QueueFull),
                _ if self.tries_slow_ones_again() => continue,
                Answer::NoPrimary => {
                    let left = self
                        .servers
                        .wait_for_primary
                        .checked_sub(self.begun.elapsed())
                        .ok_or(Unserved::NoPrimary)?;
                    // Those that were tried may have recovered by then.
                    self.tried.clear();
                    let _ = timeout(left.min(ASK_AGAIN), events.changed()).await;
                }
                Answer::NobodyYet => {
                    let _ = timeout(ASK_AGAIN, events.changed()).await;
                }
                // To be slow is better than to be refused: of all that are down, one may answer.
                Answer::Nobody => {
                    let (place, endpoint) =
                        driver.last_resort(&self.tried).ok_or(Unserved::Nobody)?;
                    let server = self.servers.list.get(place).ok_or(Unserved::Nobody)?;
                    self.patient = true;
                    return Ok(Chosen::last_resort(server.clone(), driver, endpoint));
                }
            }
        }
    }

    fn tries_slow_ones_again(&mut self) -> bool {
        let slow = std::mem::take(&mut self.slow);
        self.tried.retain(|tried| !slow.contains(tried));
        self.patient |= !slow.is_empty();
        !slow.is_empty()
    }

    fn alone(&mut self) -> Result<Chosen, Unserved> {
        let first = !std::mem::replace(&mut self.asked, true);
        let server = self.servers.list.first().filter(|_| first);
        let server = server.ok_or(Unserved::Nobody)?;
        Ok(Chosen::alone(server.clone()))
    }

    fn chosen(&self, leased: super::lease::Leased) -> Result<Chosen, Unserved> {
        // The balancer has endpoints by the addresses of this list.
        let named = |server: &&std::sync::Arc<super::Server>| server.address == leased.name();
        let server = self.servers.list.iter().find(named).cloned();
        let server = server.ok_or(Unserved::Nobody)?;
        Ok(Chosen::leased(server, leased))
    }
}
