//! `pgseal-connector`: stands beside an application, takes its PostgreSQL connections in clear, and
//! carries them to a server through a tunnel of TLS with certificates on both sides.
//!
//! It holds no keys but that of its own certificate, and changes no byte: `session` is all of the
//! data path. `api` gives applications what they need to seal: public keys, and new zones.

mod address;
mod api;
mod cancels;
mod certificates;
pub mod config;
pub mod listen;
mod metrics;
mod opening;
mod refusals;
mod running;
mod servers;
mod session;
mod shared;
mod socket;
mod startup;
pub mod users;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chooser::settings::{Bind, OneOrSeveral};
use daemon::{
    End, Failure, Given, Layers, LogHandle, Shutdown, Signals, Sockets, Status, start_logging,
};
use tokio::task::JoinSet;
use tracing::Instrument;
use tunnel::{ClientTls, Revoked};

use crate::address::Address;
use crate::config::Config;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::servers::{Server, Servers, warm};
use crate::session::Came;
use crate::shared::{Parts, Shared};
use crate::users::AllowUsers;

const ABOUT: &str = "\
Stands beside an application and carries its PostgreSQL connections to a pgseal server, encrypted \
and with a certificate that says whose values it may see. The application changes its address and \
nothing else.";

const AFTER_HELP: &str = "\
The local API on api_listen gives applications public keys to seal to: GET /v1/client, \
GET /v1/zones/ID; and new zones where local_api.zones allows it: POST /v1/zones, GET /getNewZone.

Signals: SIGTERM ends after running sessions have (drain_timeout at most), SIGUSR2 starts the program \
again and leaves its place to that (restart_timeout), SIGHUP reads the configuration again: max_crl_age and log.level apply at once, servers, server_ids and the files of \
tls.certificate, tls.private_key and tls.ca to new sessions. What is wrong changes nothing.
Exit codes: 0 ended as asked, 1 failed, 2 wrong usage or configuration.";

/// The program, from its command line to its end.
///
/// # Errors
/// What keeps it from starting.
pub fn from_command_line(given: Given) -> Result<(), Failure> {
    let command = clap::Command::new("pgseal-connector")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER_HELP);
    let layers = Layers::from_command_line(command, config::KEYS, config::DEFAULT_FILE)?;
    let loaded = layers.load::<Config>()?;
    daemon::harden()?;
    let revoked = Revoked::new(loaded.config.max_crl_age.0, Instant::now());
    let setup = certificates::read(&loaded.config, &revoked)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let allow_users = AllowUsers::new(&loaded.config.allow_users)
        .map_err(|why| Failure::Usage(format!("allow_users: {why}")))?;
    let (tls, metrics) = (Arc::new(ClientTls::new(setup)), Arc::new(Metrics::new()));
    let servers = Servers::new(&loaded.config, &tls, &metrics).map_err(Failure::Usage)?;
    if let Some(address) = beyond_this_host(&loaded.config.api_listen.0) {
        return Err(Failure::Usage(format!(
            "api_listen: {address} is no loopback address, and whoever reaches the API acts as \
             this connector's client"
        )));
    }
    if loaded.check_only {
        println!("pgseal-connector: the configuration is in order");
        return Ok(());
    }
    let log = start_logging(loaded.config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::failed("runtime", cause))?;
    let parts = Parts {
        servers,
        tls,
        revoked,
        allow_users,
        metrics,
    };
    runtime.block_on(run(loaded.config, parts, &layers, &log, given))
}

async fn run(
    config: Config,
    parts: Parts,
    layers: &Layers,
    log: &LogHandle,
    given: Given,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    daemon::raise_file_limit();
    let (sockets, predecessor) = given.open().await?;
    let (ending, end) = Shutdown::new();
    let shared = Arc::new(Shared::new(&config, parts, ending));
    let addresses = addresses(&config.listen);
    let listeners = bind("listen", &addresses, &sockets).await?;
    let api_listeners = bind("api_listen", &config.api_listen.0, &sockets).await?;
    sockets.complete()?;
    warn_of_open_doors(&config);
    shared.servers.start();
    for server in shared.servers.list() {
        attend(server, &shared);
    }
    tokio::spawn(certificates::watch(shared.clone()));
    let serves = async {
        shared.knows_servers().await;
        Ok(())
    };
    predecessor.take_over(&sockets, serves).await?;
    tracing::info!(
        listen = %config.listen, api = %config.api_listen, server = shared.servers.to_string(), "ready"
    );

    let mut accepting = JoinSet::new();
    for (number, (listener, address)) in listeners.into_iter().zip(&addresses).enumerate() {
        let address = address.to_string().into();
        accepting.spawn(accept(listener, number, address, shared.clone()));
    }
    let mut answering = JoinSet::new();
    for listener in api_listeners {
        answering.spawn(api::serve(listener, shared.clone()));
    }
    predecessor.tell_ready();
    let reload = || reload(layers, &config, &shared, log);
    match daemon::until_end(&mut signals, &sockets, config.restart_timeout.0, reload).await {
        End::Stopped => {
            daemon::notify(Status::Stopping);
            accepting.shutdown().await;
            tracing::info!(sessions = shared.sessions.count(), "draining");
            shared.sessions.ended(config.drain_timeout.0).await;
        }
        End::HandedOver(successor) => {
            // The ports stay open, and who connects finds the successor.
            accepting.shutdown().await;
            answering.shutdown().await;
            // It asks nothing: servers know which session a cancel request means.
            tokio::spawn(successor.answer(|_| std::future::ready(None)));
            tracing::info!(sessions = shared.sessions.count(), "draining");
            let limit = config.drain_timeout.0;
            shared.connections.leave(&predecessor, limit).await;
        }
    }
    // Sessions that are left hear why, and get a moment to.
    end.send_replace(true);
    shared.sessions.ended(Duration::from_secs(1)).await;
    answering.shutdown().await;
    tracing::info!("ended");
    Ok(())
}

