//! A day of the fleet under one balancer: what happens when, and what was seen. Nothing is judged here
//! but that no session is sent where it must not go.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

use pgseal_balancer::{
    Balancer, Change, Check, Checks, Choice, Ending, Endpoint, EndpointId, Event, Lease, Listener,
    ListenerId, Outcome, Output, Policy, Report, Role, Target,
};

use crate::agenda::Agenda;
use crate::seen::{Outage, Seen};
use crate::world::{Answer, Fault, World};

pub(crate) const SERVERS: usize = 50;
pub(crate) const SESSIONS: u64 = 100_000;
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const CHECKS: Checks = Checks {
    interval: Duration::from_secs(2),
    down_interval: Duration::from_millis(500),
    timeout: Duration::from_millis(500),
    fall: 2,
    rise: 2,
    slow_start: Duration::from_secs(10),
};

/// The connector's patience with one connect.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const WAIT_FOR_PRIMARY: Duration = Duration::from_secs(10);
/// How often a session that waits for a primary asks again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
const HEALTHY: Range<Duration> = minutes(20)..minutes(100);
const FAULTY: Range<Duration> = Duration::from_secs(5)..minutes(5);
const SESSION: Range<Duration> = Duration::from_secs(1)..minutes(10);
const STALL: Range<Duration> = Duration::from_secs(1)..Duration::from_secs(60);
const LEAP: Range<Duration> = Duration::from_millis(1)..minutes(60);
/// A primary is replaced when it has not answered for so long, and learns of it so long after its return.
const FAILOVER: Duration = Duration::from_secs(5);
const DENIAL: Duration = Duration::from_secs(3);
const LEAPS: u64 = 60;
const STALLS: u64 = 30;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// Who asks, in tenths of all sessions.
pub(crate) const LISTENERS: [(Target, Policy, u64); 4] = [
    (Target::Any, Policy::RoundRobin, 4),
    (Target::Any, Policy::LeastConnections, 3),
    (Target::Any, Policy::PeakEwma, 2),
    (Target::Primary, Policy::RoundRobin, 1),
];

enum Happening {
    Fault(usize),
    Repair(usize),
    Promote,
    Demote(usize),
    Answer(Check, Outcome),
    Arrive,
    Ask(Session),
    Connected(Lease, Session, Duration),
    Refused(Lease, Session),
    End(u64),
    Leap,
    Stall,
}

struct Session {
    number: u64,
    listener: usize,
    arrived: Duration,
    tried: Vec<EndpointId>,
}

pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) outages: Vec<Outage>,
    pub(crate) seen: [Seen; LISTENERS.len()],
    /// What the balancer said, and when.
    pub(crate) events: Vec<(Duration, usize, Change)>,
    /// When nobody ran, and for how long.
    pub(crate) stalls: Vec<(Duration, Duration)>,
    pub(crate) leaps: Vec<Duration>,
    pub(crate) checks: u64,
    balancer: Balancer,
    listeners: Vec<ListenerId>,
    places: HashMap<EndpointId, usize>,
    up: Vec<bool>,
    /// Outages that are over, of servers that wait for their first session.
    returning: Vec<usize>,
    /// The timeline on which each claimed to be primary by what was heard of it last.
    claims: Vec<u32>,
    agenda: Agenda<Happening>,
    now: Duration,
    /// The balancer's clock is the world's, and this much off.
    start: Instant,
    ahead: i128,
    arrived: u64,
    open: BTreeMap<u64, Lease>,
    on: Vec<Vec<u64>>,
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        // Far enough from the system's epoch for a clock that is set back again and again.
        let start = Instant::now() + 100 * DAY;
        let world = World::new(SERVERS, seed);
        let mut balancer = Balancer::new(CHECKS, seed, start).unwrap();
        let listeners = LISTENERS.map(|(target, policy, _)| {
            balancer.listen(Listener {
                policy,
                ..Listener::new(target)
            })
        });
        let list: Vec<_> = world
            .servers
            .iter()
            .map(|server| Endpoint {
                weight: server.weight,
                ..Endpoint::new(&server.name)
            })
            .collect();
        balancer.replace(start, &list).unwrap();
        let ids = balancer.endpoints(start).map(|status| status.endpoint);
        let places = ids.zip(0..).collect();
        let seen = LISTENERS.map(|_| Seen {
            sessions: vec![0; SERVERS],
            fair: vec![0.0; SERVERS],
            ..Seen::default()
        });
        Self {
            world,
            outages: Vec::new(),
            seen,
            events: Vec::new(),
            stalls: Vec::new(),
            leaps: Vec::new(),
            checks: 0,
            balancer,
            listeners: listeners.to_vec(),
            places,
            up: vec![false; SERVERS],
            returning: Vec::new(),
            claims: vec![0; SERVERS],
            agenda: Agenda::new(),
            now: Duration::ZERO,
            start,
            ahead: 0,
            arrived: 0,
            open: BTreeMap::new(),
            on: vec![Vec::new(); SERVERS],
        }
    }

    /// Lives through the day, and on until the last session has ended.
    pub(crate) fn through_the_day(&mut self) {
        for server in 0..SERVERS {
            let after = self.world.dice.between(&HEALTHY);
            self.agenda.plan(after, Happening::Fault(server));
        }
        for _ in 0..LEAPS {
            let when = self.world.dice.between(&(Duration::ZERO..DAY));
            self.agenda.plan(when, Happening::Leap);
        }
        for _ in 0..STALLS {
            let when = self.world.dice.between(&(Duration::ZERO..DAY));
            self.agenda.plan(when, Happening::Stall);
        }
        self.agenda
            .plan(Duration::from_millis(100), Happening::Arrive);
        while self.now < DAY + 2 * SESSION.end {
            let wake = self.wake();
            if let Some((when, happening)) = self.agenda.next(wake) {
                self.now = self.now.max(when);
                self.happen(happening);
            } else {
                self.now = self.now.max(wake);
                self.balancer.tick(self.clock());
            }
            self.drain();
        }
        let mut endpoints = self.balancer.endpoints(self.start);
        assert!(endpoints.all(|status| status.sessions == 0));
    }

    /// How much of this time the balancer's process ran.
    pub(crate) fn running(&self, from: Duration, to: Duration) -> Duration {
        let stalled = |(when, stall): &(Duration, Duration)| {
            (*when + *stall).min(to).saturating_sub((*when).max(from))
        };
        to.saturating_sub(from) - self.stalls.iter().map(stalled).sum::<Duration>()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Fault(server) => self.fault(server),
            Happening::Repair(server) => self.repair(server),
            Happening::Promote => {
                if !self.world.is_fine(self.world.primary()) {
                    self.world.promote();
                }
            }
            Happening::Demote(server) => self.world.demote(server),
            Happening::Answer(check, outcome) => self.answer(&check, outcome),
            Happening::Arrive => self.arrive(),
            Happening::Ask(session) => self.ask(session),
            Happening::Connected(lease, session, latency) => {
                self.connected(lease, &session, latency);
            }
            Happening::Refused(lease, mut session) => {
                self.seen[session.listener].failed_attempts += 1;
                session.tried.push(lease.endpoint());
                self.balancer.failed(self.clock(), lease);
                self.ask(session);
            }
            Happening::End(number) => self.end(number, Ending::Finished),
            Happening::Leap => {
                let leap = self.world.dice.between(&LEAP).as_micros().cast_signed();
                self.ahead += if self.world.dice.below(2) == 0 {
                    leap
                } else {
                    -leap
                };
                self.leaps.push(self.now);
                self.balancer.tick(self.clock());
            }
            Happening::Stall => {
                let stall = self.world.dice.between(&STALL);
                self.stalls.push((self.now, stall));
                self.now += stall;
            }
        }
    }

    fn fault(&mut self, server: usize) {
        let fault = Fault::ALL[usize::try_from(self.world.dice.below(4)).unwrap()];
        self.world.servers[server].fault = Some(fault);
        self.outages.push(Outage {
            server,
            fault,
            began: self.now,
            ended: None,
            noticed: None,
            back: None,
            turns_missed: 0,
            served: false,
        });
        let lasts = self.world.dice.between(&FAULTY);
        self.after(lasts, Happening::Repair(server));
        if fault == Fault::Killed {
            for number in std::mem::take(&mut self.on[server]) {
                self.end(number, Ending::Lost);
            }
        }
        if fault.is_hard() && server == self.world.primary() {
            self.after(FAILOVER, Happening::Promote);
        }
    }

    fn repair(&mut self, server: usize) {
        self.world.servers[server].fault = None;
        let now = self.now;
        if let Some(outage) = self.outages.iter_mut().rfind(|o| o.server == server) {
            outage.ended = Some(now);
        }
        self.after(DENIAL, Happening::Demote(server));
        let healthy = self.world.dice.between(&HEALTHY);
        if now + healthy < DAY {
            self.after(healthy, Happening::Fault(server));
        }
    }

    fn answer(&mut self, check: &Check, outcome: Outcome) {
        if let Outcome::Reported(report) = outcome {
            let claim = &mut self.claims[self.places[&check.endpoint]];
            match report.role {
                Role::Primary { timeline } => *claim = timeline,
                Role::Replica { .. } => *claim = 0,
                Role::Unknown => {}
            }
        }
        self.balancer.checked(self.clock(), check, outcome);
    }

    fn arrive(&mut self) {
        let number = self.arrived;
        self.arrived += 1;
        let mut tenth = number % 10;
        let mut listener = 0;
        while tenth >= LISTENERS[listener].2 {
            tenth -= LISTENERS[listener].2;
            listener += 1;
        }
        if self.arrived < SESSIONS {
            let pause = DAY / u32::try_from(SESSIONS).unwrap();
            let slot = pause * u32::try_from(self.arrived).unwrap();
            let when = slot + self.world.dice.between(&(Duration::ZERO..pause));
            self.agenda.plan(when, Happening::Arrive);
        }
        self.ask(Session {
            number,
            listener,
            arrived: self.now,
            tried: Vec::new(),
        });
    }

    fn ask(&mut self, mut session: Session) {
        let listener = self.listeners[session.listener];
        let clock = self.clock();
        match self.balancer.choose(clock, listener, &session.tried) {
            Choice::Use(lease) => self.connect(lease, session),
            Choice::NoPrimary if self.running(session.arrived, self.now) < WAIT_FOR_PRIMARY => {
                session.tried.clear();
                self.after(ASK_AGAIN, Happening::Ask(session));
            }
            other => {
                println!("{:?}: session {} got {other:?}", self.now, session.number);
                self.seen[session.listener].gave_up += 1;
            }
        }
    }

    fn connect(&mut self, lease: Lease, session: Session) {
        let server = self.places[&lease.endpoint()];
        assert!(self.up[server], "{} was known to be down", lease.name());
        assert!(!session.tried.contains(&lease.endpoint()));
        if LISTENERS[session.listener].0 == Target::Primary {
            let newest = self.claims.iter().max().copied();
            assert_eq!(Some(self.claims[server]), newest, "an older primary");
        }
        self.count(server, session.listener);
        match self.world.answer(server) {
            Answer::Comes(latency) if latency < CONNECT_TIMEOUT => {
                self.after(latency, Happening::Connected(lease, session, latency));
            }
            Answer::Refused(latency) => self.after(latency, Happening::Refused(lease, session)),
            Answer::Comes(_) | Answer::Never => {
                self.after(CONNECT_TIMEOUT, Happening::Refused(lease, session));
            }
        }
    }

    /// Who got a session, and who should have.
    fn count(&mut self, server: usize, listener: usize) {
        let seen = &mut self.seen[listener];
        seen.sessions[server] += 1;
        let servers = &self.world.servers;
        let fine = |n: &usize| !servers[*n].fault.is_some_and(Fault::is_hard);
        let is_slow = |n: usize| servers[n].fault == Some(Fault::Slow);
        let sum: u32 = (0..SERVERS).filter(fine).map(|n| servers[n].weight).sum();
        for n in (0..SERVERS).filter(fine) {
            let fair = f64::from(servers[n].weight) / f64::from(sum);
            seen.fair[n] += fair;
            if is_slow(n) {
                seen.fair_slow += fair;
            }
        }
        seen.slow += u64::from(is_slow(server));
        if listener == 0 {
            self.count_turns(server);
        }
    }

    fn count_turns(&mut self, server: usize) {
        let (now, outages, up) = (self.now, &mut self.outages, &self.up);
        self.returning.retain(|place| {
            let outage = &mut outages[*place];
            let rested = outage
                .back
                .is_some_and(|back| back + CHECKS.slow_start <= now);
            outage.served = outage.served || rested && outage.server == server;
            outage.turns_missed += u64::from(rested && !outage.served);
            !outage.served && up[outage.server]
        });
    }

    fn connected(&mut self, lease: Lease, session: &Session, latency: Duration) {
        let server = self.places[&lease.endpoint()];
        self.balancer.connected(self.clock(), &lease, latency);
        let waited = self.running(session.arrived, self.now);
        let seen = &mut self.seen[session.listener];
        seen.connected += 1;
        seen.waits.push(waited);
        self.open.insert(session.number, lease);
        self.on[server].push(session.number);
        let lasts = self.world.dice.between(&SESSION);
        self.after(lasts, Happening::End(session.number));
    }

    fn end(&mut self, number: u64, ending: Ending) {
        if let Some(lease) = self.open.remove(&number) {
            let server = self.places[&lease.endpoint()];
            self.on[server].retain(|n| *n != number);
            self.balancer.ended(self.clock(), lease, ending);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.balancer.next_output() {
            match output {
                Output::Check(check) => self.check(check),
                Output::Event(event) => self.event(&event),
                Output::Granted(..) | Output::Expired(_) | Output::Deserted(_) => {
                    unreachable!("nobody queues")
                }
            }
        }
    }

    fn check(&mut self, check: Check) {
        self.checks += 1;
        let server = self.places[&check.endpoint];
        match self.world.answer(server) {
            Answer::Comes(latency) => {
                let report = Report {
                    role: self.world.servers[server].role,
                    ..Report::default()
                };
                let answer = Happening::Answer(check, Outcome::Reported(report));
                self.after(latency, answer);
            }
            Answer::Refused(latency) => {
                self.after(latency, Happening::Answer(check, Outcome::Failed));
            }
            Answer::Never => {}
        }
    }

    fn event(&mut self, event: &Event) {
        let server = self.places[&event.endpoint];
        let now = self.now;
        let place = self.outages.iter().rposition(|o| o.server == server);
        match event.change {
            Change::Up => {
                self.up[server] = true;
                if let Some(place) = place {
                    self.outages[place].back.get_or_insert(now);
                    self.returning.push(place);
                }
            }
            Change::Down { .. } => {
                self.up[server] = false;
                if let Some(place) = place {
                    self.outages[place].noticed.get_or_insert(now);
                }
                // As a connector does: its sessions there end with an error.
                for number in std::mem::take(&mut self.on[server]) {
                    self.end(number, Ending::Finished);
                }
            }
            _ => {}
        }
        self.events.push((now, server, event.change.clone()));
    }

    fn after(&mut self, pause: Duration, happening: Happening) {
        self.agenda.plan(self.now + pause, happening);
    }

    /// What the balancer's clock shows now.
    fn clock(&self) -> Instant {
        let ahead = Duration::from_micros(self.ahead.unsigned_abs().try_into().unwrap());
        if self.ahead < 0 {
            self.start + self.now - ahead
        } else {
            self.start + self.now + ahead
        }
    }

    /// When the balancer wants to be asked, in the world's time.
    fn wake(&mut self) -> Duration {
        let clock = self.clock();
        let due = self
            .balancer
            .next_due()
            .expect("endpoints are checked for ever");
        self.now + due.saturating_duration_since(clock)
    }
}
