//! The listeners and the servers, as operators see them: `GET /v1/servers`. What each field means is in
//! docs/balancing.md.

use std::time::{Duration, SystemTime};

use chooser::settings::{Bind, LagLimit, Policy, Target};
use chooser::{Availability, Known, Noted, Role, State};
use control::{DatabaseRole, Standing};
use serde::Serialize;
use tunnel::rfc3339;

use crate::address::Address;
use crate::config::Config;
use crate::running;
use crate::servers::Server;
use crate::shared::Shared;

/// An address where applications connect, and what their sessions need.
#[derive(Debug, Clone, Serialize)]
pub struct Listening {
    address: String,
    target: Target,
    policy: Policy,
    max_lag: Option<LagLimit>,
    fallback_to_primary: bool,
}

impl Listening {
    /// Those of the configuration, in its order.
    #[must_use]
    pub fn all(config: &Config) -> Vec<Self> {
        let balance = &config.balance;
        let listening = |bind: &Bind<Address>| Self {
            address: bind.address.to_string(),
            target: bind.needs.target.unwrap_or(balance.target),
            policy: bind.needs.policy.unwrap_or(balance.policy),
            max_lag: bind.needs.max_lag.or(balance.max_lag),
            fallback_to_primary: bind
                .needs
                .fallback_to_primary
                .unwrap_or(balance.fallback_to_primary),
        };
        config.listen.0.iter().map(listening).collect()
    }
}

/// All of it.
#[derive(Serialize)]
pub struct View {
    version: &'static str,
    /// After RFC 3339, as all moments here.
    now: String,
    listeners: Vec<ListenerView>,
    servers: Vec<ServerView>,
}

#[derive(Serialize)]
struct ListenerView {
    #[serde(flatten)]
    listening: Listening,
    sessions: usize,
    queued: usize,
    served_by: Vec<String>,
}

#[derive(Serialize)]
struct ServerView {
    address: String,
    state: &'static str,
    state_for_ms: Option<u64>,
    speaks: bool,
    #[serde(flatten)]
    database: Database,
    availability: control::Availability,
    distrusted: bool,
    weight: Option<u32>,
    backup: bool,
    max_connections: Option<u32>,
    sessions: usize,
    everybodys_sessions: Option<u64>,
    connect_ms: Option<u64>,
    warm_tunnels: usize,
    checks_failed: u64,
    connects_failed: u64,
    last_failure: Option<Told>,
    last_change: Option<Told>,
}

#[derive(Serialize, Default)]
struct Database {
    role: Option<DatabaseRole>,
    timeline: Option<u32>,
    lag_bytes: Option<u64>,
    lag_ms: Option<u64>,
}

#[derive(Serialize)]
struct Told {
    at: String,
    what: String,
}

/// How it is at this moment.
#[must_use]
pub fn view(shared: &Shared) -> View {
    let chooser = shared.servers.ways().chooser();
    let known = chooser.map(|it| it.known());
    let sessions = shared.running.view();
    let server = |server: &Server| {
        let here = on(&sessions, |it| it.server == server.address);
        match &known {
            None => ServerView::alone(server, here),
            Some(known) => {
                let found = known.iter().find(|it| *it.status.name == server.address);
                found.map_or_else(
                    // It was put on the list this moment.
                    || ServerView::new(server, "new", here),
                    |known| ServerView::known(server, known),
                )
            }
        }
    };
    let servers: Vec<_> = shared.servers.list().iter().map(|it| server(it)).collect();
    let listener = |(number, listening): (usize, &Listening)| ListenerView {
        listening: listening.clone(),
        sessions: on(&sessions, |it| it.listener == listening.address),
        queued: chooser.map_or(0, |it| it.queued(number)),
        served_by: match chooser {
            Some(chooser) => chooser
                .served_by(number)
                .iter()
                .map(ToString::to_string)
                .collect(),
            None => servers.iter().map(|it| it.address.clone()).collect(),
        },
    };
    let listeners = shared.listeners.iter().enumerate().map(listener).collect();
    View {
        version: env!("CARGO_PKG_VERSION"),
        now: rfc3339(SystemTime::now()),
        listeners,
        servers,
    }
}

fn on(sessions: &[running::View], is: impl Fn(&running::View) -> bool) -> usize {
    sessions.iter().filter(|it| is(it)).count()
}

impl ServerView {
    fn new(server: &Server, state: &'static str, sessions: usize) -> Self {
        Self {
            address: server.address.clone(),
            state,
            state_for_ms: None,
            speaks: server.says().is_some(),
            database: Database::default(),
            availability: control::Availability::default(),
            distrusted: false,
            weight: None,
            backup: false,
            max_connections: None,
            sessions,
            everybodys_sessions: None,
            connect_ms: None,
            warm_tunnels: server.warm.count(),
            checks_failed: 0,
            connects_failed: 0,
            last_failure: None,
            last_change: None,
        }
    }

    /// The only one there is: nobody checks it, and what it says of itself is all that is known.
    fn alone(server: &Server, sessions: usize) -> Self {
        let view = Self::new(server, "unchecked", sessions);
        let Some(standing) = server.says() else {
            return view;
        };
        Self {
            availability: standing.availability,
            everybodys_sessions: Some(standing.sessions),
            database: Database::said(&standing),
            ..view
        }
    }

    /// One of several.
    fn known(server: &Server, known: &Known) -> Self {
        let status = &known.status;
        let sessions = usize::try_from(status.sessions).unwrap_or(usize::MAX);
        Self {
            state_for_ms: Some(milliseconds(status.state_for)),
            database: status.role.into(),
            availability: availability(status.availability),
            distrusted: status.distrusted,
            weight: Some(status.weight),
            backup: status.backup,
            max_connections: status.max_connections,
            everybodys_sessions: status.everybodys_sessions,
            connect_ms: status.latency.map(milliseconds),
            checks_failed: known.checks_failed,
            connects_failed: known.connects_failed,
            last_failure: known.last_failure.as_ref().map(Told::from),
            last_change: known.last_change.as_ref().map(Told::from),
            ..Self::new(server, state(status.state), sessions)
        }
    }
}

impl Database {
    fn said(standing: &Standing) -> Self {
        let database = standing.database.as_ref();
        database.map_or_else(Self::default, |it| Self {
            role: Some(it.role),
            timeline: Some(it.timeline),
            lag_bytes: None,
            lag_ms: it.delay_ms,
        })
    }
}

impl From<Role> for Database {
    fn from(role: Role) -> Self {
        match role {
            Role::Unknown => Self::default(),
            Role::Primary { timeline } => Self {
                role: Some(DatabaseRole::Primary),
                timeline: Some(timeline),
                ..Self::default()
            },
            Role::Replica { lag } => Self {
                role: Some(DatabaseRole::Replica),
                timeline: None,
                lag_bytes: lag.bytes,
                lag_ms: lag.time.map(milliseconds),
            },
        }
    }
}

impl From<&Noted> for Told {
    fn from(noted: &Noted) -> Self {
        Self {
            at: rfc3339(noted.at),
            what: noted.what.clone(),
        }
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Up => "up",
        State::Down => "down",
    }
}

fn availability(availability: Availability) -> control::Availability {
    match availability {
        Availability::Accepting => control::Availability::Accepting,
        Availability::Draining => control::Availability::Draining,
        Availability::Refusing => control::Availability::Refusing,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
