//! The databases one by one, and what the chooser has done about them: checks.

use std::sync::Arc;
use std::time::Duration;

use chooser::{Check, Checker, Chooser};
use control::DatabaseStanding;

use super::says;
use crate::database::Database;
use crate::monitor::Monitor;

/// One database.
pub struct Node {
    /// How it is reached.
    pub database: Database,
    /// What watches it, if it is to be watched.
    pub monitor: Option<Monitor>,
}

/// The list, shared by who chooses and who connects.
#[derive(Clone)]
pub struct Nodes(Arc<[Arc<Node>]>);

impl Node {
    /// How it stands; nothing while it does not answer, or where it is not watched.
    #[must_use]
    pub fn standing(&self) -> Option<DatabaseStanding> {
        self.monitor.as_ref()?.heard().standing()
    }
}

impl Nodes {
    /// Of these databases.
    #[must_use]
    pub fn new(list: Vec<Arc<Node>>) -> Self {
        Self(list.into())
    }

    /// All of them, in the configuration's order.
    #[must_use]
    pub fn list(&self) -> &[Arc<Node>] {
        &self.0
    }

    /// The one of this name, which is its address.
    #[must_use]
    pub fn at(&self, name: &str) -> Option<&Arc<Node>> {
        let mut list = self.0.iter();
        list.find(|node| node.database.address().to_string() == name)
    }
}

impl Checker for Nodes {
    const NAME: &'static str = "database";

    fn pace(&self, name: &str) -> Duration {
        let monitor = self.at(name).and_then(|node| node.monitor.as_ref());
        // One that is not watched says nothing by itself.
        monitor.map_or(Duration::MAX / 2, Monitor::interval)
    }

    /// Whether it takes connections; what it is has been heard by its monitor.
    fn check(&self, chooser: &Arc<Chooser<Self>>, check: Check) {
        let Some(node) = self.at(&check.name).cloned() else {
            return;
        };
        let chooser = chooser.clone();
        tokio::spawn(async move {
            let answer = node.database.probe().await;
            let answer = answer.map(|()| Some(says(node.standing())));
            chooser.checked(&check, answer.map_err(|error| error.to_string()));
        });
    }
}
