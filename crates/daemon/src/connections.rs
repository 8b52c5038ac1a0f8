//! The connections of a program: each hears when the program leaves its place to another process, and the
//! program when the last of them has ended.

use std::time::Duration;

use tokio::sync::watch;

use crate::Predecessor;

/// All of them.
#[derive(Debug)]
pub struct Connections(watch::Sender<bool>);

/// One of them; it ends when dropped.
#[derive(Debug)]
pub struct Connected(watch::Receiver<bool>);

impl Connections {
    /// One more, until the answer is dropped.
    #[must_use]
    pub fn enter(&self) -> Connected {
        Connected(self.0.subscribe())
    }

    /// From now on another process is there for what is new: those that wait for something new end. Returns
    /// when none is left, nor the process whose place this one has taken, or `limit` has passed.
    pub async fn leave(&self, predecessor: &Predecessor, limit: Duration) {
        self.0.send_replace(true);
        let left = async { tokio::join!(self.0.closed(), predecessor.gone()) };
        // Either way the wait is over.
        let _ = tokio::time::timeout(limit, left).await;
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Connected {
    /// Returns when another process is there for what is new; never where the program just ends.
    pub async fn leaving(&mut self) {
        if self.0.wait_for(|leaving| *leaving).await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_hear_that_the_program_leaves_and_it_waits_for_the_last() {
        let (connections, nobody) = (Connections::default(), Predecessor::default());
        let mut connected = connections.enter();
        let begun = tokio::time::Instant::now();
        connections.leave(&nobody, Duration::from_secs(7)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(7), "one is there");
        connected.leaving().await;
        // One that came later hears of it too.
        connections.enter().leaving().await;
        let (leave, end) = (
            connections.leave(&nobody, Duration::from_secs(3600)),
            async {
                drop(connected);
            },
        );
        tokio::join!(leave, end);
        assert_eq!(begun.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_program_to_leave_hears_of_it() {
        let (connections, nobody) = (Connections::default(), Predecessor::default());
        let mut connected = connections.enter();
        let waits = tokio::spawn(async move { connected.leaving().await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        connections.leave(&nobody, Duration::from_secs(3600)).await;
        waits.await.unwrap();
    }
}
