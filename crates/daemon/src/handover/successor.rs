//! The process that takes this one's place: started, waited for, and told to go on.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::pair::{Channel, Message, pair};
use super::sockets::Sockets;
use super::{AT_ONCE, PREDECESSOR};

/// Another process of the same program that is not there yet.
pub(super) struct Starting {
    channel: Channel,
    child: Child,
}

/// The process that has taken over.
pub struct Successor {
    channel: Arc<Channel>,
    child: Child,
    /// Its process id.
    pub pid: u32,
}

impl Starting {
    /// Starts the file that this process was started from, as it is now, in the same way.
    pub(super) fn new() -> io::Result<Self> {
        if std::process::id() == 1 {
            return Err(io::Error::other(
                "this is process 1, and all others here end with it; give the container an init \
                 (docker run --init)",
            ));
        }
        let (ours, theirs) = pair()?;
        let mut arguments = std::env::args_os();
        let program = match arguments.next() {
            Some(program) if !program.is_empty() => program,
            _ => OsString::from(std::env::current_exe()?),
        };
        let child = Command::new(program)
            .args(arguments)
            .env(PREDECESSOR, std::process::id().to_string())
            .stdin(Stdio::from(theirs))
            .spawn()?;
        let channel = Channel::new(ours)?;
        Ok(Self { channel, child })
    }

    /// Its process id, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns once it would serve with these sockets.
    pub(super) async fn ready(&mut self, sockets: &Sockets) -> io::Result<()> {
        match sockets.pass_on(&self.channel).await {
            // It has ended already, and said why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            passed => passed?,
        }
        match self.channel.receive().await? {
            Some((Message::Ready, _)) => Ok(()),
            Some((Message::Failed(why), _)) => Err(io::Error::other(why)),
            Some(_) => Err(io::Error::other("it says what no successor says")),
            None => {
                let status = self.child.wait().await?;
                Err(io::Error::other(format!(
                    "it ended without a word: {status}"
                )))
            }
        }
    }

    /// Ends it.
    pub(super) async fn kill(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the process that was to take over cannot be ended");
        }
    }

    /// From now on it serves.
    pub(super) async fn go(self) -> Result<Successor, (Self, io::Error)> {
        let sent = self.channel.send(&Message::Go, &[]).await;
        match (sent, self.child.id()) {
            (Ok(()), Some(pid)) => Ok(Successor {
                channel: Arc::new(self.channel),
                child: self.child,
                pid,
            }),
            (Ok(()), None) => Err((self, io::Error::other("it has ended"))),
            (Err(error), _) => Err((self, error)),
        }
    }
}

impl Successor {
    /// Answers what it asks, until it ends or this process does.
    pub async fn answer<A, F>(mut self, answer: A)
    where
        A: Fn(String) -> F,
        F: Future<Output = Option<String>> + Send + 'static,
    {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let (number, body) = match self.channel.receive().await {
                Ok(Some((Message::Question { number, body }, _))) => (number, body),
                Ok(None) => break,
                Ok(Some(_)) => {
                    tracing::warn!("the process that took over asks what is no question");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the process that took over is not understood");
                    return;
                }
            };
            // The semaphore is never closed.
            let turn = turns.clone().acquire_owned().await;
            let (answered, channel) = (answer(body), self.channel.clone());
            tokio::spawn(async move {
                let body = answered.await;
                let answer = Message::Answer { number, body };
                if let Err(error) = channel.send(&answer, &[]).await {
                    tracing::debug!(%error, "the process that took over hears no answer");
                }
                drop(turn);
            });
        }
        let status = self.child.wait().await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::error!(
            pid = self.pid,
            status,
            "the process that took over has ended"
        );
    }
}
