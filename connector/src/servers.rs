//! The servers that this connector knows, and which of them is asked: for a session, a cancel
//! request, the control API.
//!
//! `driver` has the balancer and does what it says; `search` is one session's way to a server;
//! `check` asks one server whether it is there; `report` puts what servers say of themselves into
//! the balancer's words; `settings` is what an operator says. Which rules hold is `balancer`'s.
//!
//! Where there is one server and it may be anything, there is nothing to choose: no check is made,
//! and a session goes there whatever is known of it.

mod check;
mod driver;
mod lease;
mod report;
mod search;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use control::{Answer, ClientError, Standing};
use tunnel::ClientTls;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::servers::check::check;
use crate::servers::driver::{Asked, Driver};
pub use crate::servers::lease::{Chosen, Leaving};
pub use crate::servers::search::{Search, Unserved};
use crate::servers::settings::Target;

/// One server.
pub struct Server {
    /// Where its sessions go: `host:port`.
    pub address: String,
    /// Its control API.
    pub control: control::Client,
    /// The same, for as long as a check may take.
    checked: control::Client,
    /// Its place in the list.
    place: usize,
}

/// All of them.
pub struct Servers {
    list: Vec<Arc<Server>>,
    /// Chooses, where there is something to choose.
    driver: Option<Arc<Driver>>,
    wait_for_primary: Duration,
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
    pub fn new(
        config: &Config,
        tls: &Arc<ClientTls>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        let checks = balancer::Checks::from(&config.checks);
        let addresses = config.servers()?;
        let alone = addresses.len() == 1 && config.target == Target::Any;
        let server = |(place, address): (usize, &&daemon::HostPort)| {
            let control = config.control.as_ref().unwrap_or(address);
            let client =
                |limit| control::Client::new(control.as_str().to_owned(), tls.clone(), limit);
            Arc::new(Server {
                address: address.as_str().to_owned(),
                control: client(config.connect_timeout.0),
                checked: client(checks.timeout),
                place,
            })
        };
        let list: Vec<_> = addresses.iter().enumerate().map(server).collect();
        let driver = match alone {
            true => None,
            false => {
                let addresses = list.iter().map(|it| it.address.clone()).collect();
                let servers = list.clone();
                let ask = move |driver: &Arc<Driver>, asked: Asked| {
                    if let Some(server) = servers.get(asked.place) {
                        tokio::spawn(check(server.clone(), driver.clone(), asked));
                    }
                };
                let metrics = metrics.clone();
                Some(Driver::new(config, checks, addresses, metrics, ask)?)
            }
        };
        Ok(Self {
            list,
            driver,
            wait_for_primary: config.wait_for_primary.0,
        })
    }

    /// Begins to check them. Ends when the program does.
    pub fn start(&self) {
        if let Some(driver) = &self.driver {
            tokio::spawn(driver.clone().run());
        }
    }

    /// The servers, in the configuration's order.
    #[must_use]
    pub fn list(&self) -> &[Arc<Server>] {
        &self.list
    }

    /// Whether there is more than one way to go.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.driver.is_some()
    }

    /// A session's way to one of them.
    #[must_use]
    pub fn search(&self) -> Search<'_> {
        Search::new(self)
    }

    /// Takes note of what a server says of itself, or that it is still there.
    pub fn heard(&self, server: &Server, standing: Option<&Standing>) {
        if let Some(driver) = &self.driver {
            driver.heard(server.place, standing);
        }
    }

    /// Takes note that a server has broken off what it was saying.
    pub fn fell_silent(&self, server: &Server) {
        if let Some(driver) = &self.driver {
            driver.fell_silent(server.place);
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
        let mut last = None;
        for server in self.by_health() {
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
    pub fn up(&self) -> impl Iterator<Item = &Arc<Server>> {
        let up = self.driver.as_ref().map(|driver| driver.up());
        let up = up.filter(|up| !up.is_empty());
        let is_up = move |server: &&Arc<Server>| match &up {
            Some(up) => up.contains(&server.place),
            None => true,
        };
        self.list.iter().filter(is_up)
    }

    /// Those that are up come first.
    fn by_health(&self) -> Vec<Arc<Server>> {
        let mut list = self.list.clone();
        if let Some(driver) = &self.driver {
            let up = driver.up();
            list.sort_by_key(|server| !up.contains(&server.place));
        }
        list
    }
}

/// Their addresses, for the log.
impl std::fmt::Display for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses: Vec<_> = self.list.iter().map(|it| it.address.as_str()).collect();
        f.write_str(&addresses.join(", "))
    }
}
