//! From one server to a hundred under the same hundred thousand sessions: how evenly many connectors, none of which
//! knows of another, spread them, and what becomes of that when a server is killed and comes back.

mod figures;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use pgseal_balancer::{
    Balancer, Change, Check, Checks, Choice, Ending, Endpoint, EndpointId, Lease, Listener,
    ListenerId, Outcome, Output, Policy, Report, Target,
};

use crate::agenda::Agenda;
use crate::world::Dice;

pub(crate) const SERVERS: [usize; 6] = [1, 2, 4, 10, 30, 100];
pub(crate) const CONNECTORS: usize = 50;
/// Of all connectors, open at a time: who loses one begins another.
pub(crate) const SESSIONS: usize = 100_000;
const LASTS: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(300);
/// Connectors are started one after the other in this time.
const START: Duration = Duration::from_secs(60);
const KILLED: Duration = Duration::from_secs(240);
const BACK: Duration = Duration::from_secs(300);
const END: Duration = Duration::from_secs(600);
/// For so long after each of these, nothing is measured.
const SETTLED: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_millis(2);
const REFUSED: Duration = Duration::from_micros(500);
/// Nothing hangs here, so that checks may be few: it is about shares.
const CHECKS: Checks = Checks {
    interval: Duration::from_secs(10),
    down_interval: Duration::from_secs(1),
    timeout: Duration::from_millis(500),
    fall: 2,
    rise: 2,
    slow_start: Duration::from_secs(10),
};

/// What was seen with so many servers.
pub(crate) struct Growth {
    pub(crate) servers: usize,
    pub(crate) policy: Policy,
    /// Sessions on the least and on the most busy server.
    pub(crate) least: usize,
    pub(crate) most: usize,
    /// While one is away: sessions on the most busy of the others.
    pub(crate) most_without: usize,
    /// Connects that failed because one was killed. Each went on to another server.
    pub(crate) failed: usize,
    /// From its return until the server that was killed had nine tenths of its share.
    pub(crate) returned: Option<Duration>,
    /// Sessions that found no server, of the one that is killed where there is no other.
    pub(crate) waited: usize,
}

impl Growth {
    /// How many servers would do the same if sessions were spread evenly.
    pub(crate) fn worth(&self) -> f64 {
        SESSIONS as f64 / self.most as f64
    }

    /// Sessions on the most busy server while one is away, against an even share.
    pub(crate) fn strain_without(&self) -> Option<f64> {
        let others = self.servers.checked_sub(1).filter(|n| *n > 0)?;
        Some(self.most_without as f64 * others as f64 / SESSIONS as f64)
    }
}

enum Happening {
    Begin(usize),
    Ask(usize, Vec<EndpointId>),
    Answer(usize, Check, bool),
    Connected(usize, Lease),
    Refused(usize, Lease, Vec<EndpointId>),
    End(usize, u64),
    Measure,
    Kill,
    MeasureWithout,
    Return,
}

struct Connector {
    balancer: Balancer,
    listener: ListenerId,
    /// Its sessions, by number: where each is.
    open: BTreeMap<u64, Lease>,
    on: Vec<BTreeSet<u64>>,
    due: Duration,
}

struct World {
    dice: Dice,
    agenda: Agenda<Happening>,
    connectors: Vec<Connector>,
    due: BTreeSet<(Duration, usize)>,
    ids: Vec<EndpointId>,
    sessions: Vec<usize>,
    /// The last of them, while it does not run.
    dead: Option<usize>,
    begun: u64,
    now: Duration,
    start: Instant,
    seen: Growth,
}

/// Lives through ten minutes with so many servers.
pub(crate) fn grow(servers: usize, policy: Policy) -> Growth {
    let mut world = World::new(servers, policy);
    world.run();
    world.seen
}

impl World {
    fn new(servers: usize, policy: Policy) -> Self {
        let start = Instant::now();
        let list: Vec<_> = (0..servers)
            .map(|n| Endpoint::new(format!("server-{n}")))
            .collect();
        let connector = |n: u64| {
            let mut balancer = Balancer::new(CHECKS, n + 1, start).unwrap();
            let listener = balancer.listen(Listener {
                policy,
                ..Listener::new(Target::Any)
            });
            balancer.replace(start, &list).unwrap();
            Connector {
                balancer,
                listener,
                open: BTreeMap::new(),
                on: vec![BTreeSet::new(); servers],
                due: Duration::ZERO,
            }
        };
        let mut connectors: Vec<_> = (0..CONNECTORS as u64).map(connector).collect();
        let ids = connectors[0]
            .balancer
            .endpoints(start)
            .map(|status| status.endpoint);
        let ids = ids.collect();
        let mut world = Self {
            dice: Dice::new(crate::SEED),
            agenda: Agenda::new(),
            due: (0..CONNECTORS).map(|n| (Duration::ZERO, n)).collect(),
            connectors,
            ids,
            sessions: vec![0; servers],
            dead: None,
            begun: 0,
            now: Duration::ZERO,
            start,
            seen: Growth {
                servers,
                policy,
                least: 0,
                most: 0,
                most_without: 0,
                failed: 0,
                returned: None,
                waited: 0,
            },
        };
        world.plan_all();
        world
    }

    fn plan_all(&mut self) {
        for session in 0..SESSIONS {
            let when = self.dice.between(&(Duration::from_secs(1)..START));
            self.agenda
                .plan(when, Happening::Begin(session % CONNECTORS));
        }
        self.agenda
            .plan(KILLED - Duration::from_millis(1), Happening::Measure);
        self.agenda.plan(KILLED, Happening::Kill);
        self.agenda
            .plan(KILLED + SETTLED, Happening::MeasureWithout);
        self.agenda.plan(BACK, Happening::Return);
    }

