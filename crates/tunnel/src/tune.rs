//! TCP options of every data connection.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Questions to a silent peer before it is given up.
const PROBES: u32 = 6;

/// How a peer is found out that has vanished without a word: its host lost power, or the network.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// A connection this long without a byte is asked whether its peer is still there (RFC 9293,
    /// 3.8.4); after as long again without an answer it is given up. Seconds; none where zero.
    pub keepalive: Duration,
    /// Bytes that are not acknowledged, *or not taken*, for this long end the connection (RFC 5482).
    /// Zero leaves it to the system, which counts only those that are not acknowledged.
    pub user_timeout: Duration,
}

impl Default for Tuning {
    /// Both as they are where nothing is configured.
    fn default() -> Self {
        Self {
            keepalive: Duration::from_secs(60),
            user_timeout: Duration::ZERO,
        }
    }
}

impl Tuning {
    /// Sets the options, and sends small messages without delay.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if !self.keepalive.is_zero() {
            let idle = self.keepalive.max(Duration::from_secs(1));
            let keepalive = TcpKeepalive::new()
                .with_time(idle)
                .with_interval((idle / PROBES).max(Duration::from_secs(1)))
                .with_retries(PROBES);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        if !self.user_timeout.is_zero() {
            socket.set_tcp_user_timeout(Some(self.user_timeout))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A connection with these options.
    async fn tuned(tuning: Tuning) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        tuning.apply(&stream).unwrap();
        stream
    }

    #[tokio::test]
    async fn a_silent_peer_is_given_up_after_twice_the_time() {
        let stream = tuned(Tuning::default()).await;
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        let idle = socket.tcp_keepalive_time().unwrap();
        let probes = socket.tcp_keepalive_retries().unwrap();
        assert_eq!(idle, Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap() * probes, idle);
        assert!(stream.nodelay().unwrap());
    }

    /// Linux ends a connection with that option whose peer is there and takes nothing.
    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_waited_for_unless_configured() {
        let default = tuned(Tuning::default()).await;
        assert_eq!(SockRef::from(&default).tcp_user_timeout().unwrap(), None);
        let user_timeout = Duration::from_millis(1500);
        let tuning = Tuning {
            user_timeout,
            keepalive: Duration::ZERO,
        };
        let stream = tuned(tuning).await;
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(user_timeout));
        assert!(!socket.keepalive().unwrap());
    }
}
