//! How a session gets its endpoint, or a place in the queue.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use crate::balancer::{Balancer, ListenerId};
use crate::clock::Moment;
use crate::event::{EndpointId, Lease, Output};
use crate::health::State;
use crate::member::Rank;
use crate::policy::{self, Ballot, Candidate};
use crate::queue::{Ticket, Waiter};
use crate::role::{MaxLag, Role, Target, fit};

/// What a session is told that asks for an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// Connect there.
    Use(Lease),
    /// All that serve have their `max_connections`: wait for [`Granted`](Output::Granted),
    /// [`Expired`](Output::Expired) or [`Deserted`](Output::Deserted) with this ticket.
    Queued(Ticket),
    /// The queue is full too.
    QueueFull,
    /// No primary is known, or none is left that was not tried. Ask again after the next event, without
    /// exclusions, for as long as `wait_for_primary` allows.
    NoPrimary,
    /// For the other targets: nobody serves, or nobody is left that was not tried.
    NobodyServes,
}

/// Who may get a session at this moment.
enum Serving {
    /// One of the candidates.
    Some,
    /// They are all full.
    Full,
    Nobody,
}

impl Balancer {
    /// Chooses for one session. `excluded` are the endpoints that it has tried already.
    ///
    /// # Panics
    /// If the listener is not one of this balancer's.
    pub fn choose(
        &mut self,
        now: Instant,
        listener: ListenerId,
        excluded: &[EndpointId],
    ) -> Choice {
        let now = self.advance(now);
        // Whoever queues has been given all the room there was for it, so this overtakes nobody.
        let serving = self.serving(now, listener, excluded);
        let choosing = &self.listeners[listener.0];
        match (serving, choosing.listener.target) {
            (Serving::Some, _) => match self.pick(now, listener) {
                Some(lease) => Choice::Use(lease),
                None => Choice::NobodyServes,
            },
            (Serving::Full, _) => self.enqueue(now, listener, excluded),
            (Serving::Nobody, Target::Primary) => Choice::NoPrimary,
            (Serving::Nobody, Target::Replica | Target::Any) => Choice::NobodyServes,
        }
    }

    /// Where nobody serves: of those that are down, have room and were not tried, the one that was heard
    /// last. For listeners that take any role, known or not, since what is down may be anything.
    ///
    /// # Panics
    /// If the listener is not one of this balancer's.
    pub fn last_resort(
        &mut self,
        now: Instant,
        listener: ListenerId,
        excluded: &[EndpointId],
    ) -> Option<Lease> {
        self.advance(now);
        let listener = &self.listeners[listener.0].listener;
        fit(
            Role::Unknown,
            listener.target,
            listener.max_lag,
            listener.fallback_to_primary,
        )?;
        let down = self.members.iter().enumerate().filter(|(_, member)| {
            member.health.state() == State::Down
                && !member.distrusted
                && member.settings.weight > 0
                && !member.is_full()
                && !excluded.contains(&member.id)
        });
        let (place, _) = down.max_by_key(|(_, member)| member.heard)?;
        Some(self.lease(place))
    }

    /// Whether running sessions of this listener may stay where they are: it is up, and not known to be
    /// something else than they need. Lag and draining are no reason to end a session.
    ///
    /// # Panics
    /// If the listener is not one of this balancer's.
    #[must_use]
    pub fn keeps(&self, listener: ListenerId, endpoint: EndpointId) -> bool {
        let Some(place) = self.place(endpoint) else {
            return false;
        };
        let member = &self.members[place];
        let listener = &self.listeners[listener.0].listener;
        let serves = fit(
            member.role,
            listener.target,
            MaxLag::default(),
            listener.fallback_to_primary,
        );
        member.health.state() == State::Up
            && !member.distrusted
            && (member.role == Role::Unknown || serves.is_some())
    }

    /// The names of the endpoints among which a new session of this listener is chosen now, those that
    /// are full included.
    ///
    /// # Panics
    /// If the listener is not one of this balancer's.
    #[must_use]
    pub fn served_by(&self, listener: ListenerId) -> Vec<Arc<str>> {
        let listener = &self.listeners[listener.0].listener;
        let ranks = self.members.iter().map(|it| it.rank(listener));
        let best = ranks.clone().flatten().min();
        let serving = self.members.iter().zip(ranks);
        let serving = serving.filter(|(_, rank)| rank.is_some() && *rank == best);
        serving.map(|(member, _)| member.name.clone()).collect()
    }

