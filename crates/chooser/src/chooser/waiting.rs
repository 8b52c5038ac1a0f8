//! A session that queues for an endpoint.

use std::sync::Arc;

use balancer::Ticket;
use tokio::sync::oneshot;

use crate::chooser::{Chooser, Owner};
use crate::lease::Leased;

/// Its place in the queue; dropped, it does not wait any more.
pub(crate) struct Waiting<O: Owner> {
    ticket: Ticket,
    granted: oneshot::Receiver<Leased<O>>,
    chooser: Arc<Chooser<O>>,
}

impl<O: Owner> Waiting<O> {
    pub(super) fn new(
        ticket: Ticket,
        granted: oneshot::Receiver<Leased<O>>,
        chooser: Arc<Chooser<O>>,
    ) -> Self {
        Self {
            ticket,
            granted,
            chooser,
        }
    }

    /// Waits for its turn; nothing after `queue_timeout`.
    pub(crate) async fn granted(mut self) -> Option<Leased<O>> {
        // Whoever holds the other end drops it when the time is over.
        (&mut self.granted).await.ok()
    }
}

impl<O: Owner> Drop for Waiting<O> {
    fn drop(&mut self) {
        self.chooser.leave(self.ticket);
    }
}
