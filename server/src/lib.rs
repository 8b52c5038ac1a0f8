//! `pgseal-server`: opens sealed values in what a PostgreSQL database sends, for those who may.
//!
//! The path of a connection: `listen` (TLS, who is it, what does it want) → `session` →
//! `app_to_db` and `db_to_app`, which share a `conversation` → `opener`, one row in, one
//! row out. Beside it, `control` answers the control API and `ops` the operator's tools.

mod access;
mod app_to_db;
mod cancel;
mod certificates;
pub mod config;
mod connectors;
mod contact;
mod control;
mod conversation;
mod copy_out;
mod database;
mod databases;
mod db_to_app;
mod edits;
mod encoding;
mod field;
mod flow;
#[doc(hidden)]
pub mod fuzzing;
mod keys;
mod limits;
mod listen;
mod metrics;
mod monitor;
mod opener;
mod ops;
mod peers;
mod prospects;
mod refusals;
mod revocations;
mod session;
mod settings;
mod shape;
mod shared;
mod standing;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::{
    End, Failure, Given, Layers, Loaded, LogHandle, Shutdown, Signals, Status, start_logging,
};
use keystore::{MasterKey, Secret, Store};
use tokio::task::JoinSet;
use tunnel::{ClientTls, Revoked, ServerTls};

use crate::config::Config;
use crate::contact::Contact;
use crate::databases::Databases;
use crate::keys::{Keys, Opened};
use crate::listen::ListenerNumber;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::settings::{Configured, Settings};
use crate::shared::Shared;

const ABOUT: &str = "\
Opens sealed values in what a PostgreSQL database sends, for the clients that may, and passes \
everything else on as it is. Applications reach it through pgseal-connector.";

const AFTER_HELP: &str = "\
The master key is a secret and has no flag: it comes from master_key_file, from what \
master_key_command prints, or from the environment variable PGSEAL_MASTER_KEY.

Signals: SIGTERM ends after running sessions have (drain_timeout at most), SIGUSR2 starts the program \
again and leaves its place to that (restart_timeout), SIGHUP reads the configuration again: live settings (zone_mode, on_refused, max_open_row, open_memory, \
drain_timeout, max_crl_age, max_stale, log.level), peers and another place of the same store apply to running sessions, TLS to the database and the files of tls.certificate, \
tls.private_key and tls.ca to new ones. What is wrong changes nothing.
Exit codes: 0 ended as asked, 1 failed, 2 wrong usage or configuration.";

