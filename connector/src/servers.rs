//! The servers that this connector knows, and which of them is asked: for a session, a cancel
//! request, the control API.
//!
//! Who is up, and who serves best, is `chooser`'s. `fleet` is the list and checks one of it, `listed` is
//! what an operator writes, `warm` keeps tunnels open for sessions to come.
//!
//! Where one `server` is configured and it may be anything, there is nothing to choose: no check is
//! made, and a session goes there whatever is known of it.

mod fleet;
mod listed;
pub mod warm;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use chooser::{Chooser, Endpoint, State, Ways};
use control::{Answer, ClientError, Standing};
use tokio::sync::watch;
use tunnel::ClientTls;

use crate::config::Config;
use crate::metrics::Metrics;
pub use crate::servers::fleet::Fleet;
pub use crate::servers::listed::Listed;
use crate::servers::warm::Warm;

/// What servers are told of who asks.
const PROGRAM: &str = concat!("pgseal-connector/", env!("CARGO_PKG_VERSION"));

/// One server.
pub struct Server {
    /// Where its sessions go: `host:port`.
    pub address: String,
    /// Where its control API is.
    control_address: String,
    /// Its control API.
    pub control: control::Client,
    /// The same, for as long as a check may take.
    pub checked: control::Client,
    /// Tunnels that wait for a session.
    pub warm: Warm,
    /// What it says of itself, while it speaks.
    says: Mutex<Option<Standing>>,
    /// False once it is not listed any more.
    listed: watch::Sender<bool>,
}

/// All of them.
pub struct Servers {
    fleet: Fleet,
    ways: Ways<Fleet>,
    tls: Arc<ClientTls>,
    connect_timeout: Duration,
    check_timeout: Duration,
}

/// Which of them a request may reach twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing: any that does not answer is asked again elsewhere.
    Harmless,
    /// It may have been done by one that broke off: only one that was not reached is passed over.
    Unsafe,
}

impl Servers {
    /// Those of the configuration; nobody is asked anything yet.
    ///
    /// # Errors
    /// In a line: what is wrong with it.
    pub fn new(config: &Config, tls: &Arc<ClientTls>, metrics: &Metrics) -> Result<Self, String> {
        let checks = balancer::Checks::from(&config.checks);
        let listed = config.listed()?;
        let listeners = config.listeners();
        let is_any = |it: &chooser::Listener| it.choice.target == balancer::Target::Any;
        let alone = config.server.is_some() && listeners.iter().all(is_any);
        let fleet = Fleet::default();
        let ways = match listed.as_slice() {
            [one] if alone => Ways::One(one.address.as_str().into()),
            _ => {
                let endpoints = endpoints(&listed, config);
                let counts = metrics.servers.clone();
                let chooser = Chooser::new(fleet.clone(), counts, checks, &listeners, &endpoints);
                Ways::Several(chooser.map_err(|error| format!("servers: {error}"))?)
            }
        };
        let servers = Self {
            fleet,
            ways,
            tls: tls.clone(),
            connect_timeout: config.connect_timeout.0,
            check_timeout: checks.timeout,
        };
        servers.fleet.replace(servers.known_or_new(&listed));
        Ok(servers)
    }

    /// Begins to check them. Ends when the program does.
    pub fn start(&self) {
        if let Some(chooser) = self.ways.chooser() {
            tokio::spawn(chooser.clone().run());
        }
    }

    /// Takes over another list, where there is a list: gives the servers that are new. Those that are
    /// gone keep the sessions they have.
    pub fn replace(&self, listed: &[Listed], config: &Config) -> Vec<Arc<Server>> {
        let Some(chooser) = self.ways.chooser().filter(|_| config.server.is_none()) else {
            return Vec::new();
        };
        let (before, list) = (self.list(), self.known_or_new(listed));
        // Checks of the new ones begin at once, and find them.
        self.fleet.replace(list.clone());
        if let Err(error) = chooser.replace(&endpoints(listed, config)) {
            tracing::error!(%error, "servers stay as they were");
            self.fleet.replace(before);
            return Vec::new();
        }
        let gone = before.iter().filter(|server| !is_among(server, &list));
        gone.for_each(|server| _ = server.listed.send_replace(false));
        let is_new = |server: &Arc<Server>| !is_among(server, &before);
        list.into_iter().filter(is_new).collect()
    }

