//! What is written down of a day, to be judged and drawn.

use std::time::Duration;

use crate::world::Fault;

/// A fault, and when the balancer knew. All times are the world's, since its start.
#[derive(Debug)]
pub(crate) struct Outage {
    pub(crate) server: usize,
    pub(crate) fault: Fault,
    pub(crate) began: Duration,
    pub(crate) ended: Option<Duration>,
    pub(crate) noticed: Option<Duration>,
    pub(crate) back: Option<Duration>,
    /// Sessions of the first listener that others got, after its return and slow start, before it did.
    pub(crate) turns_missed: u64,
    pub(crate) served: bool,
}

/// What each listener saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connected: u64,
    pub(crate) failed_attempts: u64,
    pub(crate) gave_up: u64,
    /// From asking to being connected, without stalls.
    pub(crate) waits: Vec<Duration>,
    /// By server.
    pub(crate) sessions: Vec<u64>,
    /// What weights make of those servers that were fine.
    pub(crate) fair: Vec<f64>,
    /// Sessions that went to a slow server, and would have by weight.
    pub(crate) slow: u64,
    pub(crate) fair_slow: f64,
}

impl Seen {
    /// The sessions of each server, against what its weight makes of its health.
    pub(crate) fn shares(&self) -> impl Iterator<Item = f64> + '_ {
        let share = |(sessions, fair): (&u64, &f64)| *sessions as f64 / fair;
        self.sessions.iter().zip(&self.fair).map(share)
    }
}
