//! What the two directions of a session share: the conversation, and when the application's next
//! message may go on.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::{Mutex as Turns, MutexGuard as Turn};

use crate::conversation::{Conversation, Injection};

/// Shared by both directions of one session, and by whoever cancels its query.
#[derive(Debug, Default)]
pub struct Flow {
    conversation: Mutex<Conversation>,
    /// Cancel requests that PostgreSQL has not finished with: a query sent now could be hit.
    cancels: AtomicUsize,
    /// Cancel requests go to the database one after another.
    turns: Turns<()>,
    /// How many have had their turn, or have it.
    turns_begun: AtomicU64,
    /// The application has said goodbye.
    terminated: AtomicBool,
    /// The database has, for a reason that is the session's own.
    dismissed: AtomicBool,
    /// A backslash in the application's SQL escapes: its `standard_conforming_strings` is off.
    backslashes: AtomicBool,
    /// The application's direction waits for replies.
    waiting: AtomicBool,
    /// Wakes the application's direction where it waits for what is here.
    waiter: Mutex<Option<Waker>>,
}

/// A cancel request on its way; dropped when PostgreSQL has closed its connection.
pub struct CancelInFlight<'a> {
    flow: &'a Flow,
    /// How many had had their turn when it came.
    came_behind: u64,
}

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
            self.changed();
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

    /// The database ends the session for a reason that is the session's own, such as a wrong password.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }

    /// What `standard_conforming_strings` is from now on.
    pub fn strings_conform(&self, conform: bool) {
        self.backslashes.store(!conform, Ordering::Relaxed);
    }

    /// Whether it is on.
    pub fn do_strings_conform(&self) -> bool {
        !self.backslashes.load(Ordering::Relaxed)
    }

    /// True when either side has said goodbye: that the connection ends tells nothing of the database.
    pub fn is_over(&self) -> bool {
        self.is_terminated() || self.dismissed.load(Ordering::Relaxed)
    }

    /// Holds back the application's next message until the answer is dropped.
    pub fn cancel_begins(&self) -> CancelInFlight<'_> {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        CancelInFlight {
            flow: self,
            came_behind: self.turns_begun.load(Ordering::SeqCst),
        }
    }

    /// True while the application's next message must wait.
    pub fn holds(&self) -> bool {
        self.cancels.load(Ordering::SeqCst) > 0 || self.conversation().holds()
    }

    /// Waits until a message of ours is due.
    pub async fn injection(&self) -> Injection {
        poll_fn(|context| {
            self.wait(context);
            match self.conversation().take_injection() {
                Some(injection) => Poll::Ready(injection),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Waits until the application's next message may go on, or one of ours must go before it.
    pub async fn clear(&self) -> Option<Injection> {
        poll_fn(|context| {
            let at_once = self.clear_now();
            if at_once.is_ready() {
                self.waiting.store(false, Ordering::Relaxed);
                return at_once;
            }
            // To be woken from now on; and what changed before now is seen now.
            self.wait(context);
            self.waiting.store(true, Ordering::SeqCst);
            let clear = self.clear_now();
            if clear.is_ready() {
                self.waiting.store(false, Ordering::SeqCst);
            }
            clear
        })
        .await
    }

    fn clear_now(&self) -> Poll<Option<Injection>> {
        if let Some(injection) = self.conversation().take_injection() {
            return Poll::Ready(Some(injection));
        }
        if self.holds() {
            return Poll::Pending;
        }
        Poll::Ready(None)
    }

    /// Lets this task be woken by the next change. Only the application's direction waits.
    fn wait(&self, context: &Context<'_>) {
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiter {
            Some(waker) => waker.clone_from(context.waker()),
            None => *waiter = Some(context.waker().clone()),
        }
    }

    /// Something changed that the application's direction may wait for.
    fn changed(&self) {
        let waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*waiter {
            waker.wake_by_ref();
        }
    }
}

impl<'a> CancelInFlight<'a> {
    /// Waits for its turn to go to the database. `None` when another had a whole turn meanwhile, and
    /// has done what this one would do: however many come at once, one or two go.
    pub async fn turn(&self) -> Option<Turn<'a, ()>> {
        let turn = self.flow.turns.lock().await;
        if self.flow.turns_begun.load(Ordering::SeqCst) > self.came_behind {
            return None;
        }
        self.flow.turns_begun.fetch_add(1, Ordering::SeqCst);
        Some(turn)
    }
}

impl Drop for CancelInFlight<'_> {
    fn drop(&mut self) {
        self.flow.cancels.fetch_sub(1, Ordering::SeqCst);
        self.flow.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_cancel_requests_at_once_those_go_that_came_behind_the_last_turn() {
        let flow = Flow::default();
        let (first, second) = (flow.cancel_begins(), flow.cancel_begins());
        let turn = first.turn().await;
        assert!(turn.is_some());
        // They come while the first is on its way: it may have gone too early for them.
        let (third, fourth) = (flow.cancel_begins(), flow.cancel_begins());
        drop((turn, first));
        assert!(second.turn().await.is_none(), "the first went behind it");
        assert!(third.turn().await.is_some());
        assert!(fourth.turn().await.is_none(), "the third went behind it");
        assert!(flow.holds());
        drop((second, third, fourth));
        assert!(!flow.holds());
    }
}
