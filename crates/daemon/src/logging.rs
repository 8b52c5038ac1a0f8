//! Structured logs on standard error, as text or JSON.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::Failure;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severe events that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing works as it should.
    Error,
    /// Something is wrong, and is gone around.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
}

/// The `log` table of a configuration.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// `log.level`
    pub level: LogLevel,
    /// `log.format`
    pub format: LogFormat,
}

/// Changes the level of a running program; that of one that does not log (a test) is the default.
#[derive(Default)]
pub struct LogHandle {
    filter: Option<reload::Handle<LevelFilter, Registry>>,
}

impl LogHandle {
    /// Logs events of `level` and above from now on.
    pub fn set_level(&self, level: LogLevel) {
        let Some(filter) = &self.filter else { return };
        // Fails only when the subscriber is gone, and then nobody is left to tell.
        if filter.reload(LevelFilter::from(level)).is_err() {
            eprintln!("the log level cannot be changed: logging has ended");
        }
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// Starts logging for the whole process, panics included.
///
/// # Errors
/// It was started before.
pub fn start_logging(settings: LogSettings) -> Result<LogHandle, Failure> {
    let (filter, handle) = reload::Layer::new(LevelFilter::from(settings.level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|cause| Failure::failed("logging", cause))?;
    // A panic's message may hold what it choked on; where it happened is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a defect ended this task; please report it");
    }));
    Ok(LogHandle {
        filter: Some(handle),
    })
}
