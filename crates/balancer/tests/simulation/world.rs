//! The simulated fleet: servers that fail and recover, who is primary, and chance. It knows nothing of
//! the balancer.

use std::ops::Range;
use std::time::Duration;

use pgseal_balancer::{Lag, Role};

/// Chance, repeatable. Only integers come out of it, so a run is the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // Xorshift64* (Vigna 2014).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        u64::try_from((u128::from(word) * u128::from(bound)) >> 64).unwrap()
    }

    /// To the microsecond.
    pub(crate) fn between(&mut self, range: &Range<Duration>) -> Duration {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap();
        let (low, high) = (micros(range.start), micros(range.end));
        Duration::from_micros(low + self.below(high - low))
    }
}

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its process is gone: whoever connects is refused.
    Killed,
    /// The network drops what is sent to it.
    Dropped,
    /// It takes connections and answers nothing.
    Hung,
    /// It answers, a hundred times later than it should.
    Slow,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Killed, Self::Dropped, Self::Hung, Self::Slow];

    pub(crate) fn is_hard(self) -> bool {
        self != Self::Slow
    }
}

/// What a connect or a check meets.
pub(crate) enum Answer {
    Comes(Duration),
    Refused(Duration),
    Never,
}

pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) weight: u32,
    pub(crate) fault: Option<Fault>,
    /// What its database takes itself for.
    pub(crate) role: Role,
    latency: Duration,
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) servers: Vec<Server>,
    pub(crate) timeline: u32,
}

impl World {
    pub(crate) fn new(servers: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let servers = (0..servers)
            .map(|n| Server {
                name: format!("server-{:02}", n + 1),
                weight: [1, 2, 4][n % 3],
                fault: None,
                role: if n == 0 {
                    Role::Primary { timeline: 1 }
                } else {
                    follower()
                },
                latency: dice.between(&(Duration::from_millis(1)..Duration::from_millis(4))),
            })
            .collect();
        Self {
            dice,
            servers,
            timeline: 1,
        }
    }

    pub(crate) fn answer(&mut self, server: usize) -> Answer {
        let latency = self.servers[server].latency;
        let latency = latency + self.dice.between(&(Duration::ZERO..latency / 4));
        match self.servers[server].fault {
            None => Answer::Comes(latency),
            Some(Fault::Slow) => Answer::Comes(latency * 80),
            Some(Fault::Killed) => Answer::Refused(latency / 4),
            Some(Fault::Dropped | Fault::Hung) => Answer::Never,
        }
    }

    pub(crate) fn is_fine(&self, server: usize) -> bool {
        !self.servers[server].fault.is_some_and(Fault::is_hard)
    }

    pub(crate) fn primary(&self) -> usize {
        let newest = Role::Primary {
            timeline: self.timeline,
        };
        let place = self.servers.iter().position(|s| s.role == newest);
        place.expect("somebody was promoted to this timeline")
    }

    /// Makes a server that is fine the primary. The old one does not know of it.
    pub(crate) fn promote(&mut self) {
        let fine: Vec<_> = (0..self.servers.len())
            .filter(|n| self.servers[*n].fault.is_none() && *n != self.primary())
            .collect();
        let chosen = usize::try_from(self.dice.below(fine.len() as u64)).unwrap();
        self.timeline += 1;
        self.servers[fine[chosen]].role = Role::Primary {
            timeline: self.timeline,
        };
    }

    /// A primary that was replaced learns of it.
    pub(crate) fn demote(&mut self, server: usize) {
        if server != self.primary() {
            self.servers[server].role = follower();
        }
    }
}

fn follower() -> Role {
    Role::Replica {
        lag: Lag {
            bytes: Some(0),
            time: None,
        },
    }
}
