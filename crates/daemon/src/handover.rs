//! A running program leaves its place to another process of itself: a new binary or a new configuration,
//! and no connection that is refused meanwhile.
//!
//! `successor` starts the other one and passes the listening sockets on, over a `pair` of sockets that is
//! its standard input; `predecessor` is how that one takes over. `sockets` are those that a program is
//! given so, or by a service manager (`activation`), and those that it binds itself.

mod activation;
mod pair;
mod predecessor;
mod sockets;
mod successor;

use std::fs::File;
use std::io::{self, stdin};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::parent_id;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use crate::notify::{Status, notify};
use crate::{Asked, Failure, Signals};

pub use predecessor::Predecessor;
pub use sockets::{Listens, Sockets};
pub use successor::Successor;

pub(crate) use predecessor::LastWords;
use successor::Starting;

/// By this a process knows that it is to take over: the id of the one that has started it.
const PREDECESSOR: &str = "PGSEAL_PREDECESSOR";

/// Questions to a predecessor that wait for their answer at the same time.
const AT_ONCE: usize = 64;

/// What a process was given at its start, beside its configuration.
pub struct Given {
    passed: Vec<OwnedFd>,
    last_words: LastWords,
}

/// How a program that has served comes to stop accepting.
pub enum End {
    /// It is to end.
    Stopped,
    /// Another process serves in its place, and what is left here is to end.
    HandedOver(Box<Successor>),
}

impl Given {
    /// To be called before anything is opened.
    pub(crate) fn new() -> Result<Self, Failure> {
        let passed = activation::passed()?;
        let pair = pair_from_stdin().map_err(|cause| Failure::failed(PREDECESSOR, cause))?;
        Ok(Self {
            passed,
            last_words: LastWords::new(pair),
        })
    }

    /// The sockets, and whose place is to be taken.
    ///
    /// # Errors
    /// They are of no use.
    pub async fn open(self) -> Result<(Arc<Sockets>, Predecessor), Failure> {
        let end = self.last_words.end();
        let end = end.map_err(|cause| Failure::failed(PREDECESSOR, cause))?;
        let (sockets, predecessor) = match end {
            None => (Sockets::passed(self.passed)?, Predecessor::default()),
            Some(end) => {
                let (predecessor, sockets) = Predecessor::meet(end, self.last_words).await?;
                (sockets, predecessor)
            }
        };
        Ok((Arc::new(sockets), predecessor))
    }

    /// What tells the predecessor why this process comes to nothing.
    pub(crate) fn last_words(&self) -> LastWords {
        self.last_words.clone()
    }
}

/// The end of the pair that a successor has for its standard input, where this is one. Nobody inherits it
/// from here.
fn pair_from_stdin() -> io::Result<Option<OwnedFd>> {
    // A variable that another process was given, and handed down.
    let parent = std::env::var(PREDECESSOR).ok();
    if parent.is_none_or(|parent| parent.parse() != Ok(parent_id())) {
        return Ok(None);
    }
    let end = stdin().as_fd().try_clone_to_owned()?;
    if socket_type(&end)? != SocketType::SEQPACKET {
        return Err(io::Error::other("standard input is not from a predecessor"));
    }
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(Some(end))
}

/// Does what signals ask for, until the program is to stop accepting. A successor has as long as
/// `restart_timeout` until it serves.
pub async fn until_end(
    signals: &mut Signals,
    sockets: &Sockets,
    restart_timeout: Duration,
    mut reload: impl FnMut(),
) -> End {
    loop {
        match signals.next().await {
            Asked::Stop => return End::Stopped,
            Asked::Reload => reload(),
            Asked::Restart => {
                if let Some(end) = restart(signals, sockets, restart_timeout, &mut reload).await {
                    return end;
                }
            }
        }
    }
}

/// One attempt at a hand-over; `None` where this process goes on as before.
async fn restart(
    signals: &mut Signals,
    sockets: &Sockets,
    limit: Duration,
    reload: &mut impl FnMut(),
) -> Option<End> {
    let mut starting = match Starting::new() {
        Ok(starting) => starting,
        Err(error) => {
            tracing::error!(%error, "no other process takes over: it cannot be started");
            return None;
        }
    };
    tracing::info!(
        pid = starting.pid(),
        "another process is started to take over"
    );
    let ready = {
        let mut ready = pin!(tokio::time::timeout(limit, starting.ready(sockets)));
        loop {
            tokio::select! {
                ready = &mut ready => break Some(ready),
                asked = signals.next() => match asked {
                    Asked::Stop => break None,
                    Asked::Reload => reload(),
                    Asked::Restart => tracing::warn!("another process is started already"),
                }
            }
        }
    };
    let why = match ready {
        None => {
            starting.kill().await;
            return Some(End::Stopped);
        }
        Some(Ok(Ok(()))) => {
            sockets.are_the_successors();
            match starting.go().await {
                Ok(successor) => {
                    notify(Status::HandedOver(successor.pid));
                    tracing::info!(pid = successor.pid, "another process has taken over");
                    return Some(End::HandedOver(Box::new(successor)));
                }
                Err((failed, error)) => {
                    starting = failed;
                    error.to_string()
                }
            }
        }
        Some(Ok(Err(error))) => error.to_string(),
        Some(Err(_)) => format!(
            "it was not ready in {} s (restart_timeout)",
            limit.as_secs()
        ),
    };
    starting.kill().await;
    sockets.are_ours();
    tracing::error!(error = why, "no other process takes over; this one goes on");
    None
}
