//! What the two directions of a session share: the conversation, and when the application's next
//! message may go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::conversation::{Conversation, Injection};

/// Shared by both directions of one session, and by whoever cancels its query.
#[derive(Debug, Default)]
pub struct Flow {
    conversation: Mutex<Conversation>,
    /// Cancel requests that PostgreSQL has not finished with: a query sent now could be hit.
    cancels: AtomicUsize,
    /// The application has said goodbye.
    terminated: AtomicBool,
    /// The application's direction waits for replies.
    waiting: AtomicBool,
    /// Something changed that the application's direction may wait for.
    changed: Notify,
}

/// A cancel request on its way; dropped when PostgreSQL has closed its connection.
pub struct CancelInFlight<'a>(&'a Flow);

impl Flow {
    /// The conversation, for a moment.
    pub fn conversation(&self) -> MutexGuard<'_, Conversation> {
        self.conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called after replies were taken note of.
    pub fn replies_came(&self) {
        if self.waiting.load(Ordering::SeqCst) || self.conversation().has_injection() {
            self.changed.notify_one();
        }
    }

    /// The application has said goodbye.
    pub fn terminate(&self) {
        self.terminated.store(true, Ordering::Relaxed);
    }

    /// True when the application has said goodbye.
    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Relaxed)
    }

    /// Holds back the application's next message until the answer is dropped.
    pub fn cancel_begins(&self) -> CancelInFlight<'_> {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        CancelInFlight(self)
    }

    /// True while the application's next message must wait.
    pub fn holds(&self) -> bool {
        self.cancels.load(Ordering::SeqCst) > 0 || self.conversation().holds()
    }

    /// Waits until a message of ours is due.
    pub async fn injection(&self) -> Injection {
        loop {
            let changed = self.changed.notified();
            if let Some(injection) = self.conversation().take_injection() {
                return injection;
            }
            changed.await;
        }
    }

    /// Waits until the application's next message may go on, or one of ours must go before it.
    pub async fn clear(&self) -> Option<Injection> {
        loop {
            let changed = self.changed.notified();
            if let Some(injection) = self.conversation().take_injection() {
                return Some(injection);
            }
            self.waiting.store(true, Ordering::SeqCst);
            if !self.holds() {
                self.waiting.store(false, Ordering::SeqCst);
                return None;
            }
            changed.await;
        }
    }
}

impl Drop for CancelInFlight<'_> {
    fn drop(&mut self) {
        self.0.cancels.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}