/// `number` is its place in `listen`.
async fn accept(listener: Arc<Listener>, number: usize, address: Arc<str>, shared: Arc<Shared>) {
    let places = shared.starting.clone();
    daemon::accept(listener, places, |app, peer, place| {
        let (shared, address) = (shared.clone(), address.clone());
        let connected = shared.connections.enter();
        let served = async move {
            let _connected = connected;
            let came = Came {
                peer: &peer,
                listener: number,
                address: &address,
            };
            if let Err(reason) = session::serve(app, came, place, &shared).await {
                tracing::warn!(%reason, "a session ended early");
            }
        };
        tokio::spawn(served.instrument(tracing::info_span!("connection", %peer)));
    })
    .await;
}

fn addresses(listen: &OneOrSeveral<Bind<Address>>) -> Vec<Address> {
    listen.0.iter().map(|bind| bind.address.clone()).collect()
}

/// What is done for a server all the time, for as long as it is listed.
fn attend(server: Arc<Server>, shared: &Arc<Shared>) {
    tokio::spawn(watch::run(server.clone(), shared.clone()));
    tokio::spawn(warm::keep(server, shared.clone()));
}

async fn bind(
    key: &str,
    addresses: &[Address],
    sockets: &Sockets,
) -> Result<Vec<Arc<Listener>>, Failure> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(Listener::bind(key, address, sockets).await?);
    }
    Ok(listeners)
}

/// An address that others than this host's programs may reach.
fn beyond_this_host(addresses: &[Address]) -> Option<SocketAddr> {
    let mut tcp = addresses.iter().filter_map(Address::tcp);
    tcp.find(|address| !address.ip().is_loopback())
}

fn warn_of_open_doors(config: &Config) {
    let listen = addresses(&config.listen);
    if let Some(listen) = beyond_this_host(&listen) {
        tracing::warn!(%listen, "applications connect in clear, and not from this host alone");
    }
    let all = listen.iter().chain(&config.api_listen.0);
    let mut open = all.filter_map(Address::tcp);
    if let (false, Some(address)) = (config.allow_users.is_empty(), open.next()) {
        tracing::warn!(%address, "every user of this host can connect here: allow_users is for unix sockets");
    }
}

/// All or nothing: what is wrong, in the configuration or in a file of `tls`, changes nothing.
fn reload(layers: &Layers, started: &Config, shared: &Arc<Shared>, log: &LogHandle) {
    let config = match read_again(layers, shared) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the configuration stays as it was");
            return;
        }
    };
    shared.revoked.set_max_age(config.max_crl_age.0);
    log.set_level(config.log.level);
    let waiting = started.waiting_for_restart(&config);
    if !waiting.is_empty() {
        tracing::warn!(
            keys = waiting.join(", "),
            "changed, and waiting for a restart"
        );
    }
    let certificates = &shared.tls.setup().certificates;
    tracing::info!(certificate = %certificates.serial, "configuration applied");
    certificates::warn_of_expiry(certificates);
}

/// The configuration, once all that it names has been read, and new connections use its servers and
/// certificates.
fn read_again(layers: &Layers, shared: &Arc<Shared>) -> Result<Config, Failure> {
    let config = layers.load::<Config>()?.config;
    let listed = config.listed().map_err(Failure::Usage)?;
    certificates::read(&config, &shared.revoked)
        .and_then(|setup| shared.tls.exchange(setup))
        .map_err(|error| Failure::Usage(error.to_string()))?;
    for server in shared.servers.replace(&listed, &config) {
        attend(server, shared);
    }
    Ok(config)
}