    /// How many sessions of this listener queue.
    ///
    /// # Panics
    /// If the listener is not one of this balancer's.
    #[must_use]
    pub fn queued(&self, listener: ListenerId) -> usize {
        self.listeners[listener.0].queue.len()
    }

    /// Collects the candidates: of those that serve, the best rank; of these, who is not full. A backup
    /// does not serve because the others are full: they would not be full without a reason.
    fn serving(&mut self, now: Moment, listener: ListenerId, excluded: &[EndpointId]) -> Serving {
        self.candidates.clear();
        let listener = &self.listeners[listener.0].listener;
        let mut best: Option<Rank> = None;
        for (place, member) in self.members.iter().enumerate() {
            let Some(rank) = member.rank(listener) else {
                continue;
            };
            if excluded.contains(&member.id) {
                continue;
            }
            match best.map_or(Ordering::Less, |best| rank.cmp(&best)) {
                Ordering::Less => {
                    best = Some(rank);
                    self.candidates.clear();
                }
                Ordering::Equal => {}
                Ordering::Greater => continue,
            }
            if !member.is_full() {
                let weight = member.weight(now, self.checks.slow_start);
                self.candidates.push(Candidate { place, weight });
            }
        }
        match (best, self.candidates.is_empty()) {
            (None, _) => Serving::Nobody,
            (Some(_), true) => Serving::Full,
            (Some(_), false) => Serving::Some,
        }
    }

    /// One of the candidates that were collected for this listener.
    fn pick(&mut self, now: Moment, listener: ListenerId) -> Option<Lease> {
        let choosing = &mut self.listeners[listener.0];
        let ballot = Ballot {
            members: &self.members,
            candidates: &self.candidates,
            now,
        };
        let policy = choosing.listener.policy;
        let place = policy::choose(policy, &ballot, &mut choosing.turns, &mut self.random)?;
        Some(self.lease(place))
    }

    fn lease(&mut self, place: usize) -> Lease {
        self.choices += 1;
        let member = &mut self.members[place];
        member.chosen = self.choices;
        member.sessions += 1;
        Lease {
            endpoint: member.id,
            name: member.name.clone(),
        }
    }

    fn enqueue(&mut self, now: Moment, listener: ListenerId, excluded: &[EndpointId]) -> Choice {
        let choosing = &mut self.listeners[listener.0];
        if choosing.queue.len() >= choosing.listener.max_queue {
            return Choice::QueueFull;
        }
        self.serial += 1;
        let ticket = Ticket(self.serial);
        choosing.queue.push(Waiter {
            ticket,
            excluded: excluded.to_vec(),
            deadline: now.after(choosing.listener.queue_timeout),
        });
        Choice::Queued(ticket)
    }

    /// Gives room to those that queue, whoever came first over all listeners. A session is passed over
    /// only while none that would be its next has room, and let go where there is none at all.
    pub(super) fn grant(&mut self) {
        if self.listeners.iter().all(|c| c.queue.is_empty()) {
            return;
        }
        let now = self.clock.own();
        let mut places = vec![0; self.listeners.len()];
        // One that has tried nobody was passed over, and so will be all like it.
        let mut passed_over = vec![false; self.listeners.len()];
        while let Some((index, waiter)) = self.next_waiter(&places) {
            let excluded = waiter.excluded.clone();
            if excluded.is_empty() && passed_over[index] {
                places[index] += 1;
                continue;
            }
            let (ticket, listener) = (waiter.ticket, ListenerId(index));
            let served = match self.serving(now, listener, &excluded) {
                Serving::Some => self.pick(now, listener),
                Serving::Full => None,
                Serving::Nobody => {
                    self.listeners[index].queue.remove(places[index]);
                    self.outputs.push_back(Output::Deserted(ticket));
                    continue;
                }
            };
            match served {
                Some(lease) => {
                    self.listeners[index].queue.remove(places[index]);
                    self.outputs.push_back(Output::Granted(ticket, lease));
                }
                None => {
                    passed_over[index] |= excluded.is_empty();
                    places[index] += 1;
                }
            }
        }
    }

    /// Of those at these places of their queues, the one that came first, and its listener.
    fn next_waiter(&self, places: &[usize]) -> Option<(usize, &Waiter)> {
        self.listeners
            .iter()
            .zip(places)
            .enumerate()
            .filter_map(|(index, (choosing, place))| Some((index, choosing.queue.get(*place)?)))
            .min_by_key(|(_, waiter)| waiter.ticket)
    }
}
