//! What travels over the control API of settings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every live setting of a server, and how it stands with those of its store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// The number of the settings in the store; `null` while they cannot be read. A
    /// [change](SettingsChange) names it.
    pub number: Option<u64>,
    /// The number of those that hold here; `null` before any could be taken over.
    pub taken: Option<u64>,
    /// Why those in the store do not hold here, in one line.
    pub problem: Option<String>,
    /// Who changed those in the store last.
    pub last: Option<LastChange>,
    /// The settings as they hold here.
    pub settings: Vec<SettingView>,
}

/// Who changed the settings last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastChange {
    /// Who, as the audit log says it.
    pub by: String,
    /// When, after RFC 3339.
    pub at: String,
}

/// One setting on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingView {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub help: String,
    /// How its values are written.
    pub values: String,
    /// The value that holds here.
    pub value: String,
    /// What holds where nothing else is said.
    pub default: String,
    /// Where the value comes from.
    pub origin: Origin,
    /// The flag, the variable, or the file and line that say so; `null` for other origins.
    pub place: Option<String>,
    /// What is set in the store, whether it holds here or not.
    pub stored: Option<StoredSetting>,
}

/// Where a setting's value comes from; each beats those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It is set nowhere.
    Default,
    /// The server's configuration file.
    File,
    /// The store.
    Store,
    /// The server's command line or environment: it cannot be changed while the server runs.
    Fixed,
}

/// A setting in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredSetting {
    /// Its value.
    pub value: String,
    /// Who set it, as the audit log says it.
    pub by: String,
    /// When, after RFC 3339.
    pub at: String,
}

/// A change of settings in the store: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// The number of the settings that were looked at. If they have been changed since, nothing is.
    pub number: u64,
    /// New values by name; `null` takes a setting out of the store.
    pub changes: BTreeMap<String, Option<String>>,
    /// Only says whether it could be done: this server can run with it, and nobody was faster.
    #[serde(default)]
    pub dry_run: bool,
}

/// How it stands with a server's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsStatus {
    /// The number of the settings in the store; `null` while they cannot be read.
    pub number: Option<u64>,
    /// The number of those that hold here; `null` before any could be taken over.
    pub taken: Option<u64>,
    /// Why those in the store do not hold here, in one line.
    pub problem: Option<String>,
}