/// The program, from its command line to its end.
///
/// # Errors
/// What keeps it from starting.
pub fn from_command_line(given: Given) -> Result<(), Failure> {
    let command = clap::Command::new("pgseal-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER_HELP);
    let layers = Layers::from_command_line(command, config::KEYS, config::DEFAULT_FILE)?;
    let loaded = layers.load::<Config>()?;
    // Before there is a secret in memory.
    daemon::harden()?;
    let not_locked = match loaded.check_only {
        true => None,
        false => daemon::lock_memory(loaded.config.lock_memory)?,
    };
    let prepared = Prepared::new(&loaded)?;
    if loaded.check_only {
        println!("pgseal-server: the configuration is in order");
        return Ok(());
    }
    let log = start_logging(loaded.config.log)?;
    if let Some(warning) = not_locked {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::failed("runtime", cause))?;
    runtime.block_on(run(loaded.config, prepared, &layers, log, given))
}

/// What the configuration names, read and checked.
struct Prepared {
    tls: ServerTls,
    peers: Peers,
    revoked: Revoked,
    databases: Databases,
    metrics: Metrics,
    keys: Keys,
    settings: Settings,
}

impl Prepared {
    fn new(loaded: &Loaded<Config>) -> Result<Self, Failure> {
        let config = &loaded.config;
        let revoked = Revoked::new(config.max_crl_age.0, Instant::now());
        let setups = certificates::read(config, &revoked)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let mut metrics = Metrics::new();
        let databases = Databases::new(config, &mut metrics).map_err(Failure::Usage)?;
        let configured = configured(loaded)?;
        let asked = Instant::now();
        let store = open_store(config)?;
        let revocations = store
            .revocations()
            .map_err(|error| Failure::Failed(error.to_string()))?;
        revocations::take_over(&revoked, &revocations, asked)
            .map_err(|error| Failure::failed(&config.store, error))?;
        let settings = Settings::new(configured, store.settings())
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let opened = Opened {
            store,
            place: config.place(),
        };
        let contact = Contact::new(asked, config.max_stale.0);
        Ok(Self {
            keys: Keys::new(opened, &setups.server.identity.id, contact),
            tls: ServerTls::new(setups.server),
            peers: Peers::new(&config.peers, Arc::new(ClientTls::new(setups.client))),
            revoked,
            databases,
            metrics,
            settings,
        })
    }
}

/// The live settings that the configuration says, if a server can run with them.
fn configured(loaded: &Loaded<Config>) -> Result<Configured, Failure> {
    Configured::new(&loaded.config, loaded.origins.clone())
        .map_err(|error| Failure::Usage(error.to_string()))
}

fn open_store(config: &Config) -> Result<Store, Failure> {
    Store::open(config.place(), master_key(config)?)
        .map_err(|error| Failure::Failed(error.to_string()))
}

fn master_key(config: &Config) -> Result<MasterKey, Failure> {
    let key = match (&config.master_key_file, &config.master_key_command) {
        (Some(_), Some(_)) => {
            return Err(Failure::Usage(
                "master_key_file and master_key_command are both set; set one".into(),
            ));
        }
        (Some(file), None) => MasterKey::from_file(file),
        (None, Some(command)) => MasterKey::from_command(command),
        (None, None) => match std::env::var("PGSEAL_MASTER_KEY") {
            Ok(text) => MasterKey::from_environment(&Secret::from(text)),
            Err(_) => {
                return Err(Failure::Usage(
                    "there is no master key: set master_key_file or master_key_command, or put it \
                     into PGSEAL_MASTER_KEY"
                        .into(),
                ));
            }
        },
    };
    key.map_err(|error| Failure::Usage(error.to_string()))
}

async fn run(
    config: Config,
    prepared: Prepared,
    layers: &Layers,
    log: LogHandle,
    given: Given,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    daemon::raise_file_limit();
    if config.master_key_file.is_none() && config.master_key_command.is_none() {
        tracing::warn!(
            "the master key comes from the environment, where other programs may see it"
        );
    }
    let (sockets, predecessor) = given.open().await?;
    let (ending, end) = Shutdown::new();
    let shared = Shared::new(&config, prepared, log, ending.clone(), predecessor);
    let shared = Arc::new(shared);
    shared.settings.tell();
    let mut listeners = Vec::new();
    for it in &config.listen.0 {
        listeners.push(sockets.tcp("listen", it.address.0).await?);
    }
    let ops_listener = sockets.tcp("ops_listen", config.ops_listen.0).await?;
    sockets.complete()?;

    tokio::spawn(certificates::watch(shared.clone()));
    tokio::spawn(shared.keys.clone().watch(shared.clone(), ending.clone()));
    tokio::spawn(shared.keys.clone().expire(ending.clone()));
    tokio::spawn(standing::keep(shared.clone()));
    shared.databases.start(&shared);
    let keeping = tokio::spawn(shared.keys.clone().keep(ending));
    let serves = ops::serves(&shared);
    shared.predecessor.take_over(&sockets, serves).await?;
    let mut accepting = JoinSet::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let number = ListenerNumber(number);
        accepting.spawn(listen::serve(listener, number, shared.clone()));
    }
    let answering = tokio::spawn(ops::serve(ops_listener, shared.clone()));
    tracing::info!(
        server = shared.id, listen = %config.listen, ops = %config.ops_listen.0,
        database = %shared.databases, zone_mode = %shared.settings.live().zone_mode,
        "ready"
    );
    shared.predecessor.tell_ready();
    let reload = || reload(layers, &config, &shared);
    match daemon::until_end(&mut signals, &sockets, config.restart_timeout.0, reload).await {
        End::Stopped => {
            daemon::notify(Status::Stopping);
            shared.drain();
            // From here on the ports are closed, and who connects is told so.
            accepting.shutdown().await;
            tracing::info!(sessions = shared.sessions.count(), "draining");
            let limit = shared.settings.live().drain_timeout.0;
            shared.sessions.ended(limit).await;
        }
        End::HandedOver(successor) => {
            // The ports stay open, and who connects finds the successor.
            accepting.shutdown().await;
            answering.abort();
            tokio::spawn(successor.answer(cancel::answer(shared.clone())));
            tracing::info!(sessions = shared.sessions.count(), "draining");
            let limit = shared.settings.live().drain_timeout.0;
            shared.connections.leave(&shared.predecessor, limit).await;
        }
    }
    // Sessions that are left hear why, and get a moment to.
    end.send_replace(true);
    shared.sessions.ended(Duration::from_secs(1)).await;
    // It has a last word to write; a store that does not answer must not keep the program.
    let _ = tokio::time::timeout(Duration::from_secs(1), keeping).await;
    tracing::info!("ended");
    Ok(())
}

