//! The harness of the end-to-end tests: real PostgreSQL, our real programs, and the tools to look
//! at and disturb what passes between them.
//!
//! What a test builds with, from the outside in:
//! - [`Chain`]: a primary and a replica, a server before each, a connector before each server;
//! - [`Pair`] and [`Cluster`]: the databases alone, made with [`Settings`];
//! - [`Server`], [`Connector`], [`Keys`]: our programs one by one; [`Ca`]: certificates that
//!   `pgseal-keymaker` would never make;
//! - [`Etcd`]: a cluster of etcd; [`Patroni`]: databases that choose their primary with its help; [`Haproxy`]: a balancer; [`Network`] and [`Namespace`]: hosts of a network of their own,
//!   and [`Apart`]: servers on such hosts; [`connects`]: what applications meet that connect all the time;
//! - [`browse`], [`Tab`]: a browser, for pages of ours; [`Webconfig`]: the page that runs a fleet;
//! - [`Tap`]: records, stalls, truncates or cuts what flows between two of them;
//! - [`raw`]: PostgreSQL's protocol and TLS by hand; [`http`]: the control API and health pages;
//! - [`scan`]: finds a plaintext in bytes, in whatever form it got there.
//!
//! A chain test reads like this:
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use harness::Chain;
//!
//! let chain = Chain::builder().zone_mode("off").start();
//! let sealed = chain.client().seal(b"4000 0012 3456 7899")?;
//!
//! let writer = chain.primary.connect().await;
//! writer.batch_execute("create table cards (number bytea)").await?;
//! writer.execute("insert into cards values ($1)", &[&sealed]).await?;
//! chain.wait_for_replay();
//!
//! let reader = chain.replica.connect().await;
//! let row = reader.query_one("select number from cards", &[]).await?;
//! assert_eq!(row.get::<_, &[u8]>(0), b"4000 0012 3456 7899");
//!
//! let direct = chain.replica.database.connect().await;
//! let row = direct.query_one("select number from cards", &[]).await?;
//! assert_eq!(row.get::<_, &[u8]>(0), sealed);
//! # Ok(())
//! # }
//! ```
//!
//! The harness panics where it cannot do what it was asked: in a test that is the clearest error.
//! Everything it starts ends with the value that stands for it, and with the test program at the
//! latest, however that ends. It blocks, except [`Address::connect`] and [`eventually`], and works
//! in any runtime: what it starts runs in processes and threads of its own.

#![allow(
    clippy::missing_panics_doc,
    reason = "a harness fails by panicking, everywhere"
)]

mod address;
mod apart;
mod browser;
mod ca;
mod chain;
mod clock;
mod cluster;
mod connector;
mod connects;
mod daemon;
mod deadline;
mod dir;
mod etcd;
mod files;
mod haproxy;
mod host;
pub mod http;
mod impostor;
mod keys;
mod namespace;
mod nodes;
mod pair;
mod patroni;
mod port;
mod postgres;
mod process;
mod program;
mod python;
mod random;
pub mod raw;
mod report;
mod rounds;
mod scan;
mod server;
mod settings;
mod several;
mod tab;
mod tap;
mod unread;
mod watch;
pub mod webconfig;
mod zookeeper;

pub use address::Address;
pub use apart::Apart;
pub use browser::browse;
pub use ca::{Ca, Identity, Leaf};
pub use chain::{Chain, ChainBuilder, Link};
pub use clock::wrong_clock;
pub use cluster::Cluster;
pub use connector::Connector;
pub use connects::{Connect, Then, connects};
pub use deadline::{PATIENCE, eventually, until};
pub use dir::TestDir;
pub use etcd::{Etcd, MEMBERS};
pub use files::raise_file_limit;
pub use haproxy::Haproxy;
pub use host::Host;
pub use impostor::Impostor;
pub use keys::Keys;
pub use namespace::{Namespace, Network};
pub use nodes::Nodes;
pub use pair::Pair;
pub use patroni::{Agreement, Patroni};
pub use port::{Port, free_port};
pub use postgres::{Release, as_owner, give, installed, psql, psql_program};
pub use process::{Process, Signal};
pub use program::{Finished, Program, target};
pub use python::{python, root};
pub use random::Random;
pub use report::report;
pub use rounds::{is_long, rounds};
pub use scan::{Finding, scan};
pub use server::Server;
pub use settings::{Auth, Settings};
pub use several::Several;
pub use tab::Tab;
pub use tap::{Direction, Tap};
pub use watch::Watch;
pub use webconfig::{Browser, Webconfig};
pub use zookeeper::ZooKeeper;
