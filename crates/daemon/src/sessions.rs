//! How many sessions run, and the moment when none does.

use std::time::Duration;

use tokio::sync::watch;

/// Counts running sessions.
#[derive(Debug)]
pub struct Sessions(watch::Sender<usize>);

/// One running session; ends when dropped.
#[derive(Debug)]
pub struct Running<'a>(&'a Sessions);

impl Sessions {
    /// How many run now.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Counts one more, until the answer is dropped.
    pub fn begin(&self) -> Running<'_> {
        self.0.send_modify(|count| *count += 1);
        Running(self)
    }

    /// Returns when none runs, or `limit` has passed.
    pub async fn ended(&self, limit: Duration) {
        let mut count = self.0.subscribe();
        // Either way the wait is over; the sender lives as long as `self`.
        let _ = tokio::time::timeout(limit, count.wait_for(|count| *count == 0)).await;
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0
            .0
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_last_session_or_the_limit() {
        let sessions = Sessions::default();
        let running = sessions.begin();
        assert_eq!(sessions.count(), 1);
        sessions.ended(Duration::from_secs(1)).await;
        assert_eq!(sessions.count(), 1, "the limit has passed");
        drop(running);
        sessions.ended(Duration::from_secs(3600)).await;
        assert_eq!(sessions.count(), 0);
    }
}
