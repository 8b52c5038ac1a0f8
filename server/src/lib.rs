//! `pgseal-server`: opens sealed values in what a PostgreSQL database sends, for those who may.
//!
//! The path of a connection: `listen` (TLS, who is it, what does it want) → `session` →
//! `app_to_db` and `db_to_app`, which share a `conversation` → `opener`, one row in, one
//! row out. Beside it, `control` answers the control API and `ops` the operator's tools.

mod access;
mod app_to_db;
mod cancel;
pub mod config;
mod control;
mod conversation;
mod database;
mod db_to_app;
mod edits;
mod field;
mod flow;
mod keys;
mod limits;
mod listen;
mod metrics;
mod opener;
mod ops;
mod refusals;
mod session;
mod shape;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use daemon::{Asked, Failure, Layers, Listen, LogHandle, Shutdown, Signals, Status, start_logging};
use keystore::{MasterKey, Secret, Store};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tunnel::{Material, MaterialPaths};

use crate::config::Config;
use crate::database::Database;
use crate::keys::Keys;
use crate::shared::Shared;

const ABOUT: &str = "\
Opens sealed values in what a PostgreSQL database sends, for the clients that may, and passes \
everything else on as it is. Applications reach it through pgseal-connector.";

const AFTER_HELP: &str = "\
The master key is a secret and has no flag: it comes from master_key_file, from what \
master_key_command prints, or from the environment variable PGSEAL_MASTER_KEY.

Signals: SIGTERM ends after running sessions have (drain_timeout at most), SIGHUP reads the \
configuration again and applies zone_mode, on_refused and log.level to running sessions, TLS to \
the database to new ones.
Exit codes: 0 ended as asked, 1 failed, 2 wrong usage or configuration.";

/// The program, from its command line to its end.
///
/// # Errors
/// What keeps it from starting.
pub fn from_command_line() -> Result<(), Failure> {
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
    let prepared = Prepared::new(&loaded.config)?;
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
    runtime.block_on(run(loaded.config, prepared, &layers, &log))
}

/// What the configuration names, read and checked.
struct Prepared {
    id: String,
    tls: Arc<ServerConfig>,
    database: Database,
    keys: Keys,
}

impl Prepared {
    fn new(config: &Config) -> Result<Self, Failure> {
        let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
        let material = Material::load(&MaterialPaths {
            certificate: config.tls.certificate.clone(),
            private_key: config.tls.private_key.clone(),
            ca: config.tls.ca.clone(),
        })
        .map_err(|error| usage(&error))?;
        let identity = material.identity.clone();
        if identity.role != tunnel::Role::Server {
            return Err(Failure::Usage(format!(
                "{}: the certificate is that of {identity}, not of a server; make one with: \
                 pgseal-keymaker cert server ID",
                config.tls.certificate.display()
            )));
        }
        let needed = config.max_open_row.0.saturating_mul(limits::COPIES);
        if config.open_memory.0 < needed {
            return Err(Failure::Usage(format!(
                "open_memory: {} is too little for one row of max_open_row, which takes {needed} \
                 bytes; raise the one or lower the other",
                config.open_memory.0
            )));
        }
        let tls = tunnel::server_config(material).map_err(|error| usage(&error))?;
        let database = Database::new(&config.database).map_err(Failure::Usage)?;
        let store = Store::open(&config.store, master_key(config)?)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self {
            keys: Keys::new(store, &identity.id),
            id: identity.id,
            tls,
            database,
        })
    }
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
    log: &LogHandle,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    if config.master_key_file.is_none() && config.master_key_command.is_none() {
        tracing::warn!(
            "the master key comes from the environment, where other programs may see it"
        );
    }
    let (ending, end) = Shutdown::new();
    let Prepared {
        id,
        tls,
        database,
        keys,
    } = prepared;
    let shared = Arc::new(Shared::new(id, &config, database, keys, ending.clone()));
    let listener = bind("listen", config.listen).await?;
    let ops_listener = bind("ops_listen", config.ops_listen).await?;
    tracing::info!(
        server = shared.id, listen = %config.listen.0, ops = %config.ops_listen.0,
        database = %shared.database.address(), zone_mode = %config.zone_mode, "ready"
    );

    let accepting = tokio::spawn(listen::serve(listener, tls, shared.clone()));
    tokio::spawn(ops::serve(ops_listener, shared.clone()));
    tokio::spawn(shared.keys.clone().watch(ending.clone()));
    let keeping = tokio::spawn(shared.keys.clone().keep(ending));
    daemon::notify(Status::Ready);
    while signals.next().await == Asked::Reload {
        reload(layers, &config, &shared, log);
    }

    daemon::notify(Status::Stopping);
    shared.drain();
    accepting.abort();
    tracing::info!(sessions = shared.sessions.count(), "draining");
    shared.sessions.ended(config.drain_timeout.0).await;
    // Sessions that are left hear why, and get a moment to.
    end.send_replace(true);
    shared.sessions.ended(Duration::from_secs(1)).await;
    // It has a last word to write; a store that does not answer must not keep the program.
    let _ = tokio::time::timeout(Duration::from_secs(1), keeping).await;
    tracing::info!("ended");
    Ok(())
}

async fn bind(key: &str, Listen(address): Listen) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| Failure::Failed(format!("{key}: {address}: {cause}")))
}

/// All or nothing: a configuration that is wrong changes nothing.
fn reload(layers: &Layers, started: &Config, shared: &Shared, log: &LogHandle) {
    let loaded = layers.load::<Config>().and_then(|loaded| {
        let database = shared.database.prepare(&loaded.config.database);
        Ok((loaded, database.map_err(Failure::Usage)?))
    });
    match loaded {
        Ok((loaded, database)) => {
            shared.apply(&loaded.config);
            shared.database.apply(database);
            log.set_level(loaded.config.log.level);
            let waiting = started.waiting_for_restart(&loaded.config);
            if !waiting.is_empty() {
                tracing::warn!(
                    keys = waiting.join(", "),
                    "changed, and waiting for a restart"
                );
            }
            let policy = **shared.policy.load();
            tracing::info!(
                zone_mode = %policy.zone_mode, on_refused = %policy.on_refused,
                "configuration applied"
            );
        }
        Err(error) => tracing::error!(%error, "the configuration stays as it was"),
    }
}
