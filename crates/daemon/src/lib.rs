//! What every daemon of pgseal does alike, so that an operator learns it once: configuration in
//! layers, logging, signals, and how it ends.
//!
//! Imports nothing of pgseal and knows no program: each hands in the table of its own keys.

mod accept;
mod address;
mod chunk;
mod connections;
mod exit;
mod files;
mod handover;
mod harden;
mod http;
mod key;
mod layers;
mod linger;
mod logging;
mod notify;
mod on_wake;
mod places;
mod seldom;
mod sessions;
mod signals;
mod socket_file;

pub use accept::{Incoming, accept};
pub use address::{HostPort, Listen, Subnet};
pub use chunk::{CHUNK, read_chunk};
pub use connections::{Connected, Connections};
pub use exit::{Failure, report};
pub use files::{raise_file_limit, within_file_limit};
pub use handover::{End, Given, Listens, Predecessor, Sockets, Successor, until_end};
pub use harden::{LockMemory, harden, lock_memory};
pub use http::{is_local_host, serve_http, serve_http_connection};
pub use key::{Key, Kind, differences, join, reference, waiting_for_restart};
pub use layers::{Layers, Loaded, Origin, Origins, Source};
pub use linger::linger;
pub use logging::{LogFormat, LogHandle, LogLevel, LogSettings, start_logging};
pub use notify::{Status, notify};
pub use on_wake::OnWake;
pub use places::{Network, Place, Places};
pub use seldom::Seldom;
pub use sessions::{Running, Sessions};
pub use signals::{Asked, Shutdown, Signals};
pub use socket_file::{FileId, SocketFile};
