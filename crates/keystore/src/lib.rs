//! The store of keys: clients, zones and their key pairs in one file, sealed under a master key.
//!
//! - [`Store`] makes, opens, reads and changes a store; `docs/keystore-format.md` is its format.
//! - [`MasterKey`] is read from a file, a command's output or the environment.
//! - [`KeyCache`] holds opened keys for a server's hot path; it never touches the disk by itself.
//! - [`Secret`] reads any other secret the way a master key is read.
//!
//! No sockets, no async, no logging here. Sealing and opening of values is `envelope`'s; who a
//! session's client is, and whether zone mode allows a key, is the server's.

mod cache;
mod durable;
mod engine;
mod error;
mod master_key;
mod name;
mod record;
mod seal;
mod secret;
mod sqlite;
mod store;

pub use cache::{KeyCache, Loaded, OpenKey, Use, Withheld};
pub use durable::{NewFile, write_new_file};
pub use error::Error;
pub use master_key::{MasterKey, MasterKeyId, NotAMasterKeyId};
pub use record::{
    Certificate, Client, Entry, Event, Fate, KeyRecord, KeyState, NotASerial, Permitted, Receipt,
    Revocations, Revoked, Serial, Timestamp, Zone,
};
pub use secret::{MAX_SECRET, Secret};
pub use store::{
    Anchor, Audited, Author, BUSY_TIMEOUT, Chain, Changed, HANDOVER, MAX_PAGE, MasterState,
    NewZone, RECENT, Revision, Store, Swept,
};
