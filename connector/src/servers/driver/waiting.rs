//! A session that queues for a server.

use std::sync::Arc;

use balancer::Ticket;
use tokio::sync::oneshot;

use crate::servers::driver::Driver;
use crate::servers::lease::Leased;

/// Its place in the queue; dropped, it does not wait any more.
pub struct Waiting {
    ticket: Ticket,
    granted: oneshot::Receiver<Leased>,
    driver: Arc<Driver>,
}

impl Waiting {
    pub(super) fn new(
        ticket: Ticket,
        granted: oneshot::Receiver<Leased>,
        driver: Arc<Driver>,
    ) -> Self {
        Self {
            ticket,
            granted,
            driver,
        }
    }

    /// Waits for its turn; nothing after `queue_timeout`.
    pub async fn granted(mut self) -> Option<Leased> {
        // Whoever holds the other end drops it when the time is over.
        (&mut self.granted).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.driver.leave(self.ticket);
    }
}
