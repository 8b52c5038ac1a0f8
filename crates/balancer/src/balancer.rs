//! The balancer: the list of endpoints, the listeners that choose from it, and what happens to both. Each
//! rule is a file of its own; here and in `balancer/` they are put together: `list` changes, `checking`
//! asks and listens, `choice` gives a session its endpoint.

mod checking;
mod choice;
mod list;
mod status;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use choice::Choice;
pub use status::Status;

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::event::{Change, EndpointId, Event, Lease, Output};
use crate::health::{Failure, State};
use crate::member::Member;
use crate::policy::{Candidate, Turns};
use crate::queue::{Queue, Ticket};
use crate::random::Random;
use crate::role::{Availability, Report, Role};
use crate::settings::{Checks, Listener};
use crate::timeline;

/// Chooses endpoints for sessions. See the crate's page for how it is used.
///
/// Every method takes the present of a monotonic clock. Instants may be out of order or leap: nothing
/// breaks, and an endpoint is not called down for time in which nobody could have heard it.
///
/// After any call that changes something, [`next_output`](Self::next_output) is read until it is empty,
/// and the timer set to [`next_due`](Self::next_due).
#[derive(Debug)]
pub struct Balancer {
    checks: Checks,
    clock: Clock,
    random: Random,
    /// By id, which is the order in which they were listed first.
    members: Vec<Member>,
    listeners: Vec<Choosing>,
    outputs: VecDeque<Output>,
    /// When each of them is to be looked at next.
    agenda: Vec<Moment>,
    /// Of endpoints, checks and tickets.
    serial: u64,
    choices: u64,
    /// Kept for its memory.
    candidates: Vec<Candidate>,
}

/// A listener of one balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(usize);

/// A listener, its turns and its queue.
#[derive(Debug)]
struct Choosing {
    listener: Listener,
    turns: Turns,
    queue: Queue,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answers, and says nothing of itself.
    Passed,
    /// It said this.
    Reported(Report),
    /// It refused, or answered what is no answer. Silence need not be told: `timeout` finds it.
    Failed,
}

/// How a session that had a [`Lease`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As sessions do: either side said so. Or it was never opened.
    Finished,
    /// The endpoint's side broke off.
    Lost,
}

impl Balancer {
    /// With nobody listed. The seed makes chance repeatable; each process takes another.
    ///
    /// # Errors
    /// A pause or count of `checks` that is 0.
    pub fn new(checks: Checks, seed: u64, now: Instant) -> Result<Self, Error> {
        checks.validate()?;
        Ok(Self {
            checks,
            clock: Clock::new(now, checks.timeout),
            random: Random::new(seed),
            members: Vec::new(),
            listeners: Vec::new(),
            outputs: VecDeque::new(),
            agenda: Vec::new(),
            serial: 0,
            choices: 0,
            candidates: Vec::new(),
        })
    }

    /// When [`tick`](Self::tick) is to be called next; nothing while nobody is listed. Every call may
    /// change it.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let due = self.due()?;
        Some(self.clock.in_callers_time(due))
    }

    /// What the caller does or notes next, in order.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A session was opened; it took `latency` to connect. The lease stays with the caller.
    pub fn connected(&mut self, now: Instant, lease: &Lease, latency: Duration) {
        let now = self.advance(now);
        if let Some(place) = self.place(lease.endpoint) {
            self.members[place].health.connected();
            self.members[place].latency.observe(now, latency);
        }
    }

    /// A session could not be opened. That counts like a failed check, and another is made at once.
    pub fn failed(&mut self, now: Instant, lease: Lease) {
        self.hand_back(now, lease, Some(Failure::Connect));
    }

    /// A session has ended. One that was lost makes its endpoint doubtful, and it is checked at once.
    pub fn ended(&mut self, now: Instant, lease: Lease, ending: Ending) {
        let failure = match ending {
            Ending::Finished => None,
            Ending::Lost => Some(Failure::Lost),
        };
        self.hand_back(now, lease, failure);
    }

    /// A session that queued does not wait any more. Whether it did: if not, its place may have been
    /// granted already, and that lease is to be handed back.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.listeners.iter_mut().any(|c| c.queue.leave(ticket))
    }

    // What follows puts the rules together, and is called by what is above.

    fn advance(&mut self, now: Instant) -> Moment {
        let due = self.due();
        self.clock.advance(now, due)
    }

    /// The next moment at which there is something to do.
    fn due(&self) -> Option<Moment> {
        let endpoints = self.agenda.iter().copied().min();
        let queues = self.listeners.iter().filter_map(|c| c.queue.next_due());
        queues.chain(endpoints).min()
    }

    /// Writes down when an endpoint is to be looked at again: after all that may have changed it.
    fn schedule(&mut self, place: usize) {
        self.agenda[place] = self.members[place].due(self.checks.memory());
    }

    fn place(&self, endpoint: EndpointId) -> Option<usize> {
        self.members.binary_search_by_key(&endpoint, |m| m.id).ok()
    }

    fn plan(&mut self, now: Moment, place: usize) {
        let member = &mut self.members[place];
        let calm = member.health.is_beyond_doubt();
        member
            .schedule
            .plan(now, &self.checks, calm, &mut self.random);
    }

    fn fail(&mut self, now: Moment, place: usize, failure: Failure) {
        let member = &mut self.members[place];
        if member.health.failed(now, &self.checks, failure) {
            self.outputs
                .push_back(event(member, Change::Down { failure }));
            // What it said of itself is void; `Down` says so, without another event.
            member.role = Role::Unknown;
            self.judge();
        }
    }

    /// Something failed that was not a check: one is made at once, unless it is known to be down.
    fn suspect(&mut self, now: Moment, place: usize, failure: Failure) {
        self.fail(now, place, failure);
        match self.members[place].health.state() {
            State::Up => self.members[place].schedule.hasten(now),
            State::New | State::Down => self.plan(now, place),
        }
        self.schedule(place);
    }

    fn tell_availability(&mut self, place: usize, before: Availability) {
        let member = &self.members[place];
        if member.availability() != before {
            let change = Change::Availability(member.availability());
            self.outputs.push_back(event(member, change));
        }
    }

    fn turn_into(&mut self, place: usize, to: Role) {
        let member = &mut self.members[place];
        let from = std::mem::replace(&mut member.role, to);
        if !from.is_like(to) {
            self.outputs
                .push_back(event(member, Change::Role { from, to }));
            self.judge();
        }
    }

    fn judge(&mut self) {
        let outputs = &mut self.outputs;
        timeline::judge(&mut self.members, |member, change| {
            outputs.push_back(event(member, change));
        });
    }

    fn hand_back(&mut self, now: Instant, lease: Lease, failure: Option<Failure>) {
        let now = self.advance(now);
        let Some(place) = self.place(lease.endpoint) else {
            return;
        };
        let sessions = &mut self.members[place].sessions;
        *sessions = sessions.saturating_sub(1);
        if let Some(failure) = failure {
            self.suspect(now, place, failure);
        }
        self.grant();
    }
}

fn event(member: &Member, change: Change) -> Output {
    Output::Event(Event {
        endpoint: member.id,
        name: member.name.clone(),
        change,
    })
}

#[cfg(test)]
mod tests;
