//! Drives the balancer: tells it the time and what became of checks and sessions, does what it says,
//! and passes on what changes to whoever waits for it.

mod hearing;
mod known;
mod sessions;
mod telling;
mod verdicts;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use balancer::{Balancer, Check, Checks, Endpoint, EndpointId, Error, Output, Status, Ticket};
use tokio::sync::{Notify, oneshot, watch};

use crate::counts::Counts;
use crate::lease::Leaving;
use crate::report::Databases;
use crate::search::Search;
use crate::settings::OnRoleChange;

pub use balancer::ListenerId;
pub use known::{Known, Noted};
pub(crate) use sessions::Answer;
pub(crate) use waiting::Turn;

/// Checks endpoints, and knows what they are called and how often they speak.
pub trait Checker: Send + Sync + 'static {
    /// What one is called in the log: `server`.
    const NAME: &'static str;

    /// How often the one of this name says something by itself, while all is well.
    fn pace(&self, name: &str) -> Duration;

    /// Checks one, without waiting, and tells what came of it with [`Chooser::checked`].
    fn check(&self, chooser: &Arc<Chooser<Self>>, check: Check)
    where
        Self: Sized;
}

/// What sessions of one listener need, and how long they wait for it.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// Which endpoints serve, and how one is chosen.
    pub choice: balancer::Listener,
    /// How long a session waits while no primary is known.
    pub wait_for_primary: Duration,
    /// What becomes of sessions whose database is something else than they need.
    pub on_role_change: OnRoleChange,
}

/// The balancer and what it is told and says.
pub struct Chooser<C: Checker> {
    checker: C,
    counts: Counts,
    listeners: Vec<(ListenerId, Listener)>,
    /// For so long after its last word an endpoint counts as speaking.
    hearing: Duration,
    state: Mutex<Inner<C>>,
    /// The timer is to be set anew.
    timer: Notify,
    /// Counts what has changed.
    events: watch::Sender<u64>,
    /// Where sessions cannot stay.
    leaving: watch::Sender<HashMap<(ListenerId, EndpointId), Leaving>>,
    /// Counts what each endpoint is doubted for: a silence that is new, and each failed check.
    doubts: watch::Sender<HashMap<EndpointId, u64>>,
}

struct Inner<C: Checker> {
    balancer: Balancer,
    databases: Databases,
    /// When each endpoint last said something by itself.
    heard: HashMap<EndpointId, Instant>,
    /// What was last met where one did not answer.
    causes: HashMap<EndpointId, Noted>,
    /// What has last become of each.
    changes: HashMap<EndpointId, Noted>,
    /// Sessions that queue.
    waiting: HashMap<Ticket, (ListenerId, oneshot::Sender<Turn<C>>)>,
}

impl<C: Checker> Chooser<C> {
    /// Knows the endpoints, and has not begun to check them.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(
        checker: C,
        counts: Counts,
        checks: Checks,
        listeners: &[Listener],
        endpoints: &[Endpoint],
    ) -> Result<Arc<Self>, Error> {
        let now = Instant::now();
        // Of a source that is seeded at random, in each process another.
        let seed = RandomState::new().hash_one(());
        let mut balancer = Balancer::new(checks, seed, now)?;
        // For as long as writers wait for the next primary, readers may be near to the last one.
        let waits = listeners.iter().map(|it| it.wait_for_primary);
        let memory = waits.fold(checks.memory(), Duration::max);
        let listeners = listeners
            .iter()
            .map(|listener| (balancer.listen(listener.choice), *listener))
            .collect();
        balancer.replace(now, endpoints)?;
        Ok(Arc::new(Self {
            checker,
            counts,
            listeners,
            hearing: checks.interval.saturating_add(checks.timeout),
            state: Mutex::new(Inner {
                balancer,
                databases: Databases::new(memory, checks.memory()),
                heard: HashMap::new(),
                causes: HashMap::new(),
                changes: HashMap::new(),
                waiting: HashMap::new(),
            }),
            timer: Notify::new(),
            events: watch::Sender::new(0),
            leaving: watch::Sender::default(),
            doubts: watch::Sender::default(),
        }))
    }

    /// Checks endpoints when it is time to, without end.
    pub async fn run(self: Arc<Self>) {
        loop {
            let due = self.with(|inner, now| {
                inner.balancer.tick(now);
                inner.balancer.next_due()
            });
            // Nothing is due while nobody is listed.
            let due = due.unwrap_or_else(|| Instant::now() + self.hearing);
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.timer.notified() => {}
            }
        }
    }

    /// Replaces the list. Endpoints whose names are in both keep all that is known of them; sessions of
    /// those that are gone stay where they are.
    ///
    /// # Errors
    /// A name twice, or a weight too high. The old list stays.
    pub fn replace(self: &Arc<Self>, endpoints: &[Endpoint]) -> Result<(), Error> {
        self.with(|inner, now| {
            inner.balancer.replace(now, endpoints)?;
            let listed: HashSet<_> = inner
                .balancer
                .endpoints(now)
                .map(|it| it.endpoint)
                .collect();
            inner.databases.keep(now, &listed);
            inner.heard.retain(|endpoint, _| listed.contains(endpoint));
            inner.causes.retain(|endpoint, _| listed.contains(endpoint));
            inner
                .changes
                .retain(|endpoint, _| listed.contains(endpoint));
            Ok(())
        })
    }

    /// The way of a session of this listener, the first being 0, to an endpoint.
    ///
    /// # Panics
    /// Where there is no such listener.
    #[must_use]
    pub(crate) fn search(self: &Arc<Self>, listener: usize) -> Search<C> {
        let (id, settings) = self.listeners[listener];
        Search::new(self.clone(), id, settings)
    }

    /// What is known of each endpoint, in the order in which they were listed first.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Status> {
        self.lock().balancer.endpoints(Instant::now()).collect()
    }

    /// How many sessions of this listener, the first being 0, wait for a place.
    #[must_use]
    pub fn queued(&self, listener: usize) -> usize {
        let listener = self.listeners.get(listener);
        listener.map_or(0, |(id, _)| self.lock().balancer.queued(*id))
    }

    /// Counts on with each change.
    pub(crate) fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// One step of the balancer, and all that follows from it.
    fn with<T>(self: &Arc<Self>, step: impl FnOnce(&mut Inner<C>, Instant) -> T) -> T {
        let mut inner = self.lock();
        let now = Instant::now();
        let due = inner.balancer.next_due();
        let result = step(&mut inner, now);
        let outputs: Vec<_> = std::iter::from_fn(|| inner.balancer.next_output()).collect();
        inner.note(&outputs);
        if !outputs.is_empty() || !self.leaving.borrow().is_empty() {
            self.judge(&mut inner, now);
        }
        if inner.balancer.next_due() != due {
            self.timer.notify_one();
        }
        // A lease may come back at once, and that is the next step.
        drop(inner);
        outputs.into_iter().for_each(|output| self.act(output));
        result
    }

    fn act(self: &Arc<Self>, output: Output) {
        match output {
            Output::Check(check) => {
                if self.has_lost_pace(&check) {
                    self.cast_doubt(check.endpoint);
                }
                self.checker.check(self, check);
            }
            Output::Granted(ticket, lease) => self.grant(ticket, lease),
            Output::Expired(ticket) => self.let_go(ticket, Turn::TooLate),
            Output::Deserted(ticket) => self.let_go(ticket, Turn::Nobody),
            Output::Event(event) => {
                self.tell(&event);
                self.events.send_modify(|count| *count += 1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
