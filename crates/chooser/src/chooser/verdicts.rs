//! Where sessions cannot stay, and where beginning ones better do not wait.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use balancer::{Check, EndpointId, ListenerId, State, Status, Target};

use crate::chooser::{Checker, Chooser, Inner, Listener};
use crate::lease::Leaving;
use crate::settings::OnRoleChange;

impl<C: Checker> Chooser<C> {
    /// Returns when it turns out anew that sessions of this listener cannot stay at this endpoint: for
    /// one that came there although it was known.
    pub(crate) async fn leaving_anew(&self, listener: ListenerId, endpoint: EndpointId) -> Leaving {
        let mut leaving = self.leaving.subscribe();
        let is_over = |leaving: &HashMap<_, _>| !leaving.contains_key(&(listener, endpoint));
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = leaving.wait_for(is_over).await;
        self.leaving(listener, endpoint).await
    }

    /// Returns when sessions of this listener cannot stay at this endpoint.
    pub(crate) async fn leaving(&self, listener: ListenerId, endpoint: EndpointId) -> Leaving {
        let at = (listener, endpoint);
        let mut leaving = self.leaving.subscribe();
        let left = leaving.wait_for(|leaving| leaving.contains_key(&at));
        // The sender lives as long as `self`, so waiting cannot fail.
        let left = left.await.ok();
        let why = left.and_then(|leaving| leaving.get(&at).copied());
        why.unwrap_or(Leaving::Down)
    }

    /// Returns when a check of this endpoint has failed, or is made because it has fallen silent, and
    /// another is up that was heard later. Without one, to leave would be to begin again for nothing: where
    /// all are slow, sessions that run to and fro keep them so.
    pub(crate) async fn doubt(&self, endpoint: EndpointId) {
        let mut doubts = self.doubts.subscribe();
        let count = |doubts: &HashMap<_, u64>| doubts.get(&endpoint).copied();
        loop {
            let before = count(&doubts.borrow());
            // As above.
            let _ = doubts.wait_for(|doubts| count(doubts) != before).await;
            if self.has_livelier(endpoint) {
                return;
            }
        }
    }

    fn has_livelier(&self, endpoint: EndpointId) -> bool {
        let known = self.endpoints();
        let silence = |it: &Status| it.heard_ago.unwrap_or(Duration::MAX);
        let of_this = known.iter().find(|it| it.endpoint == endpoint);
        let of_this = of_this.map_or(Duration::MAX, silence);
        known
            .iter()
            .any(|it| it.state == State::Up && silence(it) < of_this)
    }

    /// Whether one that is about to be checked used to speak by itself, and has left out more than a
    /// word.
    pub(super) fn has_lost_pace(&self, check: &Check) -> bool {
        let pace = self.checker.pace(&check.name);
        let heard = self.lock().heard.get(&check.endpoint).copied();
        heard.is_some_and(|at| at.elapsed() > pace + pace / 2)
    }

    /// Sessions that begin there look for another endpoint, if there is one. Nothing else comes of it.
    pub(super) fn cast_doubt(&self, endpoint: EndpointId) {
        let count = |doubts: &mut HashMap<_, u64>| *doubts.entry(endpoint).or_default() += 1;
        self.doubts.send_modify(count);
    }

    /// Where sessions cannot stay. An endpoint that speaks is there, whatever connects and checks met:
    /// one that drains takes neither, and lets its sessions finish. And where there is nowhere to go, a
    /// host too busy to answer in time keeps its sessions.
    pub(super) fn judge(&self, inner: &mut Inner<C>, now: Instant) {
        let known: Vec<_> = inner.balancer.endpoints(now).collect();
        let is_up = known.iter().any(|it| it.state == State::Up);
        let balancer = &inner.balancer;
        let listeners = self.listeners.iter().map(|(id, listener)| {
            // Who may go anywhere is tried on those that are down before it is refused.
            let is_elsewhere = match listener.choice.target {
                Target::Any => !balancer.served_by(*id).is_empty(),
                Target::Primary | Target::Replica => is_up,
            };
            (*id, listener, is_elsewhere)
        });
        let listeners: Vec<_> = listeners.collect();
        let mut leaving = HashMap::new();
        for status in known {
            let heard = inner.heard.get(&status.endpoint).copied();
            let silent = heard.is_none_or(|at| now.saturating_duration_since(at) >= self.hearing);
            for (id, listener, is_elsewhere) in &listeners {
                if !balancer.keeps(*id, status.endpoint)
                    && let Some(why) = verdict(&status, listener, silent && *is_elsewhere)
                {
                    leaving.insert((*id, status.endpoint), why);
                }
            }
        }
        self.leaving.send_if_modified(|known| {
            let changed = *known != leaving;
            *known = leaving;
            changed
        });
    }
}

/// Why sessions cannot stay at an endpoint that is not what their listener needs, if they cannot. Where
/// its database is distrusted none stays: what they write would be lost, and what they read may be.
fn verdict(status: &Status, listener: &Listener, is_lost: bool) -> Option<Leaving> {
    match (status.state, listener.on_role_change) {
        _ if status.distrusted => Some(Leaving::Role),
        (State::Down, _) => is_lost.then_some(Leaving::Down),
        (State::Up, OnRoleChange::Close) => Some(Leaving::Role),
        (State::Up, OnRoleChange::Keep) | (State::New, _) => None,
    }
}
