//! Which endpoint the next session goes to: servers for a connector, databases for a server.
//!
//! - [`Endpoint`], [`Checks`] and [`Listener`] are what an operator sets.
//! - [`Balancer`] is asked for each session, is told what became of it, and says what to check and when
//!   it wants to be asked next. It hands out [`Lease`]s, and [`Event`]s for its caller's log.
//! - [`Report`] is what an endpoint publishes of itself: role, lag, whether it takes sessions.
//!
//! Time and outcomes are arguments. There are no sockets, no clock, no waiting and no logging here:
//! connecting, checking, timers and texts for applications are the caller's. `docs/balancing.md` tells the
//! rules in an operator's words.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use pgseal_balancer::{
//!     Balancer, Checks, Choice, Endpoint, Ending, Listener, Outcome, Output, Report, Role, Target,
//! };
//!
//! let now = Instant::now();
//! let mut balancer = Balancer::new(Checks::default(), 42, now)?;
//! let writers = balancer.listen(Listener::new(Target::Primary));
//! balancer.replace(now, &[Endpoint::new("db-1:5432"), Endpoint::new("db-2:5432")])?;
//!
//! // The caller's timer: tick when `next_due` says so, and do what comes out.
//! balancer.tick(now);
//! while let Some(output) = balancer.next_output() {
//!     if let Output::Check(check) = output {
//!         let primary = Report {
//!             role: Role::Primary { timeline: 1 },
//!             ..Report::default()
//!         };
//!         let outcome = match &*check.name {
//!             "db-1:5432" => Outcome::Reported(primary),
//!             _ => Outcome::Failed,
//!         };
//!         balancer.checked(now, &check, outcome);
//!     }
//! }
//!
//! // A session: connect where the lease says, and hand it back.
//! let Choice::Use(lease) = balancer.choose(now, writers, &[]) else {
//!     panic!("db-1 is a primary and up");
//! };
//! assert_eq!(lease.name(), "db-1:5432");
//! balancer.connected(now, &lease, Duration::from_millis(2));
//! balancer.ended(now, lease, Ending::Finished);
//! # Ok::<(), pgseal_balancer::Error>(())
//! ```

mod balancer;
mod clock;
mod error;
mod event;
mod health;
mod latency;
mod member;
mod policy;
mod queue;
mod random;
mod role;
mod schedule;
mod settings;
mod timeline;

pub use balancer::{Balancer, Choice, Ending, ListenerId, Outcome, Status};
pub use error::Error;
pub use event::{Change, Check, EndpointId, Event, Lease, Output};
pub use health::{Failure, State};
pub use queue::Ticket;
pub use role::{Availability, Lag, MaxLag, Objection, Report, Role, Target};
pub use settings::{Checks, Endpoint, Listener, MAX_WEIGHT, Policy};
