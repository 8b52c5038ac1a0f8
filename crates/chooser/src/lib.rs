//! Endpoints for sessions, while time passes: the balancer with a clock and a log. Connectors choose
//! servers with it, servers choose databases.
//!
//! - [`Chooser`] has the balancer and does what it says; what an endpoint is and how one is checked is
//!   its [`Checker`]'s.
//! - [`Way`] is one session's way to an endpoint, which is [`Chosen`] then, until it is dropped.
//! - [`begin`] goes that way: an endpoint that fails before it has said anything is passed over, and the
//!   application hears nothing of it.
//! - [`settings`] is what an operator writes.
//!
//! Which rules hold is `balancer`'s. Connecting, and what applications are told, is the caller's.

mod begin;
mod chooser;
mod counts;
mod lease;
mod report;
mod search;
pub mod settings;
mod way;

pub use balancer::{Availability, Check, Endpoint, EndpointId, Role, State, Status};
pub use begin::{Beginner, Begun, Unbegun, begin};
pub use chooser::{Checker, Chooser, Known, Listener, ListenerId, Noted};
pub use counts::Counts;
pub use lease::Leaving;
pub use search::Unserved;
pub use way::{Chosen, Way, Ways};
