//! Endpoints for sessions, while time passes: the balancer with a clock and a log. Connectors choose
//! servers with it, servers choose databases.
//!
//! - [`Chooser`] has the balancer and does what it says; what an endpoint is and how one is checked is
//!   its [`Owner`]'s.
//! - [`Search`] is one session's way to an endpoint, which is [`Chosen`] then, until it is dropped.
//! - [`settings`] is what an operator writes.
//!
//! Which rules hold is `balancer`'s. Connecting, and what applications are told, is the caller's.

mod chooser;
mod chosen;
mod report;
mod search;
pub mod settings;

pub use balancer::{Availability, Check, Endpoint, EndpointId, Role, State, Status};
pub use chooser::{Chooser, Listener, ListenerId, Owner};
pub use chosen::{Chosen, Leaving};
pub use search::{Search, Unserved};
