//! Drives the balancer: tells it the time and what became of checks and sessions, does what it says,
//! and passes on what changes to whoever waits for it.

mod verdicts;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use balancer::{
    Balancer, Change, Check, Choice, Ending, Endpoint, EndpointId, Event, Failure, Lease, Listener,
    ListenerId, Outcome, Output, State, Ticket,
};
use control::Standing;
use tokio::sync::{Notify, oneshot, watch};

use crate::config::Config;
use crate::metrics::Metrics;
use crate::servers::lease::{Leased, Leaving};
use crate::servers::report::Databases;
use crate::servers::settings::{self, OnRoleChange, Target};
pub use waiting::Waiting;

/// Checks one server, and tells the driver what came of it.
type Ask = Box<dyn Fn(&Arc<Driver>, Asked) + Send + Sync>;

/// The check of the server at this place.
pub struct Asked {
    /// Which.
    pub place: usize,
    check: Check,
}

/// The balancer and what it is told and says.
pub struct Driver {
    /// Of the servers, in the order of the configuration.
    addresses: Vec<String>,
    /// The balancer's names for them, in the same order.
    endpoints: Vec<EndpointId>,
    listener: ListenerId,
    is_for_any: bool,
    on_role_change: OnRoleChange,
    /// For so long after its last word a server counts as speaking.
    hearing: Duration,
    state: Mutex<Inner>,
    /// The timer is to be set anew.
    timer: Notify,
    /// Counts what has changed.
    events: watch::Sender<u64>,
    /// Where sessions cannot stay.
    leaving: watch::Sender<BTreeMap<EndpointId, Leaving>>,
    /// Counts each server's failed checks.
    doubts: watch::Sender<BTreeMap<EndpointId, u64>>,
    ask: Ask,
    metrics: Arc<Metrics>,
}

struct Inner {
    balancer: Balancer,
    databases: Databases,
    /// When each server last said something by itself.
    heard: Vec<Option<Instant>>,
    /// What was last met where one did not answer.
    causes: Vec<String>,
    /// Sessions that queue.
    waiting: HashMap<Ticket, oneshot::Sender<Leased>>,
}

/// What a session is told that asks for a server.
pub enum Answer {
    Use(Leased),
    Queued(Waiting),
    QueueFull,
    NoPrimary,
    /// Nobody, but not all were heard of since the program's start.
    NobodyYet,
    Nobody,
}

impl Driver {
    /// Knows the servers, and has not begun to check them; it will `ask` each.
    ///
    /// # Errors
    /// In a line: a setting that cannot be.
    pub fn new(
        config: &Config,
        checks: balancer::Checks,
        addresses: Vec<String>,
        metrics: Arc<Metrics>,
        ask: impl Fn(&Arc<Self>, Asked) + Send + Sync + 'static,
    ) -> Result<Arc<Self>, String> {
        let now = Instant::now();
        // Of a source that is seeded at random, in each process another.
        let seed = RandomState::new().hash_one(());
        let mut balancer =
            Balancer::new(checks, seed, now).map_err(|error| format!("checks: {error}"))?;
        let listener = balancer.listen(Listener {
            max_lag: config.max_lag.map(Into::into).unwrap_or_default(),
            fallback_to_primary: config.fallback_to_primary,
            policy: config.policy.into(),
            max_queue: config.max_queue.0,
            queue_timeout: config.queue_timeout.0,
            ..Listener::new(config.target.into())
        });
        let list: Vec<_> = addresses
            .iter()
            .map(|address| Endpoint {
                max_connections: config.max_connections.map(settings::number),
                ..Endpoint::new(address.as_str())
            })
            .collect();
        balancer
            .replace(now, &list)
            .map_err(|error| format!("servers: {error}"))?;
        let endpoints = balancer.endpoints(now).map(|it| it.endpoint).collect();
        Ok(Arc::new(Self {
            endpoints,
            listener,
            is_for_any: config.target == Target::Any,
            on_role_change: config.on_role_change,
            hearing: settings::hearing(&checks),
            state: Mutex::new(Inner {
                balancer,
                databases: Databases::new(addresses.len()),
                heard: vec![None; addresses.len()],
                causes: vec![String::new(); addresses.len()],
                waiting: HashMap::new(),
            }),
            timer: Notify::new(),
            events: watch::Sender::new(0),
            leaving: watch::Sender::default(),
            doubts: watch::Sender::default(),
            ask: Box::new(ask),
            metrics,
            addresses,
        }))
    }

