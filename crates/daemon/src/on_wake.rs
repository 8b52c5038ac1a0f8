//! Futures that share a task, each polled only when it was woken itself.
//!
//! A session is one task that waits for several things: either direction, the program's end, its
//! peer's revocation. Whatever wakes the task makes a `select!` poll all of them; most have nothing
//! to say, and those that wait on what all sessions share would take its lock for every message.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled for the first time, and then when it was woken; a poll for another
/// reason costs next to nothing.
pub struct OnWake<F> {
    future: F,
    woken: Arc<Woken>,
    /// Wakes this future.
    own: Waker,
    /// The task that is to be woken with it.
    task: Option<Waker>,
}

struct Woken {
    is_woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<F: Future + Unpin> OnWake<F> {
    /// Wraps a future, pinned where it lives.
    pub fn new(future: F) -> Self {
        let woken = Arc::new(Woken {
            is_woken: AtomicBool::new(true),
            task: Mutex::default(),
        });
        Self {
            future,
            own: Waker::from(woken.clone()),
            woken,
            task: None,
        }
    }
}

impl<F: Future + Unpin> Future for OnWake<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let is_known = |task: &Waker| task.will_wake(context.waker());
        if !self.task.as_ref().is_some_and(is_known) {
            self.task = Some(context.waker().clone());
            *self.woken.lock() = self.task.clone();
        }
        // After the task is known and before the poll: a wake from here on is not lost.
        if !self.woken.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let Self { future, own, .. } = &mut *self;
        Pin::new(future).poll(&mut Context::from_waker(own))
    }
}

impl Woken {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        if let Some(task) = &*self.lock() {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_is_polled_at_first_and_when_it_was_woken() {
        let task = Arc::new(Count::default());
        let waker = Waker::from(task.clone());
        let own = Mutex::new(None);
        let mut polls = 0;
        let mut future = OnWake::new(poll_fn(|context: &mut Context<'_>| {
            polls += 1;
            *own.lock().unwrap() = Some(context.waker().clone());
            if polls < 3 {
                Poll::Pending
            } else {
                Poll::Ready(polls)
            }
        }));
        let mut poll = || Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        let wake = || own.lock().unwrap().clone().unwrap().wake();
        assert!(poll().is_pending(), "first poll");
        assert!(poll().is_pending(), "not woken");
        assert_eq!(task.0.load(Ordering::SeqCst), 0);
        wake();
        assert_eq!(task.0.load(Ordering::SeqCst), 1, "its task is woken too");
        assert!(poll().is_pending(), "second poll");
        assert!(poll().is_pending(), "not woken again");
        wake();
        assert_eq!(poll(), Poll::Ready(3));
    }

    #[test]
    fn it_wakes_the_task_that_polled_it_last() {
        let tasks = [Arc::new(Count::default()), Arc::new(Count::default())];
        let own = Mutex::new(None);
        let mut future = OnWake::new(poll_fn(|context: &mut Context<'_>| {
            *own.lock().unwrap() = Some(context.waker().clone());
            Poll::<()>::Pending
        }));
        for task in &tasks {
            let waker = Waker::from(task.clone());
            let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        own.lock().unwrap().clone().unwrap().wake();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }
}
