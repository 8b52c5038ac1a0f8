//! Where sessions cannot stay, and where beginning ones better do not wait.

use std::collections::BTreeMap;
use std::time::Instant;

use balancer::{EndpointId, State};

use crate::servers::driver::{Driver, Inner};
use crate::servers::lease::Leaving;
use crate::servers::settings::OnRoleChange;

impl Driver {
    /// Returns when sessions cannot stay at this endpoint.
    pub async fn leaving(&self, endpoint: EndpointId) -> Leaving {
        let mut leaving = self.leaving.subscribe();
        let left = leaving.wait_for(|leaving| leaving.contains_key(&endpoint));
        // The sender lives as long as `self`, so waiting cannot fail.
        let left = left.await.ok();
        let why = left.and_then(|leaving| leaving.get(&endpoint).copied());
        why.unwrap_or(Leaving::Down)
    }

    /// Returns when a check of this endpoint has failed.
    pub async fn doubt(&self, endpoint: EndpointId) {
        let mut doubts = self.doubts.subscribe();
        let count = |doubts: &BTreeMap<_, u64>| doubts.get(&endpoint).copied();
        let before = count(&doubts.borrow());
        // As above.
        let _ = doubts.wait_for(|doubts| count(doubts) != before).await;
    }

    /// Where sessions cannot stay. A server that speaks is there, whatever connects and checks met:
    /// one that drains takes neither, and lets its sessions finish. And where no other is up, there is
    /// nowhere to go: a host too busy to answer in time keeps its sessions.
    pub(super) fn judge(&self, inner: &mut Inner, now: Instant) {
        let states: Vec<_> = inner
            .balancer
            .endpoints(now)
            .map(|it| (it.endpoint, it.state))
            .collect();
        let is_elsewhere = states.iter().any(|(_, state)| *state == State::Up);
        let mut leaving = BTreeMap::new();
        for (endpoint, state) in states {
            if inner.balancer.keeps(self.listener, endpoint) {
                continue;
            }
            let heard = self
                .place(endpoint)
                .and_then(|place| inner.heard.get(place));
            let speaks = heard
                .copied()
                .flatten()
                .is_some_and(|heard| now.saturating_duration_since(heard) < self.hearing);
            match (state, self.on_role_change) {
                (State::Down, _) if is_elsewhere && !speaks => {
                    drop(leaving.insert(endpoint, Leaving::Down))
                }
                (State::Up, OnRoleChange::Close) => {
                    leaving.insert(endpoint, Leaving::Role);
                }
                _ => {}
            }
        }
        self.leaving.send_if_modified(|known| {
            let changed = *known != leaving;
            *known = leaving;
            changed
        });
    }
}
