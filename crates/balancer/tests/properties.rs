//! What holds whatever happens, in whatever order, by whatever clock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use pgseal_balancer::{
    Availability, Balancer, Change, Check, Checks, Choice, Ending, Endpoint, EndpointId, Lag,
    Lease, Listener, ListenerId, MaxLag, Outcome, Output, Policy, Report, Role, State, Status,
    Target, Ticket,
};
use proptest::prelude::*;

const CHECKS: Checks = Checks {
    interval: Duration::from_millis(500),
    down_interval: Duration::from_millis(250),
    timeout: Duration::from_millis(300),
    fall: 2,
    rise: 3,
    slow_start: Duration::from_secs(3),
};

const MAX_LAG: u64 = 1000;
const MAX_QUEUE: usize = 4;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);

/// One thing that a caller does. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    /// The clock goes on, or back.
    Clock(i64),
    Choose {
        listener: usize,
        excluded: Vec<usize>,
    },
    LastResort {
        listener: usize,
        excluded: Vec<usize>,
    },
    Connected(usize),
    Failed(usize),
    Ended(usize, bool),
    Checked(usize, Said),
    Reported(usize, Said),
    FellSilent(usize),
    Drain(usize, bool),
    Leave(usize),
    /// Which endpoints stay, of all there can be.
    Replace(u8),
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Failed,
    Passed,
    Primary(u32),
    Replica(u64),
    Unavailable(bool),
}

impl Said {
    fn outcome(self) -> Outcome {
        match self {
            Self::Failed => Outcome::Failed,
            Self::Passed => Outcome::Passed,
            other => Outcome::Reported(other.report()),
        }
    }

