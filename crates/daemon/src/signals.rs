//! SIGTERM and SIGINT end a daemon cleanly, SIGHUP makes it read its configuration again, SIGUSR2 leave its
//! place to another process.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::Failure;

/// Tells every task of a program that it is to end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stopping: watch::Receiver<bool>,
    /// Kept so that a program without a stopper (in a test) does not end by itself.
    _sender: watch::Sender<bool>,
}

impl Shutdown {
    /// A shutdown, and what sets it off.
    #[must_use]
    pub fn new() -> (Self, watch::Sender<bool>) {
        let (sender, stopping) = watch::channel(false);
        (
            Self {
                stopping,
                _sender: sender.clone(),
            },
            sender,
        )
    }

    /// Returns when the program is to end.
    pub async fn begun(&mut self) {
        // The sender lives as long as this value, so waiting cannot fail.
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }

    /// True once the program is to end.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        *self.stopping.borrow()
    }
}

/// The signals a daemon heeds.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    second: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To end.
    Stop,
    /// To read the configuration again.
    Reload,
    /// To leave its place to another process.
    Restart,
}

impl Signals {
    /// Starts to listen for them.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|cause| Failure::failed("signals", cause));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            second: listen(SignalKind::user_defined2())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.second.recv() => Asked::Restart,
        }
    }
}