    /// Ticks when the balancer wants to, without end.
    pub async fn run(self: Arc<Self>) {
        loop {
            let due = self.with(|inner, now| {
                inner.balancer.tick(now);
                inner.balancer.next_due()
            });
            // One server at least is listed, so that something is always due.
            let due = due.unwrap_or_else(|| Instant::now() + self.hearing);
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.timer.notified() => {}
            }
        }
    }

    /// Counts on with each change.
    pub fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// A server for a session that has tried these.
    pub fn choose(self: &Arc<Self>, tried: &[EndpointId]) -> Answer {
        self.with(|inner, now| {
            let choice = inner.balancer.choose(now, self.listener, tried);
            match choice {
                Choice::Use(lease) => Answer::Use(Leased::new(lease, self.clone())),
                Choice::Queued(ticket) => {
                    let (sender, receiver) = oneshot::channel();
                    inner.waiting.insert(ticket, sender);
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

    /// Where none serves: of those that are down and were not tried, the one that was heard last.
    /// Only for sessions that may go anywhere, since what is down may be anything.
    pub fn last_resort(&self, tried: &[EndpointId]) -> Option<(usize, EndpointId)> {
        if !self.is_for_any {
            return None;
        }
        let mut inner = self.lock();
        let down = inner.balancer.endpoints(Instant::now()).filter(|it| {
            it.state == State::Down && !it.distrusted && !tried.contains(&it.endpoint)
        });
        let latest = down.min_by_key(|it| it.heard_ago.unwrap_or(Duration::MAX))?;
        Some((self.place(latest.endpoint)?, latest.endpoint))
    }

    /// A session does not queue any more.
    pub fn leave(self: &Arc<Self>, ticket: Ticket) {
        self.with(|inner, _| {
            inner.balancer.leave(ticket);
            inner.waiting.remove(&ticket)
        });
    }

    /// A session was opened.
    pub fn connected(self: &Arc<Self>, lease: &Lease, latency: Duration) {
        self.with(|inner, now| inner.balancer.connected(now, lease, latency));
    }

    /// A session could not be opened.
    pub fn connect_failed(self: &Arc<Self>, lease: Lease, place: usize, why: &str) {
        self.metrics.connect_failed(self.address(place));
        tracing::debug!(
            server = self.address(place),
            why,
            "a server took no session"
        );
        self.with(|inner, now| {
            note(&mut inner.causes, place, why);
            inner.balancer.failed(now, lease);
        });
    }

    /// A session has ended.
    pub fn ended(self: &Arc<Self>, lease: Lease, ending: Ending) {
        self.with(|inner, now| inner.balancer.ended(now, lease, ending));
    }

    /// A server says this of itself, or that it is still there.
    pub fn heard(self: &Arc<Self>, place: usize, standing: Option<&Standing>) {
        let Some(endpoint) = self.endpoints.get(place) else {
            return;
        };
        self.with(|inner, now| {
            if let Some(heard) = inner.heard.get_mut(place) {
                *heard = Some(now);
            }
            let report = inner.databases.report(place, standing);
            inner.balancer.reported(now, *endpoint, report);
        });
    }

    /// A server has broken off.
    pub fn fell_silent(self: &Arc<Self>, place: usize) {
        let Some(endpoint) = self.endpoints.get(place) else {
            return;
        };
        self.with(|inner, now| {
            if let Some(heard) = inner.heard.get_mut(place) {
                *heard = None;
            }
            inner.balancer.fell_silent(now, *endpoint);
            // One that was down already is no news to the balancer.
            self.judge(inner, now);
        });
    }

    /// A check has ended: what the server says of itself, if it does, or why it did not answer.
    pub fn checked(self: &Arc<Self>, asked: &Asked, answer: Result<Option<Standing>, String>) {
        let Asked { place, check } = asked;
        if answer.is_err() {
            self.metrics.check_failed(self.address(*place));
            self.doubts
                .send_modify(|doubts| *doubts.entry(check.endpoint).or_default() += 1);
        }
        self.with(|inner, now| {
            let outcome = match &answer {
                Ok(standing) => {
                    Outcome::Reported(inner.databases.report(*place, standing.as_ref()))
                }
                Err(why) => {
                    note(&mut inner.causes, *place, why);
                    Outcome::Failed
                }
            };
            inner.balancer.checked(now, check, outcome);
        });
    }

    /// The places of those that are up.
    pub fn up(&self) -> Vec<usize> {
        let mut inner = self.lock();
        let up = inner.balancer.endpoints(Instant::now());
        let up: Vec<_> = up.filter(|it| it.state == State::Up).collect();
        let places = up.iter().filter_map(|it| self.place(it.endpoint));
        places.collect()
    }

    /// One step of the balancer, and all that follows from it.
    fn with<T>(self: &Arc<Self>, step: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let mut inner = self.lock();
        let now = Instant::now();
        let due = inner.balancer.next_due();
        let result = step(&mut inner, now);
        let outputs: Vec<_> = std::iter::from_fn(|| inner.balancer.next_output()).collect();
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
                if let Some(place) = self.place(check.endpoint) {
                    (self.ask)(self, Asked { place, check });
                }
            }
            Output::Granted(ticket, lease) => {
                let leased = Leased::new(lease, self.clone());
                let waiting = self.lock().waiting.remove(&ticket);
                // One that does not wait any more hands it back by dropping it.
                if let Some(waiting) = waiting {
                    drop(waiting.send(leased));
                }
            }
            Output::Expired(ticket) => drop(self.lock().waiting.remove(&ticket)),
            Output::Event(event) => {
                self.tell(&event);
                self.events.send_modify(|count| *count += 1);
            }
        }
    }

    /// One line for the log, and the metrics.
    fn tell(&self, event: &Event) {
        let place = self.place(event.endpoint);
        match &event.change {
            Change::Down {
                failure: Failure::Check | Failure::Connect,
            } => {
                let cause = place.and_then(|place| self.lock().causes.get(place).cloned());
                tracing::warn!(cause = cause.unwrap_or_default(), "the server {event}");
            }
            Change::Down { .. } => tracing::warn!("the server {event}"),
            Change::Conflict { .. } => tracing::error!("the server {event}"),
            _ => tracing::info!("the server {event}"),
        }
        let up = match event.change {
            Change::Up => true,
            Change::Down { .. } => false,
            _ => return,
        };
        if let Some(place) = place {
            self.metrics.server_is(self.address(place), up);
        }
    }

    fn place(&self, endpoint: EndpointId) -> Option<usize> {
        self.endpoints.iter().position(|known| *known == endpoint)
    }

    fn address(&self, place: usize) -> &str {
        self.addresses.get(place).map_or("", String::as_str)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(causes: &mut [String], place: usize, why: &str) {
    if let Some(cause) = causes.get_mut(place) {
        why.clone_into(cause);
    }
}

#[cfg(test)]
mod tests;