    fn report(self) -> Report {
        let role = match self {
            Self::Primary(timeline) => Role::Primary { timeline },
            Self::Replica(bytes) => Role::Replica {
                lag: Lag {
                    bytes: Some(bytes),
                    time: None,
                },
            },
            Self::Failed | Self::Passed | Self::Unavailable(_) => Role::Unknown,
        };
        let availability = match self {
            Self::Unavailable(true) => Availability::Draining,
            Self::Unavailable(false) => Availability::Refusing,
            _ => Availability::Accepting,
        };
        Report {
            role,
            availability,
            sessions: None,
            objection: None,
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        2 => Just(Said::Failed),
        3 => Just(Said::Passed),
        2 => (1..4_u32).prop_map(Said::Primary),
        3 => (0..2 * MAX_LAG).prop_map(Said::Replica),
        1 => any::<bool>().prop_map(Said::Unavailable),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..64_usize;
    prop_oneof![
        6 => (0..700_i64).prop_map(Step::Clock),
        1 => (-7_200_000..7_200_000_i64).prop_map(Step::Clock),
        9 => (0..LISTENERS.len(), prop::collection::vec(n.clone(), 0..3))
            .prop_map(|(listener, excluded)| Step::Choose { listener, excluded }),
        2 => (0..LISTENERS.len(), prop::collection::vec(n.clone(), 0..3))
            .prop_map(|(listener, excluded)| Step::LastResort { listener, excluded }),
        3 => n.clone().prop_map(Step::Connected),
        2 => n.clone().prop_map(Step::Failed),
        4 => (n.clone(), any::<bool>()).prop_map(|(n, lost)| Step::Ended(n, lost)),
        9 => (n.clone(), said()).prop_map(|(n, said)| Step::Checked(n, said)),
        3 => (n.clone(), said()).prop_map(|(n, said)| Step::Reported(n, said)),
        1 => n.clone().prop_map(Step::FellSilent),
        1 => (n.clone(), any::<bool>()).prop_map(|(n, drained)| Step::Drain(n, drained)),
        1 => n.prop_map(Step::Leave),
        1 => any::<u8>().prop_map(Step::Replace),
    ]
}

const LISTENERS: [(Target, Policy, bool); 4] = [
    (Target::Any, Policy::RoundRobin, false),
    (Target::Replica, Policy::LeastConnections, true),
    (Target::Replica, Policy::PeakEwma, false),
    (Target::Primary, Policy::RoundRobin, false),
];

/// All endpoints that can be listed: some backups, some with little room, one without weight.
fn list(which: u8) -> Vec<Endpoint> {
    (0..8)
        .filter(|n| which & (1 << n) != 0)
        .map(|n| Endpoint {
            weight: [3, 1, 2, 1, 1, 5, 0, 1][n],
            backup: n == 3 || n == 4,
            max_connections: (n % 2 == 0).then_some(2),
            ..Endpoint::new(format!("e{n}"))
        })
        .collect()
}

/// A balancer, and beside it what follows from the steps alone.
struct Run {
    balancer: Balancer,
    now: Instant,
    listeners: Vec<ListenerId>,
    checks: Vec<Check>,
    leases: Vec<Lease>,
    /// In the order in which they came, with the listener and what was excluded.
    queued: Vec<(Ticket, usize, Vec<EndpointId>)>,
    states: HashMap<EndpointId, State>,
}

impl Run {
    fn new() -> Self {
        let now = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        let mut balancer = Balancer::new(CHECKS, 7, now).unwrap();
        let listeners = LISTENERS.map(|(target, policy, fallback_to_primary)| {
            balancer.listen(Listener {
                policy,
                fallback_to_primary,
                max_lag: MaxLag {
                    bytes: (target == Target::Replica).then_some(MAX_LAG),
                    time: None,
                },
                max_queue: MAX_QUEUE,
                queue_timeout: QUEUE_TIMEOUT,
                ..Listener::new(target)
            })
        });
        balancer.replace(now, &list(0b0111_1111)).unwrap();
        let mut run = Self {
            balancer,
            now,
            listeners: listeners.to_vec(),
            checks: Vec::new(),
            leases: Vec::new(),
            queued: Vec::new(),
            states: HashMap::new(),
        };
        run.settle();
        run
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Clock(millis) => {
                let pause = Duration::from_millis(millis.unsigned_abs());
                self.now = if millis < 0 {
                    self.now - pause
                } else {
                    self.now + pause
                };
                self.balancer.tick(self.now);
            }
            Step::Choose { listener, excluded } => self.choose(listener, &excluded),
            Step::LastResort { listener, excluded } => self.last_resort(listener, &excluded),
            Step::Connected(n) => {
                if let Some(lease) = at(&self.leases, n) {
                    let latency = Duration::from_micros(n as u64 * 100);
                    self.balancer.connected(self.now, lease, latency);
                }
            }
            Step::Failed(n) => {
                if let Some(lease) = remove(&mut self.leases, n) {
                    self.balancer.failed(self.now, lease);
                }
            }
            Step::Ended(n, lost) => {
                let ending = if lost { Ending::Lost } else { Ending::Finished };
                if let Some(lease) = remove(&mut self.leases, n) {
                    self.balancer.ended(self.now, lease, ending);
                }
            }
            Step::Checked(n, said) => {
                if let Some(check) = remove(&mut self.checks, n) {
                    self.balancer.checked(self.now, &check, said.outcome());
                }
            }
            Step::Reported(n, said) => {
                if let Some(status) = at(&self.statuses(), n) {
                    self.balancer
                        .reported(self.now, status.endpoint, said.report());
                }
            }
            Step::FellSilent(n) => {
                if let Some(status) = at(&self.statuses(), n) {
                    self.balancer.fell_silent(self.now, status.endpoint);
                }
            }
            Step::Drain(n, drained) => {
                if let Some(status) = at(&self.statuses(), n) {
                    self.balancer.drain(self.now, status.endpoint, drained);
                }
            }
            Step::Leave(n) => {
                if let Some((ticket, ..)) = remove(&mut self.queued, n) {
                    assert!(self.balancer.leave(ticket));
                    assert!(!self.balancer.leave(ticket));
                }
            }
            Step::Replace(which) => self.balancer.replace(self.now, &list(which)).unwrap(),
        }
        self.settle();
    }

    fn choose(&mut self, listener: usize, excluded: &[usize]) {
        let statuses = self.statuses();
        let excluded = endpoints(&statuses, excluded);
        let waiting = self.waiting(listener);
        let choice = self
            .balancer
            .choose(self.now, self.listeners[listener], &excluded);
        let allowed = allowed(&statuses, listener, &excluded);
        match choice {
            Choice::Use(lease) => {
                let others = self.queued.iter().filter(|(_, l, _)| *l == listener);
                for (_, _, tried) in others {
                    assert!(
                        !is_next(&statuses, listener, tried, &lease),
                        "overtook one that was to have {}",
                        lease.name()
                    );
                }
                self.check_lease(&statuses, listener, &excluded, &lease);
                self.leases.push(lease);
            }
            Choice::Queued(ticket) => {
                assert!(waiting < MAX_QUEUE);
                assert!(!allowed.is_empty());
                self.queued.push((ticket, listener, excluded));
            }
            Choice::QueueFull => assert_eq!(waiting, MAX_QUEUE),
            Choice::NoPrimary => {
                assert_eq!(LISTENERS[listener].0, Target::Primary);
                assert!(allowed.is_empty());
            }
            Choice::NobodyServes => {
                assert_ne!(LISTENERS[listener].0, Target::Primary);
                assert!(allowed.is_empty());
            }
        }
    }

    fn last_resort(&mut self, listener: usize, excluded: &[usize]) {
        let statuses = self.statuses();
        let excluded = endpoints(&statuses, excluded);
        let id = self.listeners[listener];
        if let Some(lease) = self.balancer.last_resort(self.now, id, &excluded) {
            assert_eq!(LISTENERS[listener].0, Target::Any);
            assert!(!excluded.contains(&lease.endpoint()));
            let status = find(&statuses, lease.endpoint());
            assert_eq!(status.state, State::Down);
            assert!(!status.distrusted && status.weight > 0);
            assert!(
                status
                    .max_connections
                    .is_none_or(|max| status.sessions < max)
            );
            self.leases.push(lease);
        }
    }

    /// Does what came out, and looks whether all still holds.
    fn settle(&mut self) {
        while let Some(output) = self.balancer.next_output() {
            match output {
                Output::Check(check) => self.checks.push(check),
                Output::Granted(ticket, lease) => self.granted(ticket, lease),
                Output::Expired(ticket) => {
                    let place = self.queued.iter().position(|(t, ..)| *t == ticket);
                    let (_, listener, _) = self.queued.remove(place.unwrap());
                    let before = self.queued.iter().take(place.unwrap());
                    assert!(before.into_iter().all(|(_, l, _)| *l != listener));
                }
                Output::Deserted(ticket) => {
                    let place = self.queued.iter().position(|(t, ..)| *t == ticket);
                    let (_, listener, tried) = self.queued.remove(place.unwrap());
                    assert!(allowed(&self.statuses(), listener, &tried).is_empty());
                }
                Output::Event(event) => {
                    let state = match event.change {
                        Change::Up => State::Up,
                        Change::Down { .. } => State::Down,
                        Change::Removed => {
                            self.states.remove(&event.endpoint);
                            continue;
                        }
                        _ => continue,
                    };
                    let before = self.states.insert(event.endpoint, state);
                    assert_ne!(before, Some(state), "told twice");
                }
            }
        }
        for status in self.statuses() {
            let held = self.leases.iter();
            let held = held.filter(|l| l.endpoint() == status.endpoint).count();
            assert_eq!(status.sessions as usize, held, "{status:?}");
            let told = self.states.get(&status.endpoint).copied();
            assert_eq!(told.unwrap_or(State::New), status.state);
        }
        let statuses = self.statuses();
        for (_, listener, tried) in &self.queued {
            let allowed = allowed(&statuses, *listener, tried);
            assert!(!allowed.is_empty(), "it queues for nobody");
        }
        for (n, listener) in self.listeners.clone().into_iter().enumerate() {
            assert_eq!(self.balancer.queued(listener), self.waiting(n));
            assert!(self.waiting(n) <= MAX_QUEUE);
        }
    }

    fn granted(&mut self, ticket: Ticket, lease: Lease) {
        let place = self.queued.iter().position(|(t, ..)| *t == ticket).unwrap();
        let (_, listener, excluded) = self.queued.remove(place);
        let statuses = self.statuses();
        for (_, other, tried) in &self.queued[..place] {
            assert!(
                *other != listener || !is_next(&statuses, listener, tried, &lease),
                "one that came later was served first"
            );
        }
        assert!(is_next(&statuses, listener, &excluded, &lease));
        self.leases.push(lease);
        let status = find(&statuses, self.leases.last().unwrap().endpoint());
        assert_eq!(status.state, State::Up);
        assert_eq!(status.availability, Availability::Accepting);
        assert!(
            status
                .max_connections
                .is_none_or(|max| status.sessions <= max)
        );
    }

    /// Never an endpoint that is down, draining, full or excluded; never a worse one than there was.
    fn check_lease(
        &self,
        statuses: &[Status],
        listener: usize,
        excluded: &[EndpointId],
        lease: &Lease,
    ) {
        assert!(is_next(statuses, listener, excluded, lease), "{lease:?}");
        let status = find(statuses, lease.endpoint());
        assert!(
            status
                .max_connections
                .is_none_or(|max| status.sessions < max)
        );
    }

    fn statuses(&mut self) -> Vec<Status> {
        self.balancer.endpoints(self.now).collect()
    }

    fn waiting(&self, listener: usize) -> usize {
        self.queued
            .iter()
            .filter(|(_, l, _)| *l == listener)
            .count()
    }
}

/// The rule again, from what an operator can see.
fn allowed<'a>(
    statuses: &'a [Status],
    listener: usize,
    excluded: &[EndpointId],
) -> Vec<&'a Status> {
    let (target, _, fallback) = LISTENERS[listener];
    let serves = |status: &Status| match (target, status.role) {
        (Target::Any, _) | (Target::Primary, Role::Primary { .. }) => true,
        (Target::Primary, _) | (Target::Replica, Role::Unknown) => false,
        (Target::Replica, Role::Primary { .. }) => fallback,
        (Target::Replica, Role::Replica { lag }) => lag.bytes.is_some_and(|b| b <= MAX_LAG),
    };
    statuses
        .iter()
        .filter(|s| s.state == State::Up && s.availability == Availability::Accepting)
        .filter(|s| !s.distrusted && s.weight > 0 && !excluded.contains(&s.endpoint))
        .filter(|s| serves(s))
        .collect()
}

