//! Closing a connection so that the last words arrive.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a peer may take to close its side, once it was told that this one is closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads and forgets what the peer still sends, until it closes its side or a second is over. To be
/// called once everything was written and the writing side was shut down: a socket that is closed
/// with bytes in it that nobody has read resets the connection, and then the peer may never see
/// what was written last (RFC 1122, section 4.2.2.13).
pub async fn linger(peer: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 4 << 10];
    let closed = async { while matches!(peer.read(&mut rest).await, Ok(1..)) {} };
    // In either case it can be closed now.
    let _ = tokio::time::timeout(PATIENCE, closed).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn last_words_arrive_although_the_peer_has_sent_what_nobody_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut ours, _) = listener.accept().await.unwrap();
        peer.write_all(b"what nobody reads").await.unwrap();
        let closing = tokio::spawn(async move {
            ours.write_all(b"farewell").await.unwrap();
            ours.shutdown().await.unwrap();
            linger(&mut ours).await;
        });
        // It is still sending when it is told.
        for _ in 0..10 {
            peer.write_all(b"more").await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"farewell");
        drop(peer);
        closing.await.unwrap();
    }
}
