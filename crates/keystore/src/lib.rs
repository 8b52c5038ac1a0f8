//! The store of keys: clients, zones and their key pairs, sealed under a master key.
//!
//! - [`Store`] makes, opens, reads and changes a store; `docs/keystore-format.md` is its format.
//! - [`MasterKey`] is read from a file, a command's output or the environment.
//! - [`KeyCache`] holds opened keys for a server's hot path; it never touches the disk by itself.
//! - [`Secret`] reads any other secret the way a master key is read.
//!
//! A store is one file, or a prefix in etcd ([`StoreAddress`]), which is the only socket here; there is
//! no async and no logging. Sealing and opening of values is `envelope`'s; who a
//! session's client is, and whether zone mode allows a key, is the server's.

mod address;
mod cache;
mod durable;
mod engine;
mod error;
mod etcd;
#[doc(hidden)]
pub mod fuzzing;
mod master_key;
mod name;
mod place;
mod record;
mod seal;
mod secret;
mod sqlite;
mod store;

pub use address::{AddressError, Endpoint, EtcdAddress, StoreAddress};
pub use cache::{KeyCache, Loaded, OpenKey, Use, Withheld};
pub use durable::{NewFile, write_new_file};
pub use error::Error;
pub use etcd::{EtcdError, EtcdSettings};
pub use master_key::{MasterKey, MasterKeyId, NotAMasterKeyId};
pub use place::Place;
pub use record::{
    Certificate, Client, Entry, Event, Fate, KeyRecord, KeyState, LastChange, NotASerial,
    NotASetting, Permitted, Receipt, Revocations, Revoked, Serial, Setting, SettingName,
    SettingValue, Settings, Timestamp, Zone,
};
pub use secret::{MAX_SECRET, Secret};
pub use store::{
    Anchor, Audited, Author, BUSY_TIMEOUT, Backup, Chain, Changed, Copied, HANDOVER, MAX_PAGE,
    MAX_SETTINGS, MasterState, NewZone, Purpose, RECENT, Revision, Store, Swept,
};
