//! A session that queues for an endpoint.

use std::sync::Arc;

use balancer::Ticket;
use tokio::sync::oneshot;

use crate::chooser::{Checker, Chooser};
use crate::lease::Leased;

/// Its place in the queue; dropped, it does not wait any more.
pub(crate) struct Waiting<C: Checker> {
    ticket: Ticket,
    granted: oneshot::Receiver<Leased<C>>,
    chooser: Arc<Chooser<C>>,
}

impl<C: Checker> Waiting<C> {
    pub(super) fn new(
        ticket: Ticket,
        granted: oneshot::Receiver<Leased<C>>,
        chooser: Arc<Chooser<C>>,
    ) -> Self {
        Self {
            ticket,
            granted,
            chooser,
        }
    }

    /// Waits for its turn; nothing after `queue_timeout`.
    pub(crate) async fn granted(mut self) -> Option<Leased<C>> {
        // Whoever holds the other end drops it when the time is over.
        (&mut self.granted).await.ok()
    }
}

impl<C: Checker> Drop for Waiting<C> {
    fn drop(&mut self) {
        self.chooser.leave(self.ticket);
    }
}
