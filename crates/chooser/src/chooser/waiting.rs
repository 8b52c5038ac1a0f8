//! A session that queues for an endpoint.

use std::sync::Arc;

use balancer::Ticket;
use tokio::sync::oneshot;

use crate::chooser::{Checker, Chooser};
use crate::lease::Leased;

/// How waiting ended.
pub(crate) enum Turn<C: Checker> {
    /// With a place.
    Granted(Leased<C>),
    /// After `queue_timeout`.
    TooLate,
    /// Nobody serves any more for whom it waited.
    Nobody,
}

/// Its place in the queue; dropped, it does not wait any more.
pub(crate) struct Waiting<C: Checker> {
    ticket: Ticket,
    turn: oneshot::Receiver<Turn<C>>,
    chooser: Arc<Chooser<C>>,
}

impl<C: Checker> Waiting<C> {
    pub(super) fn new(
        ticket: Ticket,
        turn: oneshot::Receiver<Turn<C>>,
        chooser: Arc<Chooser<C>>,
    ) -> Self {
        Self {
            ticket,
            turn,
            chooser,
        }
    }

    /// Waits for its turn.
    pub(crate) async fn turn(mut self) -> Turn<C> {
        // Whoever holds the other end says something before it goes.
        (&mut self.turn).await.unwrap_or(Turn::Nobody)
    }
}

impl<C: Checker> Drop for Waiting<C> {
    fn drop(&mut self) {
        self.chooser.leave(self.ticket);
    }
}
