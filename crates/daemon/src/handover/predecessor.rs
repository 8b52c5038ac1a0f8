//! The process whose place this one takes, as seen from here.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};

use super::AT_ONCE;
use super::pair::{Channel, Message, send};
use super::sockets::Sockets;
use crate::Failure;
use crate::notify::{Status, notify};

/// How long it may take to an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest last words, in characters.
const LONGEST: usize = 1000;

/// The predecessor, if there is one. Cheap to clone.
#[derive(Clone, Default)]
pub struct Predecessor(Option<Arc<Inner>>);

struct Inner {
    /// The way there, for as long as it lives.
    channel: watch::Sender<Option<Arc<Channel>>>,
    asked: Mutex<Asked>,
    turns: Semaphore,
    last_words: LastWords,
}

/// Tells the predecessor why this process comes to nothing, while that may still be.
#[derive(Clone)]
pub(crate) struct LastWords(Arc<Mutex<Option<OwnedFd>>>);

impl LastWords {
    pub(super) fn new(end: Option<OwnedFd>) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    /// This process's end of the pair, where there is a predecessor.
    pub(super) fn end(&self) -> io::Result<Option<OwnedFd>> {
        self.lock().as_ref().map(OwnedFd::try_clone).transpose()
    }

    /// Says them.
    pub(crate) fn say(&self, why: &str) {
        let why = why.chars().take(LONGEST).collect();
        // A predecessor that is gone need not know.
        if let Some(end) = &*self.lock() {
            let _ = send(end, &Message::Failed(why), &[]);
        }
    }

    /// It serves: there is nothing left to say.
    fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Asked {
    count: u64,
    waiting: HashMap<u64, oneshot::Sender<Option<String>>>,
}

impl Predecessor {
    /// The one at the other end, and the sockets that it passes on.
    pub(super) async fn meet(
        end: OwnedFd,
        last_words: LastWords,
    ) -> Result<(Self, Sockets), Failure> {
        let failed = |cause: io::Error| Failure::failed("the predecessor", cause);
        let channel = Channel::new(end).map_err(failed)?;
        let (files, sockets) = match channel.receive().await.map_err(failed)? {
            Some((Message::Sockets(files), sockets)) => (files, sockets),
            _ => {
                return Err(Failure::Failed(
                    "the predecessor passes no sockets on".into(),
                ));
            }
        };
        let inner = Inner {
            channel: watch::Sender::new(Some(Arc::new(channel))),
            asked: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            last_words,
        };
        Ok((
            Self(Some(Arc::new(inner))),
            Sockets::of_predecessor(sockets, files)?,
        ))
    }

    /// Takes its place as soon as this process `serves`, and returns when it leaves it. Where there is
    /// none, at once.
    ///
    /// # Errors
    /// This process does not serve.
    pub async fn take_over(
        &self,
        sockets: &Sockets,
        serves: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let Some(inner) = &self.0 else {
            return Ok(());
        };
        serves.await?;
        if let Some(channel) = inner.channel() {
            go(&channel).await?;
            tokio::spawn(listen(channel, inner.clone()));
        }
        inner.last_words.forget();
        sockets.are_ours();
        Ok(())
    }

    /// Tells the service manager that this process serves. Of a successor its predecessor has told so: a service
    /// manager listens to the main process alone.
    pub fn tell_ready(&self) {
        if self.0.is_none() {
            notify(Status::Ready);
        }
    }

    /// Asks what only the predecessor knows. `None` where there is none any more, or it says nothing.
    pub async fn ask(&self, question: String) -> Option<String> {
        let inner = self.0.as_ref()?;
        // The semaphore is never closed.
        let _turn = inner.turns.acquire().await;
        let channel = inner.channel()?;
        let (number, answer) = inner.expect();
        let body = question;
        let asked = Message::Question { number, body };
        let answered = async {
            channel.send(&asked, &[]).await.ok()?;
            answer.await.ok()?
        };
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        inner.asked().waiting.remove(&number);
        if answered.is_err() {
            tracing::warn!("the process before this one does not answer");
        }
        answered.ok()?
    }

    /// Returns when there is none any more.
    pub async fn gone(&self) {
        if let Some(inner) = &self.0 {
            let mut channel = inner.channel.subscribe();
            // The sender lives as long as `inner`.
            let _ = channel.wait_for(Option::is_none).await;
        }
    }
}

impl Inner {
    fn channel(&self) -> Option<Arc<Channel>> {
        self.channel.borrow().clone()
    }

    fn expect(&self) -> (u64, oneshot::Receiver<Option<String>>) {
        let (answer, answered) = oneshot::channel();
        let mut asked = self.asked();
        asked.count += 1;
        let number = asked.count;
        asked.waiting.insert(number, answer);
        (number, answered)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that this process would serve, and waits until it is to.
async fn go(channel: &Channel) -> Result<(), Failure> {
    // Where it is gone, nobody else serves.
    if channel.send(&Message::Ready, &[]).await.is_err() {
        return Ok(());
    }
    match channel.receive().await {
        Ok(Some((Message::Go, _)) | None) => Ok(()),
        Ok(Some(_)) => Err(Failure::Failed(
            "the predecessor says something else than to go on".into(),
        )),
        Err(error) => Err(Failure::failed("the predecessor", error)),
    }
}

/// Takes its answers, until it has ended.
async fn listen(channel: Arc<Channel>, inner: Arc<Inner>) {
    loop {
        match channel.receive().await {
            Ok(Some((Message::Answer { number, body }, _))) => {
                if let Some(waiting) = inner.asked().waiting.remove(&number) {
                    // Whoever has asked may have given up.
                    let _ = waiting.send(body);
                }
            }
            Ok(None) => break,
            Ok(Some(_)) => {
                tracing::warn!("the process before this one says what is no answer");
                break;
            }
            Err(error) => {
                tracing::warn!(%error, "the process before this one is not understood any more");
                break;
            }
        }
    }
    inner.channel.send_replace(None);
    inner.asked().waiting.clear();
    tracing::info!("the process before this one has ended");
}
