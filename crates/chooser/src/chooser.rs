//! Drives the balancer: tells it the time and what became of checks and sessions, does what it says,
//! and passes on what changes to whoever waits for it.

mod known;
mod verdicts;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use balancer::{
    Balancer, Change, Check, Checks, Choice, Ending, Endpoint, EndpointId, Error, Event, Failure,
    Lease, Outcome, Output, State, Status, Ticket,
};
use control::Standing;
use tokio::sync::{Notify, oneshot, watch};

use crate::counts::Counts;
use crate::lease::{Leased, Leaving};
use crate::report::Databases;
use crate::search::Search;
use crate::settings::OnRoleChange;
use waiting::Waiting;

pub use balancer::ListenerId;
pub use known::{Known, Noted};

/// Whose endpoints they are.
pub trait Owner: Send + Sync + 'static {
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
pub struct Chooser<O: Owner> {
    owner: O,
    counts: Counts,
    listeners: Vec<(ListenerId, Listener)>,
    /// For so long after its last word an endpoint counts as speaking.
    hearing: Duration,
    state: Mutex<Inner<O>>,
    /// The timer is to be set anew.
    timer: Notify,
    /// Counts what has changed.
    events: watch::Sender<u64>,
    /// Where sessions cannot stay.
    leaving: watch::Sender<HashMap<(ListenerId, EndpointId), Leaving>>,
    /// Counts what each endpoint is doubted for: a silence that is new, and each failed check.
    doubts: watch::Sender<HashMap<EndpointId, u64>>,
}

struct Inner<O: Owner> {
    balancer: Balancer,
    databases: Databases,
    /// When each endpoint last said something by itself.
    heard: HashMap<EndpointId, Instant>,
    /// What was last met where one did not answer.
    causes: HashMap<EndpointId, Noted>,
    /// What has last become of each.
    changes: HashMap<EndpointId, Noted>,
    /// Sessions that queue.
    waiting: HashMap<Ticket, (ListenerId, oneshot::Sender<Leased<O>>)>,
}

/// What a session is told that asks for an endpoint.
pub(crate) enum Answer<O: Owner> {
    Use(Leased<O>),
    Queued(Waiting<O>),
    QueueFull,
    NoPrimary,
    /// Nobody, but not all were heard of since they were listed.
    NobodyYet,
    Nobody,
}

