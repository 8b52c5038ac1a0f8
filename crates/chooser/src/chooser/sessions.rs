//! What sessions ask for, and what became of them.

use std::sync::Arc;
use std::time::Duration;

use balancer::{Choice, Ending, EndpointId, Lease, ListenerId, State, Ticket};
use tokio::sync::oneshot;

use crate::chooser::waiting::{Turn, Waiting};
use crate::chooser::{Checker, Chooser, Noted};
use crate::lease::Leased;

/// What a session is told that asks for an endpoint.
pub(crate) enum Answer<C: Checker> {
    Use(Leased<C>),
    Queued(Waiting<C>),
    QueueFull,
    NoPrimary,
    /// Nobody, but not all were heard of since they were listed.
    NobodyYet,
    Nobody,
}

impl<C: Checker> Chooser<C> {
    /// An endpoint for a session that has tried these.
    pub(crate) fn choose(
        self: &Arc<Self>,
        listener: ListenerId,
        tried: &[EndpointId],
    ) -> Answer<C> {
        self.with(|inner, now| {
            let choice = inner.balancer.choose(now, listener, tried);
            match choice {
                Choice::Use(lease) => Answer::Use(Leased::new(listener, lease, self.clone())),
                Choice::Queued(ticket) => {
                    let (sender, receiver) = oneshot::channel();
                    inner.waiting.insert(ticket, (listener, sender));
                    Answer::Queued(Waiting::new(ticket, receiver, self.clone()))
                }
                Choice::QueueFull => Answer::QueueFull,
                Choice::NoPrimary => Answer::NoPrimary,
                Choice::NobodyServes => {
                    let mut known = inner.balancer.endpoints(now);
                    match known.any(|it| it.state == State::New && !tried.contains(&it.endpoint)) {
                        true => Answer::NobodyYet,
                        false => Answer::Nobody,
                    }
                }
            }
        })
    }

    /// Where none serves: one that is down, for sessions that may go anywhere.
    pub(crate) fn last_resort(
        self: &Arc<Self>,
        listener: ListenerId,
        tried: &[EndpointId],
    ) -> Option<Leased<C>> {
        let lease = self.with(|inner, now| inner.balancer.last_resort(now, listener, tried))?;
        Some(Leased::last_resort(listener, lease, self.clone()))
    }

    /// A session does not queue any more.
    pub(crate) fn leave(self: &Arc<Self>, ticket: Ticket) {
        self.with(|inner, _| {
            inner.balancer.leave(ticket);
            inner.waiting.remove(&ticket)
        });
    }

    /// A session was opened.
    pub(crate) fn connected(self: &Arc<Self>, lease: &Lease, latency: Duration) {
        self.with(|inner, now| inner.balancer.connected(now, lease, latency));
    }

    /// A session could not be opened.
    pub(crate) fn connect_failed(self: &Arc<Self>, lease: Lease, why: &str) {
        self.counts.connect_failed(lease.name());
        let name = lease.name();
        tracing::debug!(name, why, "a {} took no session", C::NAME);
        self.with(|inner, now| {
            inner.causes.insert(lease.endpoint(), Noted::now(why));
            inner.balancer.failed(now, lease);
        });
    }

    /// A session has ended.
    pub(crate) fn ended(self: &Arc<Self>, lease: Lease, ending: Ending) {
        self.with(|inner, now| inner.balancer.ended(now, lease, ending));
    }

    /// A session that queued has its turn.
    pub(super) fn grant(self: &Arc<Self>, ticket: Ticket, lease: Lease) {
        let waiting = self.lock().waiting.remove(&ticket);
        match waiting {
            // Where it does not wait any more it hands this back by dropping it.
            Some((listener, waiting)) => {
                let leased = Leased::new(listener, lease, self.clone());
                drop(waiting.send(Turn::Granted(leased)));
            }
            None => self.ended(lease, Ending::Finished),
        }
    }

    /// A session that queued does not any more, without its turn.
    pub(super) fn let_go(&self, ticket: Ticket, why: Turn<C>) {
        if let Some((_, waiting)) = self.lock().waiting.remove(&ticket) {
            drop(waiting.send(why));
        }
    }
}
