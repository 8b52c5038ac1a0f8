//! `pgseal-webconfig`: the page from which operators run a fleet of servers, and the same by command
//! line. It stands over the servers' control API with an admin's certificate, and never sees a key.
//!
//! `fleet` is what is known of the servers, `audit` of their store's log, `change` how their settings are
//! changed, `asking` how one of them is asked of what they share, `web` who may see and change that in a
//! browser, `view` how it is shown, and `orders` the command line.

mod app;
mod asking;
mod audit;
mod change;
mod codes;
pub mod config;
mod destructions;
mod fleet;
mod listen;
mod orders;
mod password;
mod sessions;
mod throttle;
mod tls;
mod token;
mod totp;
mod users;
mod view;
mod web;

use std::sync::Arc;
use std::time::Duration;

use clap::{FromArgMatches, Subcommand};
use daemon::{End, Failure, Given, Layers, LogHandle, Signals, Status, start_logging};
use tunnel::Revoked;

use crate::app::App;
use crate::config::Config;
use crate::fleet::Fleet;
use crate::orders::Order;
use crate::sessions::Sessions;
use crate::tls::Tls;
use crate::users::UsersFile;

const ABOUT: &str = "\
The page from which operators run a fleet of pgseal servers: how each is, zone mode and settings of \
all at once. Without an order it serves the page on `listen`.";

const AFTER_HELP: &str = "\
Before the first sign-in: pgseal-webconfig user add NAME --role operator. Flags stand before an order.

Signals: SIGTERM ends it, SIGUSR2 starts the program again and leaves its place to that, which knows nobody \
who is signed in; SIGHUP reads the configuration again: log.level applies at once, the files of \
tls and https to new connections. What is wrong changes nothing.
Exit codes: 0 ended as asked, 1 failed, 2 wrong usage or configuration.";

/// Changes that are being made may take so long to end.
const LAST_CHANGES: Duration = Duration::from_secs(10);

/// How long the process that SIGUSR2 starts may take until it serves.
const RESTART_TIMEOUT: Duration = Duration::from_secs(30);

/// The program, from its command line to its end.
///
/// # Errors
/// What keeps it from starting, or from doing what is ordered.
pub fn from_command_line(given: Given) -> Result<(), Failure> {
    let command = clap::Command::new("pgseal-webconfig")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER_HELP);
    // What stands above the orders is of the program, and not of them.
    let command = Order::augment_subcommands(command)
        .subcommand_required(false)
        .about(ABOUT);
    let layers = Layers::from_command_line(command, config::KEYS, config::DEFAULT_FILE)?;
    let loaded = layers.load::<Config>()?;
    let config = loaded.config;
    config.check().map_err(Failure::Usage)?;
    daemon::harden()?;
    if let Some(order) = order(&layers)? {
        return orders::run(order, config);
    }
    let revoked = fleet::revoked();
    let tls = Tls::new(tls::read(&config, &revoked)?);
    let users = UsersFile::new(config.users_file.clone());
    let known = users
        .users()
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if loaded.check_only {
        println!("pgseal-webconfig: the configuration is in order");
        return Ok(());
    }
    let log = start_logging(config.log)?;
    if known.is_empty() {
        let users = config.users_file.display();
        tracing::warn!(%users, "nobody can sign in yet: pgseal-webconfig user add NAME");
    }
    let parts = (users, Arc::new(tls), revoked);
    runtime()?.block_on(run(config, parts, &layers, &log, given))
}

fn order(layers: &Layers) -> Result<Option<Order>, Failure> {
    let Some((name, _)) = layers.matches().subcommand() else {
        return Ok(None);
    };
    let usage = |error: clap::Error| Failure::Usage(format!("{name}: {error}"));
    Order::from_arg_matches(layers.matches())
        .map(Some)
        .map_err(usage)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::failed("runtime", cause))
}

async fn run(
    config: Config,
    (users, tls, revoked): (UsersFile, Arc<Tls>, Revoked),
    layers: &Layers,
    log: &LogHandle,
    given: Given,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    daemon::raise_file_limit();
    let (sockets, predecessor) = given.open().await?;
    let listener = sockets.tcp("listen", config.listen.0).await?;
    sockets.complete()?;
    let fleet = fleet_of(&config, &tls, revoked);
    fleet.start();
    let sessions = Sessions::new(config.session_timeout.0, config.session_lifetime.0);
    let is_https = tls.https().is_some();
    let app = Arc::new(App::new(fleet.clone(), users, sessions, is_https));
    predecessor.take_over(&sockets, async { Ok(()) }).await?;
    let serving = tokio::spawn(listen::serve(listener, app.clone(), tls.clone()));
    tracing::info!(listen = %config.listen, https = is_https, servers = fleet.servers.len(), "ready");
    predecessor.tell_ready();
    let reload = || reload(layers, &config, &tls, &fleet, log);
    match daemon::until_end(&mut signals, &sockets, RESTART_TIMEOUT, reload).await {
        End::Stopped => {
            daemon::notify(Status::Stopping);
            serving.abort();
        }
        End::HandedOver(successor) => {
            serving.abort();
            tokio::spawn(successor.answer(|_| std::future::ready(None)));
            app.connections.leave(&predecessor, LAST_CHANGES).await;
        }
    }
    app.changing.ended(LAST_CHANGES).await;
    tracing::info!("ended");
    Ok(())
}

fn fleet_of(config: &Config, tls: &Tls, revoked: Revoked) -> Arc<Fleet> {
    let addresses = config.servers.iter().map(|it| it.as_str().to_owned());
    Fleet::new(addresses, &tls.client, revoked, config.answer_timeout.0)
}

/// All or nothing: what is wrong, in the configuration or in a file that it names, changes nothing.
fn reload(layers: &Layers, started: &Config, tls: &Tls, fleet: &Fleet, log: &LogHandle) {
    let config = match read_again(layers, started, tls, fleet) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the configuration stays as it was");
            return;
        }
    };
    log.set_level(config.log.level);
    let waiting = started.waiting_for_restart(&config);
    if !waiting.is_empty() {
        let keys = waiting.join(", ");
        tracing::warn!(keys, "changed, and waiting for a restart");
    }
    tracing::info!("configuration applied");
}

fn read_again(
    layers: &Layers,
    started: &Config,
    tls: &Tls,
    fleet: &Fleet,
) -> Result<Config, Failure> {
    let config = layers.load::<Config>()?.config;
    config.check().map_err(Failure::Usage)?;
    // Cookies are made for the one or the other.
    if config.https.certificate.is_some() != started.https.certificate.is_some() {
        let why = "https: between TLS and none it changes with a restart alone";
        return Err(Failure::Usage(why.into()));
    }
    tls.exchange(tls::read(&config, &fleet.revoked)?)?;
    Ok(config)
}