/// All or nothing: what is wrong, in the configuration or in a file of `tls`, changes nothing.
fn reload(layers: &Layers, started: &Config, shared: &Shared) {
    let (config, configured) = match read_again(layers, shared) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the configuration stays as it was");
            return;
        }
    };
    shared
        .settings
        .configure(configured, |live| shared.apply(live));
    let waiting = started.waiting_for_restart(&config);
    if !waiting.is_empty() {
        tracing::warn!(
            keys = waiting.join(", "),
            "changed, and waiting for a restart"
        );
    }
    let policy = **shared.policy.load();
    let certificates = &shared.tls.setup().certificates;
    tracing::info!(
        zone_mode = %policy.zone_mode, on_refused = %policy.on_refused,
        certificate = %certificates.serial, "configuration applied"
    );
    certificates::warn_of_expiry(certificates);
}

/// The configuration, once all that it names has been read and new connections use its
/// certificates: the last step that can fail.
fn read_again(layers: &Layers, shared: &Shared) -> Result<(Config, Configured), Failure> {
    let loaded = layers.load::<Config>()?;
    let configured = configured(&loaded)?;
    shared.settings.admits(&configured).map_err(|error| {
        Failure::Usage(format!("with the settings that the store says: {error}"))
    })?;
    let config = loaded.config;
    let databases = shared.databases.prepare(&config.database);
    let databases = databases.map_err(Failure::Usage)?;
    // Reading files and asking etcd takes a while, and this is an async thread.
    let opened = tokio::task::block_in_place(|| open_again(&config, shared))?;
    certificates::read(&config, &shared.revoked)
        .and_then(|setups| {
            shared.tls.exchange(setups.server)?;
            shared.peers.tls.exchange(setups.client)
        })
        .map_err(|error| Failure::Usage(error.to_string()))?;
    shared.databases.apply(databases);
    shared.peers.replace(&config.peers);
    if let Some(opened) = opened {
        let address = opened.place.address.clone();
        if address != shared.keys.opened().place.address {
            tracing::info!(store = %address, "the store is used from here now");
        }
        shared.keys.exchange(opened);
    }
    Ok((config, configured))
}

/// The store where the configuration says it is now, if that is another place, or etcd may be reached
/// with other certificates there. It has to be the same store.
fn open_again(config: &Config, shared: &Shared) -> Result<Option<Opened>, Failure> {
    let known = shared.keys.opened();
    let place = config.place();
    let moved = place != known.place;
    if !moved && place.address.file().is_some() {
        // After a change of master keys it is another one, without which it goes on.
        let given = known.store.give_master(master_key(config)?);
        given.map_err(|error| Failure::Failed(error.to_string()))?;
        return Ok(None);
    }
    let store = match Store::open(place.clone(), master_key(config)?) {
        Ok(store) => store,
        // It goes on with what it has.
        Err(error) if !moved && error.is_silence() => return Ok(None),
        Err(error) => return Err(Failure::Failed(error.to_string())),
    };
    if !store.is_same_store(&known.store) {
        return Err(Failure::Usage(format!(
            "store: {} is another store than {}; a change to it takes a restart",
            place.address, known.place.address
        )));
    }
    if let Some(to) = store.moved_to() {
        return Err(Failure::Usage(format!(
            "store: {} has moved to {to}",
            place.address
        )));
    }
    Ok(Some(Opened { store, place }))
}
