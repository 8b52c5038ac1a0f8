//! A primary and its streaming replica.

use crate::cluster::Cluster;
use crate::namespace::Namespace;
use crate::settings::Settings;

/// Two PostgreSQL servers; what is written to the one streams to the other.
#[derive(Debug)]
pub struct Pair {
    /// The replica. It is stopped first.
    pub replica: Cluster,
    /// The primary.
    pub primary: Cluster,
}

impl Pair {
    /// Starts both with the plain [`Settings`].
    pub fn start() -> Self {
        Settings::new().start_pair()
    }

    /// Starts both at the same time.
    pub(crate) fn start_with(settings: &Settings, replica: Option<&Namespace>) -> Self {
        let mut primary = Cluster::primary(settings);
        primary.launch();
        let mut replica = Cluster::replica(settings, &primary, replica);
        replica.launch();
        primary.wait_until_ready();
        primary.create_users(settings);
        let pair = Self { replica, primary };
        pair.replica.wait_until_ready();
        pair.wait_for_replay();
        pair
    }

    /// Waits until the replica has replayed all that the primary has written so far.
    #[track_caller]
    pub fn wait_for_replay(&self) {
        self.replica.wait_for_replay(&self.primary.wal_end());
    }
}
