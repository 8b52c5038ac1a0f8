//! What a balancer knows of each endpoint, for a page or a metric.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balancer::Balancer;
use crate::clock::Moment;
use crate::event::EndpointId;
use crate::health::State;
use crate::member::Member;
use crate::role::{Availability, Role};

/// What is known of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which.
    pub endpoint: EndpointId,
    /// Its name.
    pub name: Arc<str>,
    /// As configured.
    pub weight: u32,
    /// As configured.
    pub backup: bool,
    /// As configured.
    pub max_connections: Option<u32>,
    /// Whether it is up.
    pub state: State,
    /// For how long.
    pub state_for: Duration,
    /// What its database is.
    pub role: Role,
    /// How long ago it said something of itself; nothing if it never did.
    pub heard_ago: Option<Duration>,
    /// Something speaks against its database: it was primary by its last word, and a newer one was
    /// promoted, say.
    pub distrusted: bool,
    /// Whether it takes new sessions.
    pub availability: Availability,
    /// How many sessions it has from here.
    pub sessions: u32,
    /// How many it has from everybody, if it says so.
    pub everybodys_sessions: Option<u64>,
    /// How long connecting took, peaks first; nothing before the first session.
    pub latency: Option<Duration>,
}

impl Balancer {
    /// All endpoints, in the order in which they were listed first.
    pub fn endpoints(&mut self, now: Instant) -> impl Iterator<Item = Status> + '_ {
        let now = self.advance(now);
        self.members.iter().map(move |member| status(member, now))
    }
}

fn status(member: &Member, now: Moment) -> Status {
    Status {
        endpoint: member.id,
        name: member.name.clone(),
        weight: member.settings.weight,
        backup: member.settings.backup,
        max_connections: member.settings.max_connections,
        state: member.health.state(),
        state_for: now.since(member.health.since()),
        role: member.role,
        heard_ago: member.heard.map(|heard| now.since(heard)),
        distrusted: member.distrusted,
        availability: member.availability(),
        sessions: member.sessions,
        everybodys_sessions: member.everybodys_sessions(),
        latency: member.latency.latest(),
    }
}
