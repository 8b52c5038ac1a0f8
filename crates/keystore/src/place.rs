//! Where a store is and how it is reached; the engine for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;
use crate::address::StoreAddress;
use crate::engine::{Edit, Engine};
use crate::etcd::{Etcd, EtcdSettings};
use crate::sqlite::Sqlite;

/// Where a store is, and how etcd is reached if it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub address: StoreAddress,
    /// How etcd is reached; of no account for a file.
    pub etcd: EtcdSettings,
}

impl Place {
    /// Makes an engine with these values in it, where there is none.
    pub(crate) fn create(
        &self,
        busy_timeout: Duration,
        values: &[Edit],
    ) -> Result<Box<dyn Engine>, Error> {
        Ok(match &self.address {
            StoreAddress::File(path) => Box::new(Sqlite::create(path, busy_timeout, values)?),
            StoreAddress::Etcd(address) => Box::new(Etcd::create(address, &self.etcd, values)?),
        })
    }

    /// Opens the engine that is there. etcd has its own deadlines, whatever `busy_timeout` is.
    pub(crate) fn open(&self, busy_timeout: Duration) -> Result<Box<dyn Engine>, Error> {
        Ok(match &self.address {
            StoreAddress::File(path) => Box::new(Sqlite::open(path, busy_timeout)?),
            StoreAddress::Etcd(address) => Box::new(Etcd::open(address, &self.etcd)?),
        })
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self {
            address: StoreAddress::File(path),
            etcd: EtcdSettings::default(),
        }
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        path.clone().into()
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}