    /// The servers, in the configuration's order.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Server>> {
        self.fleet.list()
    }

    /// Whether there is more than one way to go.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.ways.chooser().is_some()
    }

    /// The ways that sessions can go.
    #[must_use]
    pub fn ways(&self) -> &Ways<Fleet> {
        &self.ways
    }

    /// Takes note of what a server says of itself, or that it is still there.
    pub fn heard(&self, server: &Server, standing: Option<&Standing>) {
        *server.says_now() = Some(standing.cloned().unwrap_or_default());
        if let Some(chooser) = self.ways.chooser() {
            chooser.heard(&server.address, standing);
        }
    }

    /// Takes note that a server has broken off what it was saying, for this reason.
    pub fn fell_silent(&self, server: &Server, why: &str) {
        if let Some(chooser) = self.ways.chooser() {
            chooser.fell_silent(&server.address, why);
        }
    }

    /// Sends a request to the control API of one that is up; to the next one if it does not answer.
    ///
    /// # Errors
    /// None of them did: what the last one asked has met.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        repeat: Repeat,
    ) -> Result<Answer, ClientError> {
        let (up, down): (Vec<_>, Vec<_>) = self.by_health();
        let mut last = None;
        for server in up.iter().chain(&down) {
            let sent = server.control.send(method.clone(), path, body.clone());
            let error = match sent.await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let was_reached = !matches!(error, ClientError::Connect(_));
            if was_reached && repeat == Repeat::Unsafe {
                return Err(error);
            }
            last = Some(error);
        }
        Err(last.expect("a connector has one server at least"))
    }

    /// Those that are up; all of them, where none is or nobody looks.
    #[must_use]
    pub fn up(&self) -> Vec<Arc<Server>> {
        match self.by_health() {
            (up, down) if up.is_empty() => down,
            (up, _) => up,
        }
    }

    /// The one at this address, while it is listed.
    #[must_use]
    pub fn at(&self, address: &str) -> Option<Arc<Server>> {
        self.fleet.at(address)
    }

    /// Whether it is up, as far as anybody looks.
    #[must_use]
    pub fn is_up(&self, server: &Server) -> bool {
        self.ways.chooser().is_none_or(|chooser| {
            let known = chooser.endpoints();
            let mut up = known.iter().filter(|it| it.state == State::Up);
            up.any(|it| *it.name == server.address)
        })
    }

    /// Those that are up, and the others.
    fn by_health(&self) -> (Vec<Arc<Server>>, Vec<Arc<Server>>) {
        let known = self.ways.chooser().map(|it| it.endpoints());
        let known = known.unwrap_or_default();
        let is_up = |server: &Arc<Server>| {
            let mut up = known.iter().filter(|it| it.state == State::Up);
            up.any(|it| *it.name == server.address)
        };
        self.list().into_iter().partition(is_up)
    }

    /// The servers of a list: where one is known, as it is known.
    fn known_or_new(&self, listed: &[Listed]) -> Vec<Arc<Server>> {
        let known = self.fleet.list();
        let server = |listed: &Listed| {
            let address = listed.address.as_str().to_owned();
            let control = listed.control.as_ref().unwrap_or(&listed.address);
            let control_address = control.as_str().to_owned();
            let same =
                |it: &&Arc<Server>| it.address == address && it.control_address == control_address;
            if let Some(server) = known.iter().find(same) {
                return server.clone();
            }
            let client = |limit| {
                control::Client::new(control_address.clone(), self.tls.clone(), limit)
                    .program(PROGRAM)
            };
            Arc::new(Server {
                control: client(self.connect_timeout),
                checked: client(self.check_timeout),
                warm: Warm::default(),
                says: Mutex::new(None),
                listed: watch::Sender::new(true),
                address,
                control_address,
            })
        };
        listed.iter().map(server).collect()
    }
}

fn endpoints(listed: &[Listed], config: &Config) -> Vec<Endpoint> {
    let endpoint = |it: &Listed| {
        it.share
            .endpoint(it.address.as_str(), config.balance.max_connections)
    };
    listed.iter().map(endpoint).collect()
}

fn is_among(server: &Arc<Server>, list: &[Arc<Server>]) -> bool {
    list.iter().any(|it| Arc::ptr_eq(it, server))
}

impl Server {
    /// What it says of itself; nothing while it is silent.
    #[must_use]
    pub fn says(&self) -> Option<Standing> {
        self.says_now().clone()
    }

    /// Takes note that it says nothing more, for now.
    pub fn is_silent(&self) {
        *self.says_now() = None;
    }

    fn says_now(&self) -> MutexGuard<'_, Option<Standing>> {
        self.says.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when it is not listed any more.
    pub async fn is_gone(&self) {
        let mut listed = self.listed.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = listed.wait_for(|listed| !listed).await;
    }
}

/// Their addresses, for the log.
impl std::fmt::Display for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = self.list();
        let addresses: Vec<_> = list.iter().map(|it| it.address.as_str()).collect();
        f.write_str(&addresses.join(", "))
    }
}