impl<O: Owner> Chooser<O> {
    /// Knows the endpoints, and has not begun to check them.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(
        owner: O,
        counts: Counts,
        checks: Checks,
        listeners: &[Listener],
        endpoints: &[Endpoint],
    ) -> Result<Arc<Self>, Error> {
        let now = Instant::now();
        // Of a source that is seeded at random, in each process another.
        let seed = RandomState::new().hash_one(());
        let mut balancer = Balancer::new(checks, seed, now)?;
        let listeners = listeners
            .iter()
            .map(|listener| (balancer.listen(listener.choice), *listener))
            .collect();
        balancer.replace(now, endpoints)?;
        Ok(Arc::new(Self {
            owner,
            counts,
            listeners,
            hearing: checks.interval.saturating_add(checks.timeout),
            state: Mutex::new(Inner {
                balancer,
                databases: Databases::default(),
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
            inner.databases.keep(&listed);
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
    pub(crate) fn search(self: &Arc<Self>, listener: usize) -> Search<O> {
        let (id, settings) = self.listeners[listener];
        Search::new(self.clone(), id, settings)
    }

    /// An endpoint says this of itself, or that it is still there.
    pub fn heard(self: &Arc<Self>, name: &str, standing: Option<&Standing>) {
        self.with(|inner, now| {
            if let Some(endpoint) = inner.endpoint(name, now) {
                inner.heard.insert(endpoint, now);
                let report = inner.databases.report(endpoint, standing);
                inner.balancer.reported(now, endpoint, report);
            }
        });
    }

    /// An endpoint has broken off.
    pub fn fell_silent(self: &Arc<Self>, name: &str) {
        self.with(|inner, now| {
            if let Some(endpoint) = inner.endpoint(name, now) {
                inner.heard.remove(&endpoint);
                inner.balancer.fell_silent(now, endpoint);
                // One that was down already is no news to the balancer.
                self.judge(inner, now);
            }
        });
    }

    /// A check has ended: what the endpoint says of itself, if it does, or why it did not answer.
    pub fn checked(self: &Arc<Self>, check: &Check, answer: Result<Option<Standing>, String>) {
        let endpoint = check.endpoint;
        if answer.is_err() {
            self.counts.check_failed(&check.name);
            self.cast_doubt(endpoint);
        }
        self.with(|inner, now| {
            let outcome = match answer {
                Ok(standing) => {
                    Outcome::Reported(inner.databases.report(endpoint, standing.as_ref()))
                }
                Err(why) => {
                    inner.causes.insert(endpoint, Noted::now(why));
                    Outcome::Failed
                }
            };
            inner.balancer.checked(now, check, outcome);
        });
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

    /// An endpoint for a session that has tried these.
    pub(crate) fn choose(
        self: &Arc<Self>,
        listener: ListenerId,
        tried: &[EndpointId],
    ) -> Answer<O> {
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

    /// Where none serves: of those that are down and were not tried, the one that was heard last. For
    /// sessions that may go anywhere, since what is down may be anything.
    pub(crate) fn last_resort(
        self: &Arc<Self>,
        listener: ListenerId,
        tried: &[EndpointId],
    ) -> Option<Leased<O>> {
        let mut inner = self.lock();
        let down = inner.balancer.endpoints(Instant::now()).filter(|it| {
            it.state == State::Down && !it.distrusted && !tried.contains(&it.endpoint)
        });
        let latest = down.min_by_key(|it| it.heard_ago.unwrap_or(Duration::MAX))?;
        Some(Leased::last_resort(listener, &latest, self.clone()))
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
        tracing::debug!(name, why, "a {} took no session", O::NAME);
        self.with(|inner, now| {
            inner.causes.insert(lease.endpoint(), Noted::now(why));
            inner.balancer.failed(now, lease);
        });
    }

    /// A session has ended.
    pub(crate) fn ended(self: &Arc<Self>, lease: Lease, ending: Ending) {
        self.with(|inner, now| inner.balancer.ended(now, lease, ending));
    }

    /// One step of the balancer, and all that follows from it.
    fn with<T>(self: &Arc<Self>, step: impl FnOnce(&mut Inner<O>, Instant) -> T) -> T {
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
                self.owner.check(self, check);
            }
            Output::Granted(ticket, lease) => self.grant(ticket, lease),
            Output::Expired(ticket) => drop(self.lock().waiting.remove(&ticket)),
            Output::Event(event) => {
                self.tell(&event);
                self.events.send_modify(|count| *count += 1);
            }
        }
    }

    fn grant(self: &Arc<Self>, ticket: Ticket, lease: Lease) {
        let waiting = self.lock().waiting.remove(&ticket);
        match waiting {
            // Where it does not wait any more it hands this back by dropping it.
            Some((listener, waiting)) => {
                drop(waiting.send(Leased::new(listener, lease, self.clone())));
            }
            None => self.ended(lease, Ending::Finished),
        }
    }

    /// One line for the log, and the metrics.
    fn tell(&self, event: &Event) {
        let (kind, name) = (O::NAME, &event.name);
        match &event.change {
            Change::Down {
                failure: Failure::Check | Failure::Connect,
            } => {
                let cause = self.lock().causes.get(&event.endpoint).cloned();
                let cause = cause.map(|it| it.what).unwrap_or_default();
                tracing::warn!(cause, "the {kind} {event}");
            }
            Change::Down { .. } => tracing::warn!("the {kind} {event}"),
            Change::Conflict { .. } => tracing::error!("the {kind} {event}"),
            _ => tracing::info!("the {kind} {event}"),
        }
        match event.change {
            Change::Up => self.counts.is_up(name, true),
            Change::Down { .. } => self.counts.is_up(name, false),
            Change::Conflict { .. } => self.counts.is_distrusted(name, true),
            Change::ConflictOver => self.counts.is_distrusted(name, false),
            Change::Removed => self.counts.removed(name),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Owner> Inner<O> {
    fn endpoint(&mut self, name: &str, now: Instant) -> Option<EndpointId> {
        let mut listed = self.balancer.endpoints(now);
        let found = listed.find(|it| &*it.name == name);
        found.map(|it| it.endpoint)
    }
}

#[cfg(test)]
mod tests;