    fn run(&mut self) {
        while self.now < END {
            let (wake, connector) = *self.due.first().unwrap();
            if let Some((when, happening)) = self.agenda.next(wake.min(END)) {
                self.now = when;
                self.happen(happening);
            } else {
                self.now = self.now.max(wake);
                let clock = self.clock();
                self.connectors[connector].balancer.tick(clock);
                self.drain(connector);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        let clock = self.clock();
        match happening {
            Happening::Begin(n) => self.ask(n, Vec::new()),
            Happening::Ask(n, tried) => self.ask(n, tried),
            Happening::Answer(n, check, answered) => {
                let outcome = if answered {
                    Outcome::Reported(Report::default())
                } else {
                    Outcome::Failed
                };
                self.connectors[n].balancer.checked(clock, &check, outcome);
                self.drain(n);
            }
            Happening::Connected(n, lease) => self.connected(n, lease),
            Happening::Refused(n, lease, mut tried) => {
                self.seen.failed += 1;
                tried.push(lease.endpoint());
                self.connectors[n].balancer.failed(clock, lease);
                self.drain(n);
                self.ask(n, tried);
            }
            Happening::End(n, session) => {
                if self.end(n, session, Ending::Finished) {
                    self.ask(n, Vec::new());
                }
            }
            Happening::Measure => {
                self.seen.least = self.sessions.iter().min().copied().unwrap();
                self.seen.most = self.sessions.iter().max().copied().unwrap();
            }
            Happening::Kill => self.kill(),
            Happening::MeasureWithout => {
                self.seen.most_without = self.sessions.iter().max().copied().unwrap()
            }
            Happening::Return => self.dead = None,
        }
    }

    fn ask(&mut self, n: usize, tried: Vec<EndpointId>) {
        let clock = self.clock();
        let connector = &mut self.connectors[n];
        let choice = connector.balancer.choose(clock, connector.listener, &tried);
        match choice {
            Choice::Use(lease) if self.dead == Some(self.place(&lease)) => {
                self.after(REFUSED, Happening::Refused(n, lease, tried));
            }
            Choice::Use(lease) => self.after(CONNECT, Happening::Connected(n, lease)),
            _ => {
                self.seen.waited += 1;
                self.after(Duration::from_secs(1), Happening::Ask(n, Vec::new()));
            }
        }
        self.drain(n);
    }

    fn connected(&mut self, n: usize, lease: Lease) {
        let (clock, place) = (self.clock(), self.place(&lease));
        let connector = &mut self.connectors[n];
        connector.balancer.connected(clock, &lease, CONNECT);
        self.begun += 1;
        connector.open.insert(self.begun, lease);
        connector.on[place].insert(self.begun);
        self.sessions[place] += 1;
        let lasts = self.dice.between(&LASTS);
        self.after(lasts, Happening::End(n, self.begun));
        if self.dead == Some(place) {
            self.end(n, self.begun, Ending::Lost);
            self.ask(n, Vec::new());
        }
        self.watch_return(place);
        self.drain(n);
    }

    fn watch_return(&mut self, place: usize) {
        let is_back = place + 1 == self.sessions.len() && self.now > BACK;
        let share = SESSIONS / self.sessions.len();
        if is_back && self.seen.returned.is_none() && self.sessions[place] * 10 >= share * 9 {
            self.seen.returned = Some(self.now - BACK);
        }
    }

    fn end(&mut self, n: usize, session: u64, ending: Ending) -> bool {
        let clock = self.clock();
        let Some(lease) = self.connectors[n].open.remove(&session) else {
            return false;
        };
        let place = self.place(&lease);
        self.connectors[n].on[place].remove(&session);
        self.sessions[place] -= 1;
        self.connectors[n].balancer.ended(clock, lease, ending);
        self.drain(n);
        true
    }

    fn kill(&mut self) {
        let place = self.sessions.len() - 1;
        self.dead = Some(place);
        for n in 0..CONNECTORS {
            for session in std::mem::take(&mut self.connectors[n].on[place]) {
                self.end(n, session, Ending::Lost);
                self.ask(n, Vec::new());
            }
        }
    }

    fn drain(&mut self, n: usize) {
        while let Some(output) = self.connectors[n].balancer.next_output() {
            match output {
                Output::Check(check) => {
                    let answers = self.dead != Some(self.position(check.endpoint));
                    let after = if answers { CONNECT } else { REFUSED };
                    self.after(after, Happening::Answer(n, check, answers));
                }
                Output::Event(event) => {
                    assert!(self.dead.is_some() || !matches!(event.change, Change::Down { .. }));
                }
                _ => unreachable!("nobody queues"),
            }
        }
        let clock = self.clock();
        let connector = &mut self.connectors[n];
        let due = connector
            .balancer
            .next_due()
            .expect("endpoints are checked for ever");
        let due = self.now + due.saturating_duration_since(clock);
        self.due.remove(&(connector.due, n));
        connector.due = due;
        self.due.insert((due, n));
    }

    fn place(&self, lease: &Lease) -> usize {
        self.position(lease.endpoint())
    }

    fn position(&self, endpoint: EndpointId) -> usize {
        self.ids.iter().position(|id| *id == endpoint).unwrap()
    }

    fn after(&mut self, pause: Duration, happening: Happening) {
        self.agenda.plan(self.now + pause, happening);
    }

    fn clock(&self) -> Instant {
        self.start + self.now
    }
}