/// Whether it is of the best that there are for whoever tried those: only these are queued for.
fn is_next(statuses: &[Status], listener: usize, tried: &[EndpointId], lease: &Lease) -> bool {
    let rank = |s: &Status| (is_fallback(s, listener), s.backup);
    let allowed = allowed(statuses, listener, tried);
    let best = allowed.iter().map(|s| rank(s)).min();
    allowed
        .iter()
        .any(|s| s.endpoint == lease.endpoint() && Some(rank(s)) == best)
}

fn is_fallback(status: &Status, listener: usize) -> bool {
    LISTENERS[listener].0 == Target::Replica && matches!(status.role, Role::Primary { .. })
}

fn endpoints(statuses: &[Status], numbers: &[usize]) -> Vec<EndpointId> {
    let known = numbers.iter().filter_map(|number| at(statuses, *number));
    known.map(|status| status.endpoint).collect()
}

fn find(statuses: &[Status], endpoint: EndpointId) -> &Status {
    statuses.iter().find(|s| s.endpoint == endpoint).unwrap()
}

fn at<T>(items: &[T], n: usize) -> Option<&T> {
    items.get(n % items.len().max(1))
}

fn remove<T>(items: &mut Vec<T>, n: usize) -> Option<T> {
    (!items.is_empty()).then(|| items.remove(n % items.len()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_a_rule(steps in prop::collection::vec(step(), 1..300)) {
        let mut run = Run::new();
        for step in steps {
            run.take(step);
        }
        // Everything comes back to rest.
        while let Some(lease) = run.leases.pop() {
            run.balancer.ended(run.now, lease, Ending::Finished);
            run.settle();
        }
        prop_assert!(run.statuses().iter().all(|status| status.sessions == 0));
    }

    /// In every stretch of choices, each endpoint gets its share to within the number of endpoints.
    #[test]
    fn weights_are_kept_to_in_every_stretch(
        weights in prop::collection::vec(1..=20_u32, 1..12),
        from in 0..200_usize,
        length in 1..200_usize,
    ) {
        let (mut balancer, now) = answering(&weights);
        let listener = balancer.listen(Listener::new(Target::Any));
        let mut counts: HashMap<String, usize> = HashMap::new();
        for n in 0..from + length {
            let Choice::Use(lease) = balancer.choose(now, listener, &[]) else {
                panic!("all are up");
            };
            if n >= from {
                *counts.entry(lease.name().to_owned()).or_default() += 1;
            }
        }
        let sum: u32 = weights.iter().sum();
        for (n, weight) in weights.iter().enumerate() {
            let got = counts.get(&format!("e{n}")).copied().unwrap_or(0) as f64;
            let due = length as f64 * f64::from(*weight) / f64::from(sum);
            prop_assert!((got - due).abs() <= weights.len() as f64, "e{n}: {got} of {due}");
        }
    }

    /// However checks turn out, between two changes lie `fall` failures or `rise` successes in a row.
    #[test]
    fn no_change_without_fall_or_rise_in_a_row(outcomes in prop::collection::vec(any::<bool>(), 1..200)) {
        let (mut balancer, _) = answering(&[1]);
        let mut state = State::Up;
        let (mut passed, mut failed) = (1, 0);
        for outcome in outcomes {
            let now = balancer.next_due().unwrap();
            balancer.tick(now);
            let Some(Output::Check(check)) = balancer.next_output() else {
                panic!("a check was due");
            };
            let answer = if outcome { Outcome::Passed } else { Outcome::Failed };
            balancer.checked(now, &check, answer);
            (passed, failed) = if outcome { (passed + 1, 0) } else { (0, failed + 1) };
            let after = balancer.endpoints(now).next().unwrap().state;
            match (state, after) {
                (State::Up, State::Down) => prop_assert_eq!(failed, CHECKS.fall),
                (State::Down, State::Up) => prop_assert!(passed >= CHECKS.rise),
                (State::Up, _) => prop_assert!(failed < CHECKS.fall),
                (_, _) => prop_assert!(passed < 8 * CHECKS.rise),
            }
            state = after;
            while balancer.next_output().is_some() {}
        }
    }
}

/// Endpoints `e0`, `e1` and so on of these weights, up.
fn answering(weights: &[u32]) -> (Balancer, Instant) {
    let now = Instant::now();
    let mut balancer = Balancer::new(CHECKS, 3, now).unwrap();
    let list: Vec<_> = weights
        .iter()
        .enumerate()
        .map(|(n, weight)| Endpoint {
            weight: *weight,
            ..Endpoint::new(format!("e{n}"))
        })
        .collect();
    balancer.replace(now, &list).unwrap();
    balancer.tick(now);
    let mut names = HashSet::new();
    while let Some(output) = balancer.next_output() {
        if let Output::Check(check) = output {
            names.insert(check.name.clone());
            balancer.checked(now, &check, Outcome::Passed);
        }
    }
    assert_eq!(names.len(), weights.len());
    while balancer.next_output().is_some() {}
    (balancer, now)
}
